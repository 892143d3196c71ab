//! One attempt: the only way in which a driver runs a step.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{Probed, Step};
use crate::values::{self, shown};
use serde_json::Value;
use std::time::Duration;

/// What an attempt is to do.
#[derive(Clone, Debug)]
pub enum Work {
    /// Have the effect.
    Do,
    /// Ask the world, by the type's own means, whether the effect happened.
    Probe,
    /// Reverse the effect; holds what the step gave back.
    Undo(Value),
}

/// How an attempt ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Carried {
    /// Done, undone, or, when probed, found done: the output.
    Done(Value),
    /// Only when probed: not done; what was seen instead.
    NotDone(Value),
}

/// A step ends by itself when its time is up; this much later it is given up as lost.
const MARGIN: Duration = Duration::from_secs(15);

/// Carries out one attempt with rendered parameters: resolves `lab://` names, checks the parameters against the
/// type's description, has the work done, and takes the secrets out of what comes back.
///
/// # Errors
/// Whatever the step says; class `parameter` for parameters that do not fit, `endpoint` for a `lab://` name that
/// leads nowhere. A probe without an answer is an unknown of class `probe`, a step that does not end an unknown
/// of class `timeout` or `cancelled`.
pub async fn carry_out(step: &dyn Step, work: Work, with: Value, cx: &StepContext) -> Result<Carried, StepError> {
    if cx.cancel.is_cancelled() {
        return Err(StepError::cancelled_before_start());
    }
    let carried = bounded(step, work, with, cx).await;
    cx.log.finish();
    match carried {
        Ok(Carried::Done(output)) => Ok(Carried::Done(cx.secrets.value(output))),
        Ok(Carried::NotDone(seen)) => Ok(Carried::NotDone(cx.secrets.value(seen))),
        Err(error) => Err(redacted(error, cx)),
    }
}

async fn bounded(step: &dyn Step, work: Work, with: Value, cx: &StepContext) -> Result<Carried, StepError> {
    let with = cx.resolve(with)?;
    let misfits = values::misfits(&with, &step.describe().params);
    if !misfits.is_empty() {
        return Err(StepError::parameter(misfits.join("\n")));
    }
    let margin = step.grace(&with).saturating_add(MARGIN);
    let cancelled_long_ago = async {
        cx.cancel.cancelled().await;
        tokio::time::sleep(margin).await;
    };
    tokio::select! {
        biased;
        carried = attempt(step, work, with, cx) => carried,
        () = tokio::time::sleep(cx.timeout.saturating_add(margin)) => {
            Err(StepError::unknown("timeout", format!("the step did not end within {}, nor {} later", shown(cx.timeout), shown(margin))))
        }
        () = cancelled_long_ago => Err(StepError::unknown("cancelled", format!("the step did not end within {} of being stopped", shown(margin)))),
    }
}

async fn attempt(step: &dyn Step, work: Work, with: Value, cx: &StepContext) -> Result<Carried, StepError> {
    match work {
        Work::Do => step.run(with, cx).await.map(Carried::Done),
        Work::Undo(output) => step.undo(with, output, cx).await.map(Carried::Done),
        Work::Probe => match step.probe(with, cx).await? {
            Probed::Done(output) => Ok(Carried::Done(output)),
            Probed::NotDone(seen) => Ok(Carried::NotDone(seen)),
            Probed::Unknown(why) => Err(StepError::unknown("probe", why)),
        },
    }
}

fn redacted(error: StepError, cx: &StepContext) -> StepError {
    StepError {
        message: cx.secrets.text(&error.message).into_owned(),
        detail: error.detail.map(|detail| Box::new(cx.secrets.value(*detail))),
        ..error
    }
}
