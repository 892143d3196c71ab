//! Templates and conditions.

use ceptra_flow_core::{BlobRef, Expressions, Json, Place, Plan, Prompt, StepIx};
use ceptra_flow_core::event::Item;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a document that is kept beside the journal.
pub type BlobLoader = Box<dyn Fn(&BlobRef) -> Result<String, String> + Send + Sync>;

/// Evaluates a plan's expressions. `Send + Sync`; make one per run and process.
pub struct Evaluator {
    _private: (),
}

impl Evaluator {
    /// An evaluator for runs of this plan. `run_dir` is `run.dir`; `secrets` holds the values of the plan's secret inputs.
    #[must_use]
    pub fn new(plan: &Plan, secrets: BTreeMap<String, String>, run_dir: &str, blobs: BlobLoader) -> Self {
        let _ = (plan, secrets, run_dir, blobs);
        unimplemented!()
    }

    /// Parameters (`StepPlan::with`, a probe's or an undo's `Body::with`) with every template rendered.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_with(&self, at: Place<'_>, with: &Json) -> Result<Value, String> {
        let _ = (at, with);
        unimplemented!()
    }

    /// What the expressions of a step may read, as a snapshot that can be sent to a worker.
    ///
    /// # Errors
    /// When an output that they read cannot be loaded.
    pub fn scope(&self, at: Place<'_>) -> Result<Scope, String> {
        let _ = at;
        unimplemented!()
    }
}

impl Expressions for Evaluator {
    fn when(&self, at: Place<'_>) -> Result<bool, String> {
        let _ = at;
        unimplemented!()
    }
    fn items(&self, at: Place<'_>) -> Result<Vec<Item>, String> {
        let _ = at;
        unimplemented!()
    }
    fn prompt(&self, at: Place<'_>) -> Result<Prompt, String> {
        let _ = at;
        unimplemented!()
    }
}

/// What a step's expressions may read: an owned snapshot, cheap to clone.
#[derive(Clone, Debug)]
pub struct Scope {
    _private: (),
}

impl Scope {
    /// Whether a condition holds; `output` is in scope when given (`verify`, `until`, `done`, `not_done`).
    ///
    /// # Errors
    /// Why it cannot be evaluated, for people.
    pub fn check(&self, cel: &str, output: Option<&Value>) -> Result<bool, String> {
        let _ = (cel, output);
        unimplemented!()
    }

    /// A template's text; a template that is exactly one reference to something else gives its JSON.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render(&self, template: &str) -> Result<String, String> {
        let _ = template;
        unimplemented!()
    }

    /// Like [`Evaluator::render_with`]; `output` is in scope when given.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_with(&self, with: &Json, output: Option<&Value>) -> Result<Value, String> {
        let _ = (with, output);
        unimplemented!()
    }
}

/// When a step's parameters are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of them before the run.
    Now,
    /// Some only from the outputs of earlier steps, or from the run itself.
    Later,
}

impl Known {
    /// As in `plan --format json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
        }
    }
}

/// When the parameters of a step are known.
#[must_use]
pub fn known(plan: &Plan, step: StepIx) -> Known {
    let _ = (plan, step);
    unimplemented!()
}

/// A step's parameters as far as they are known before the run; what is not stays as its template, secrets are `***`.
#[must_use]
pub fn render_known(plan: &Plan, step: StepIx) -> Value {
    let _ = (plan, step);
    unimplemented!()
}
