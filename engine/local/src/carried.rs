//! From what a step type says to what the scheduler hears: secrets out, large outputs to blobs.

use ceptra_flow_core::input::{Failure, Left, Result as Report};
use ceptra_flow_core::json::INLINE_BYTES_MAX;
use ceptra_flow_core::{Effect, Json, Name, Output};
use ceptra_flow_state::{Blobs, StoreError};
use ceptra_flow_steps::{Redactor, StepError};
use serde_json::Value;

/// How an attempt came out, before it is put away.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Value),
    NotDone(Value),
    Error(StepError),
    /// A failure made by the driver itself.
    Failed(Failure),
}

/// The report for the scheduler.
pub(crate) fn report(
    outcome: Outcome,
    effect: Effect,
    redactor: &Redactor,
    blobs: &Blobs,
) -> Result<Report, StoreError> {
    match outcome {
        Outcome::Done(value) => Ok(Report::Done(put_away(redactor.value(value), blobs)?)),
        Outcome::NotDone(value) => Ok(Report::NotDone(put_away(redactor.value(value), blobs)?)),
        Outcome::Error(error) => Ok(redacted(error.into_result(effect), redactor)),
        Outcome::Failed(failure) => Ok(redacted(Report::Failed(failure), redactor)),
    }
}

fn put_away(value: Value, blobs: &Blobs) -> Result<Output, StoreError> {
    let json = Json::from(value);
    if json.as_str().len() <= INLINE_BYTES_MAX {
        return Ok(Output::Inline(json));
    }
    Ok(Output::Blob(blobs.put(json.as_str().as_bytes())?))
}

fn redacted(report: Report, redactor: &Redactor) -> Report {
    let clean = |failure: Failure| Failure {
        message: redactor.text(&failure.message).into_owned(),
        detail: failure.detail.map(|detail| Json::from(redactor.value(detail.value()))),
        ..failure
    };
    match report {
        Report::Failed(failure) => Report::Failed(clean(failure)),
        Report::Unknown(failure) => Report::Unknown(clean(failure)),
        Report::Done(_) | Report::NotDone(_) => report,
    }
}

/// A failure that the driver itself saw.
pub(crate) fn failure(class: &str, message: impl Into<String>, left: Left) -> Failure {
    Failure { class: Name::from(class), message: message.into(), left, exit_code: None, detail: None }
}
