//! One attempt: parameters rendered, the step type called, its result verified. Runs on a task of its own.

use crate::carried::{Outcome, failure};
use crate::polling::{self, Until};
use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::input::Left;
use ceptra_flow_core::plan::{Check, Probe};
use ceptra_flow_runbook::Scope;
use ceptra_flow_steps::{Carried, Step, StepContext, StepError, Work, carry_out};
use serde_json::Value;
use std::time::Duration;

/// Beyond a step's own time and grace, before it is given up as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a task carries out. Everything in it is owned: the run goes on meanwhile.
pub(crate) struct Job {
    pub(crate) step: &'static dyn Step,
    pub(crate) with: Value,
    pub(crate) cx: StepContext,
    pub(crate) task: Task,
    pub(crate) verify: Vec<Check>,
    /// There where `verify`, `until` or a probe's conditions are to be judged.
    pub(crate) scope: Option<Scope>,
}

/// What kind of work it is.
pub(crate) enum Task {
    /// Have the effect, once.
    Do,
    /// Ask until a condition holds.
    Until { condition: String, interval_ms: Option<u64> },
    /// Ask the world by the type's own means.
    TypeProbe,
    /// Ask the world by the runbook's means.
    Probe(Box<Probe>),
    /// Reverse by the type's own means; holds the step's output.
    UndoAuto(Value),
}

impl Job {
    /// How the attempt came out. Never takes much longer than its timeout and the type's grace.
    pub(crate) async fn carry_out(self) -> Outcome {
        let most = self.cx.timeout + self.step.grace(&self.with) + PATIENCE;
        let outcome = match tokio::time::timeout(most, self.work()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.cx.cancel.cancel();
                let message = format!("it did not end within {most:?}, though it was told to");
                Outcome::Error(StepError::unknown("timeout", message))
            }
        };
        self.cx.log.finish();
        outcome
    }

    async fn work(&self) -> Outcome {
        match &self.task {
            Task::Do => self.verified(self.once(Work::Do, self.cx.clone()).await),
            Task::UndoAuto(output) => self.once(Work::Undo(output.clone()), self.cx.clone()).await,
            Task::TypeProbe => self.verified(self.once(Work::Probe, self.cx.clone()).await),
            Task::Probe(probe) => self.judged(probe, self.once(Work::Do, self.cx.clone()).await),
            Task::Until { condition, interval_ms } => {
                let Some(scope) = &self.scope else { return self.without_scope() };
                let until = Until { condition, interval_ms: *interval_ms, scope };
                let once = |left| self.once(Work::Do, StepContext { timeout: left, ..self.cx.clone() });
                self.verified(polling::repeat(until, &self.cx, once).await)
            }
        }
    }

    async fn once(&self, work: Work, cx: StepContext) -> Outcome {
        match carry_out(self.step, work, self.with.clone(), &cx).await {
            Ok(Carried::Done(output)) => Outcome::Done(output),
            Ok(Carried::NotDone(seen)) => Outcome::NotDone(seen),
            Err(error) => Outcome::Error(error),
        }
    }

    /// A step is done only when everything that it promises holds.
    fn verified(&self, outcome: Outcome) -> Outcome {
        match (outcome, &self.scope) {
            (Outcome::Done(output), Some(scope)) => verify(&self.verify, scope, output),
            (outcome, _) => outcome,
        }
    }

    /// What a probe's answer means: neither `done` nor `not_done` is no answer.
    fn judged(&self, probe: &Probe, outcome: Outcome) -> Outcome {
        let Outcome::Done(output) = outcome else { return outcome };
        let Some(scope) = &self.scope else { return self.without_scope() };
        let holds = |condition: &Option<String>| match condition {
            Some(condition) => scope.check(condition, Some(&output)),
            None => Ok(false),
        };
        match (holds(&probe.done), holds(&probe.not_done)) {
            (Ok(true), Ok(true)) => {
                unknown(format!("the probe says both `done` and `not_done`: {}", polling::shortened(&output)))
            }
            (Ok(true), _) => Outcome::Done(output),
            (_, Ok(true)) => Outcome::NotDone(output),
            (Ok(false), Ok(false)) => {
                unknown(format!("the probe's answer is neither: {}", polling::shortened(&output)))
            }
            (Err(message), _) | (_, Err(message)) => unknown(format!("the probe's answer cannot be judged: {message}")),
        }
    }

    fn without_scope(&self) -> Outcome {
        Outcome::Failed(failure("internal", "a condition has nothing to be judged on", Left::Nothing))
    }
}

fn unknown(message: String) -> Outcome {
    Outcome::Failed(failure("unknown", message, Left::Nothing))
}

/// Judges every check, and names all that do not hold.
pub(crate) fn verify(checks: &[Check], scope: &Scope, output: Value) -> Outcome {
    let mut wrong = Vec::new();
    for check in checks {
        match scope.check(&check.check, Some(&output)) {
            Ok(true) => {}
            Ok(false) => wrong.push(said(check, scope)),
            Err(message) => wrong.push(format!("`{}` cannot be judged: {message}", check.check)),
        }
    }
    if wrong.is_empty() {
        return Outcome::Done(output);
    }
    let message = format!("{}; the output was {}", wrong.join("; "), polling::shortened(&output));
    Outcome::Failed(failure("verify", message, Left::Partial))
}

fn said(check: &Check, scope: &Scope) -> String {
    let fallback = || format!("`{}` does not hold", check.check);
    match &check.message {
        Some(message) => scope.render(message).unwrap_or_else(|_| message.clone()),
        None => fallback(),
    }
}

/// What the key of an attempt's effect is derived from: run, step, instance and intent, so that retries share it.
pub(crate) fn idempotency_key(run: &str, step: &str, key: Option<&str>, purpose: Purpose, intent: u32) -> String {
    let undo = if purpose == Purpose::Undo { "undo" } else { "do" };
    let text = format!("{run}\n{step}\n{}\n{undo}\n{intent}", key.unwrap_or_default());
    let mut digest = ceptra_flow_core::plan::sha256_hex(text.as_bytes());
    digest.truncate(32);
    digest
}
