//! From a command to an attempt that may start: what it is, with which parameters, and judged by what.

use super::Drive;
use crate::carried::{Outcome, failure};
use crate::work::{self, Job, Task};
use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::input::Left;
use ceptra_flow_core::plan::{Body, Check, StepPlan, Undo};
use ceptra_flow_core::{Attempt, Effect, Json, Name, Output, Place, StepIx};
use ceptra_flow_steps::{LogSink, StepContext};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

impl Drive<'_, '_> {
    pub(super) fn prepare(&self, attempt: &Attempt, intent: u32, claim: Option<Json>) -> Prepared {
        let state = self.scheduler.state();
        let Some((at, step)) = state.step(&attempt.step) else {
            return Prepared::failed(Effect::Read, "internal", format!("there is no step `{}`", attempt.step));
        };
        let key = attempt.key.as_ref().map(|key| key.as_str());
        let Some((index, instance)) = state.instance(at, key) else {
            return Prepared::failed(step.effect, "internal", format!("there is no instance `{}`", attempt.label()));
        };
        let place = Place { state, step: at, instance: index, now: crate::now() };
        let errand = Errand { step, at, place, attempt, intent };
        match attempt.purpose {
            Purpose::Do => self.prepare_do(&errand),
            Purpose::Probe => match claim {
                Some(claim) => self.prepare_claim(&errand, &claim),
                None => self.prepare_probe(&errand),
            },
            Purpose::Undo => self.prepare_undo(&errand, instance.output.as_ref()),
        }
    }

    fn prepare_do(&self, errand: &Errand<'_>) -> Prepared {
        let step = errand.step;
        let Some(code) = ceptra_flow_steps::find(&step.kind) else {
            return Prepared::failed(
                step.effect,
                "unsupported",
                format!("this version has no step type `{}`", step.kind),
            );
        };
        let with = match self.evaluator.render_with(errand.place, &step.with) {
            Ok(with) => with,
            Err(message) => return Prepared::failed(step.effect, "template", message),
        };
        let more = step.more.as_deref();
        let judged = more.is_some_and(|more| !more.verify.is_empty() || more.until.is_some());
        let scope = match (judged || &*step.kind == "assert").then(|| self.evaluator.scope(errand.place)).transpose() {
            Ok(scope) => scope,
            Err(message) => return Prepared::failed(step.effect, "template", message),
        };
        let verify = more.map(|more| more.verify.clone()).unwrap_or_default();
        if let (true, Some(scope)) = (&*step.kind == "assert", &scope) {
            return Prepared::Over(step.effect, assert_all(&with, &verify, scope));
        }
        if let Some(result) = code.run_inline(&with) {
            let outcome = match (result, &scope) {
                (Ok(output), Some(scope)) => work::verify(&verify, scope, output),
                (Ok(output), None) => Outcome::Done(output),
                (Err(error), _) => Outcome::Error(error),
            };
            return Prepared::Over(step.effect, outcome);
        }
        let task = match more.and_then(|more| more.until.clone()) {
            Some(condition) => Task::Until { condition, interval_ms: more.and_then(|more| more.interval_ms) },
            None => Task::Do,
        };
        let cx = self.context(errand, step.timeout_ms);
        Prepared::Job(step.effect, Box::new(Job { step: code, with, cx, task, verify, scope }))
    }

    fn prepare_probe(&self, errand: &Errand<'_>) -> Prepared {
        let step = errand.step;
        let probe = step.more.as_deref().and_then(|more| more.probe.clone());
        let (kind, with, timeout_ms) = match &probe {
            Some(probe) => (&probe.body.kind, &probe.body.with, probe.body.timeout_ms),
            None => (&step.kind, &step.with, step.timeout_ms),
        };
        let verify = match (&probe, step.more.as_deref()) {
            (None, Some(more)) => more.verify.clone(),
            (Some(_), _) | (None, None) => Vec::new(),
        };
        let task = |_: &Value| match probe.clone() {
            Some(probe) => Task::Probe(Box::new(probe)),
            None => Task::TypeProbe,
        };
        self.prepare_body(errand, kind, with, timeout_ms, Effect::Read, verify, task)
    }

    fn prepare_undo(&self, errand: &Errand<'_>, output: Option<&Output>) -> Prepared {
        let step = errand.step;
        match step.undo() {
            Some(Undo::Body(body)) => {
                let Body { kind, with, effect, timeout_ms } = body;
                self.prepare_body(errand, kind, with, *timeout_ms, *effect, Vec::new(), |_| Task::Do)
            }
            Some(Undo::Auto) | None => {
                let output = output.map_or(Value::Null, |output| self.load(output));
                self.prepare_body(
                    errand,
                    &step.kind,
                    &step.with,
                    step.timeout_ms,
                    Effect::Idempotent,
                    Vec::new(),
                    |_| Task::UndoAuto(output),
                )
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a body, which only exist together here")]
    fn prepare_body(
        &self,
        errand: &Errand<'_>,
        kind: &Name,
        with: &Json,
        timeout_ms: u64,
        effect: Effect,
        verify: Vec<Check>,
        task: impl FnOnce(&Value) -> Task,
    ) -> Prepared {
        let Some(step) = ceptra_flow_steps::find(kind) else {
            return Prepared::failed(effect, "unsupported", format!("this version has no step type `{kind}`"));
        };
        let prepared = self.evaluator.scope(errand.place).and_then(|scope| {
            let own = errand.place.state.instances(errand.at)[errand.place.instance]
                .output
                .as_ref()
                .map(|output| self.load(output));
            scope.render_with(with, own.as_ref()).map(|with| (scope, with))
        });
        match prepared {
            Ok((scope, with)) => {
                let task = task(&with);
                let cx = self.context(errand, timeout_ms);
                Prepared::Job(effect, Box::new(Job { step, with, cx, task, verify, scope: Some(scope) }))
            }
            Err(message) => Prepared::failed(effect, "template", message),
        }
    }

    /// What a person says was done: accepted only when the probe, if there is one, and every `verify` agree.
    fn prepare_claim(&self, errand: &Errand<'_>, claim: &Json) -> Prepared {
        let step = errand.step;
        let Some(more) = step.more.as_deref() else { return Prepared::Over(step.effect, Outcome::Done(claim.value())) };
        if let Some(probe) = more.probe.clone() {
            let (kind, with, timeout_ms) = (probe.body.kind.clone(), probe.body.with.clone(), probe.body.timeout_ms);
            let verify = more.verify.clone();
            return self.prepare_body(errand, &kind, &with, timeout_ms, Effect::Read, verify, |_| {
                Task::Probe(Box::new(probe))
            });
        }
        match self.evaluator.scope(errand.place) {
            Ok(scope) => Prepared::Over(Effect::Read, work::verify(&more.verify, &scope, claim.value())),
            Err(message) => Prepared::failed(Effect::Read, "template", message),
        }
    }

    fn load(&self, output: &Output) -> Value {
        match output {
            Output::Inline(json) => json.value(),
            Output::Blob(blob) => {
                self.blobs.get(blob).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
            }
        }
    }

    fn context(&self, errand: &Errand<'_>, timeout_ms: u64) -> StepContext {
        let attempt = errand.attempt;
        let world = &self.world;
        let key = attempt.key.as_ref().map(|key| key.as_str());
        let idempotency_key = work::idempotency_key(&world.run.id, &attempt.step, key, attempt.purpose, errand.intent);
        let started = errand.place.state.instances(errand.at)[errand.place.instance].started_at;
        // The deadline is the step's own: an undo may come hours later.
        let deadline_ms = errand.step.more.as_ref().and_then(|more| more.deadline_ms);
        let deadline_ms = deadline_ms.filter(|_| attempt.purpose != Purpose::Undo);
        let left_ms = match (deadline_ms, started) {
            (Some(deadline), Some(started)) => started.plus_ms(deadline).ms_since(errand.place.now).max(1),
            (Some(deadline), None) => deadline,
            (None, _) => u64::MAX,
        };
        StepContext {
            run: Arc::clone(&world.run),
            step: attempt.step.clone(),
            key: attempt.key.clone(),
            purpose: attempt.purpose,
            attempt: attempt.number,
            idempotency_key,
            target: Arc::clone(&world.target),
            endpoints: Arc::clone(&world.endpoints),
            log: LogSink::for_attempt(&world.run.dir, &attempt.step, key, attempt.number, &world.secrets),
            cancel: CancellationToken::new(),
            timeout: Duration::from_millis(timeout_ms.min(left_ms)),
            started_from: world.started_from.clone(),
            secrets: Arc::clone(&world.secrets),
        }
    }
}

/// One attempt, with everything the plan and the state say about it.
struct Errand<'e> {
    step: &'e StepPlan,
    at: StepIx,
    place: Place<'e>,
    attempt: &'e Attempt,
    intent: u32,
}

/// An attempt that may start.
pub(super) enum Prepared {
    /// It is over already: it needed no waiting, or could not even be begun.
    Over(Effect, Outcome),
    /// It needs a task.
    Job(Effect, Box<Job>),
}

impl Prepared {
    fn failed(effect: Effect, class: &str, message: String) -> Self {
        Self::Over(effect, Outcome::Failed(failure(class, message, Left::Nothing)))
    }
}

/// An `assert` step: every check is judged, and all that do not hold are named.
fn assert_all(with: &Value, verify: &[Check], scope: &ceptra_flow_runbook::Scope) -> Outcome {
    let checks: Result<Vec<Check>, _> = serde_json::from_value(with["checks"].clone());
    let checks = match checks {
        Ok(checks) => checks,
        Err(error) => {
            return Outcome::Failed(failure(
                "parameter",
                format!("`checks` is not a list of checks: {error}"),
                Left::Nothing,
            ));
        }
    };
    let output = serde_json::json!({ "checks": checks.len() });
    match work::verify(&checks, scope, output) {
        Outcome::Done(output) => work::verify(verify, scope, output),
        Outcome::Failed(failed) => Outcome::Failed(ceptra_flow_core::input::Failure {
            class: Name::from("assert"),
            left: Left::Nothing,
            ..failed
        }),
        other @ (Outcome::NotDone(_) | Outcome::Error(_)) => other,
    }
}
