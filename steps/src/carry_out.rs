//! One attempt: the only way in which a driver runs a step.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{Probed, Step};
use serde_json::Value;

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

/// Carries out one attempt with rendered parameters: resolves `lab://` names, has the work done, and takes
/// the secrets out of what comes back.
///
/// # Errors
/// Whatever the step says; a probe without an answer is an unknown of class `probe`.
pub async fn carry_out(
    step: &dyn Step,
    work: Work,
    with: Value,
    cx: &StepContext,
) -> Result<Carried, StepError> {
    if cx.cancel.is_cancelled() {
        return Err(StepError::cancelled_before_start());
    }
    let with = cx.resolve(with)?;
    match attempt(step, work, with, cx).await {
        Ok(Carried::Done(output)) => Ok(Carried::Done(cx.secrets.value(output))),
        Ok(Carried::NotDone(seen)) => Ok(Carried::NotDone(cx.secrets.value(seen))),
        Err(error) => Err(error),
    }
}

async fn attempt(
    step: &dyn Step,
    work: Work,
    with: Value,
    cx: &StepContext,
) -> Result<Carried, StepError> {
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
