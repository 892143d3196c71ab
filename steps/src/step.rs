//! The seam between the engine and what a step does.
//!
//! A type says what it is ([`Step::describe`]: there is no default for its effect, so its author
//! must think about a crash in its middle) and does one attempt. It neither retries nor decides what
//! a failure means for the run.

use crate::context::StepContext;
use crate::error::StepError;
use ceptra_flow_core::catalog::StepType;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the world answers when asked whether an effect happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Probed {
    /// It happened; this is the step's output.
    Done(Value),
    /// It did not happen; what was seen instead.
    NotDone(Value),
    /// The world does not tell; why.
    Unknown(String),
}

/// A step type: its description and its code.
///
/// Callers use [`carry_out()`](crate::carry_out()), which resolves `lab://` names, checks the rendered
/// parameters against the description and keeps secrets out of what comes back; an implementation may
/// rely on all three.
pub trait Step: Send + Sync {
    /// What is known of the type without running it.
    fn describe(&self) -> StepType;

    /// Has the effect, once. Must stop soon after `cx.cancel` is cancelled or `cx.timeout` has passed,
    /// and must say [`StepError::unknown`] where nobody can know whether the effect happened.
    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>>;

    /// Asks the world whether the effect of an earlier attempt with these parameters happened. Changes nothing.
    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        let _ = (with, cx);
        let name = self.describe().name;
        Box::pin(
            async move { Err(StepError::unsupported(format!("`{name}` cannot tell by itself whether it was done"))) },
        )
    }

    /// Reverses the effect. `with` is what the step was run with, `output` what it gave back.
    fn undo<'a>(&'a self, with: Value, output: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        let _ = (with, output, cx);
        let name = self.describe().name;
        Box::pin(async move { Err(StepError::unsupported(format!("`{name}` has no inverse of its own"))) })
    }

    /// The result, for types described as `inline`: at once, without a task. `None` for the others.
    fn run_inline(&self, with: &Value) -> Option<Result<Value, StepError>> {
        let _ = with;
        None
    }

    /// How long after being stopped the step may still need to end by itself, for these parameters.
    fn grace(&self, with: &Value) -> Duration {
        let _ = with;
        GRACE_DEFAULT
    }
}

/// Enough for a process to hear TERM and leave; longer would only delay a second Ctrl-C.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(5);
