//! `[guard] fingerprint`: whether the live target is the one that the runbook was written for.

use crate::settings::{DriveError, Settings};
use ceptra_flow_core::ids::{Epoch, Name, Purpose};
use ceptra_flow_core::plan::Plan;
use ceptra_flow_steps::{LogSink, Redactor, RunInfo, StepContext};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the target may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the target who it is, where the plan wants to know. Nothing has started before this.
pub(crate) fn check(run: &str, plan: &Plan, settings: &Settings<'_>) -> Result<(), DriveError> {
    let Some(expected) = plan.guard.as_ref().and_then(|guard| guard.fingerprint.as_ref()) else { return Ok(()) };
    let cx = context(run, plan, settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let refuse =
        |found: String| DriveError::Guard { target: plan.target.name.clone(), expected: expected.clone(), found };
    match runtime.block_on(ceptra_flow_steps::ceptra::fingerprint(&cx)) {
        Ok(found) if found == *expected => Ok(()),
        Ok(found) => Err(refuse(format!("answers `{found}`"))),
        Err(error) => Err(refuse(format!("could not be asked: {}", error.message))),
    }
}

fn context(run: &str, plan: &Plan, settings: &Settings<'_>) -> StepContext {
    let info = RunInfo {
        id: run.to_owned(),
        name: plan.runbook.name.clone(),
        epoch: Epoch(0),
        dir: settings.started_from.clone(),
    };
    StepContext {
        run: Arc::new(info),
        step: Name::from("guard"),
        key: None,
        purpose: Purpose::Probe,
        attempt: 1,
        idempotency_key: format!("{run}:guard"),
        target: Arc::new(plan.target.value.value()),
        endpoints: Arc::new(settings.endpoints.clone()),
        log: LogSink::none(),
        cancel: CancellationToken::new(),
        timeout: PATIENCE,
        started_from: settings.started_from.clone(),
        secrets: Arc::new(Redactor::new(settings.secrets.values().cloned())),
    }
}
