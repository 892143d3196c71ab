//! What each step did, try by try: a fold beside the run's own.

use super::{AttemptRow, Checks, Evidence};
use crate::show::{ErrorView, OutputView, instances, standing_error};
use crate::time::seconds;
use crate::utc;
use ceptra_flow_core::event::{Event, ProbeVerdict};
use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::input::Failure;
use ceptra_flow_core::plan::StepPlan;
use ceptra_flow_core::state::{Instance, Status};
use ceptra_flow_core::{Attempt, Name, Record, RunState, StepIx};
use std::collections::BTreeMap;

/// Every try so far, by step and key.
#[derive(Debug, Default)]
pub(super) struct Tries(BTreeMap<(Name, Option<Name>), Vec<AttemptRow>>);

impl Tries {
    pub(super) fn hear(&mut self, record: &Record) {
        match &record.event {
            Event::StepIntent(event) => self.begins(record, &event.attempt),
            Event::UndoIntent(event) => self.begins(record, &event.attempt),
            Event::StepDone(event) => self.ends(record, &event.attempt, "done", None),
            Event::UndoDone(event) => self.ends(record, &event.attempt, "done", None),
            Event::StepFailed(event) => self.ends(record, &event.attempt, "failed", Some(&event.error)),
            Event::UndoFailed(event) => self.ends(record, &event.attempt, "failed", Some(&event.error)),
            Event::StepUnknown(event) => self.ends(record, &event.attempt, "unknown", Some(&event.error)),
            Event::ProbeAnswered(event) => {
                let result = match event.verdict {
                    Some(ProbeVerdict::Done) => "done",
                    Some(ProbeVerdict::NotDone) => "not_done",
                    None => "unknown",
                };
                self.ends(record, &event.attempt, result, event.error.as_ref());
            }
            Event::RunStarted(_)
            | Event::EpochOpened(_)
            | Event::StepExpanded(_)
            | Event::StepSkipped(_)
            | Event::StepResolved(_)
            | Event::ApprovalRequested(_)
            | Event::ApprovalGranted(_)
            | Event::ApprovalRejected(_)
            | Event::ApprovalExpired(_)
            | Event::NoteAdded(_)
            | Event::RunPaused(_)
            | Event::RunUnpaused(_)
            | Event::CancelRequested(_)
            | Event::RetryRequested(_)
            | Event::UndoRequested(_)
            | Event::FinallyStarted(_)
            | Event::RunFinished(_)
            | Event::RunInterrupted(_) => {}
        }
    }

    fn rows(&mut self, attempt: &Attempt) -> &mut Vec<AttemptRow> {
        self.0.entry((attempt.step.clone(), attempt.key.clone())).or_default()
    }

    fn begins(&mut self, record: &Record, attempt: &Attempt) {
        let rows = self.rows(attempt);
        // A step that only reads is simply run again after a crash; nothing says how the try before it ended.
        for row in rows.iter_mut().filter(|row| row.result == "running") {
            row.result = "lost";
        }
        rows.push(AttemptRow { started_at: Some(utc(record.at)), ..AttemptRow::new(attempt) });
    }

    fn ends(&mut self, record: &Record, attempt: &Attempt, result: &'static str, error: Option<&Failure>) {
        let rows = self.rows(attempt);
        let known = rows.iter().rposition(|row| row.attempt == attempt.number);
        let at = known.unwrap_or_else(|| {
            // Decisions and probes have no intent of their own.
            rows.push(AttemptRow::new(attempt));
            rows.len() - 1
        });
        let row = &mut rows[at];
        row.result = result;
        row.ended_at = Some(utc(record.at));
        row.error = error.map(ErrorView::of);
    }

    /// Every step of a run with what it did.
    pub(super) fn evidence(mut self, state: &RunState) -> Vec<Evidence> {
        let rows = instances(state).map(|(at, step, instance)| {
            let key = instance.and_then(|instance| instance.key.clone());
            let attempts = self.0.remove(&(step.id.clone(), key)).unwrap_or_default();
            Evidence::of(state, at, step, instance, attempts)
        });
        rows.collect()
    }
}

impl AttemptRow {
    fn new(attempt: &Attempt) -> Self {
        let purpose = match attempt.purpose {
            Purpose::Do => "do",
            Purpose::Probe => "probe",
            Purpose::Undo => "undo",
        };
        let (attempt, epoch) = (attempt.number, attempt.epoch.0);
        Self { attempt, purpose, epoch, started_at: None, ended_at: None, result: "running", error: None }
    }
}

impl Evidence {
    fn of(
        state: &RunState,
        at: StepIx,
        step: &StepPlan,
        instance: Option<&Instance>,
        attempts: Vec<AttemptRow>,
    ) -> Self {
        let started = instance.and_then(|instance| instance.started_at);
        let ended = instance.and_then(|instance| instance.ended_at);
        let skipped = instance.and_then(|instance| instance.more.as_ref()).and_then(|more| more.skipped.clone());
        let title = step.more.as_ref().and_then(|more| more.title.clone());
        Self {
            id: step.id.clone(),
            key: instance.and_then(|instance| instance.key.clone()),
            title: title.filter(|title| !title.contains("{{")),
            kind: step.kind.clone(),
            effect: step.effect.as_str(),
            status: instance.map_or_else(|| state.status(at), |instance| instance.status).as_str(),
            started_at: started.map(utc),
            ended_at: ended.map(utc),
            duration: started.zip(ended).map(|(started, ended)| seconds(ended.ms_since(started))),
            verify: checks(step, instance, &attempts),
            attempts,
            skipped: skipped.or_else(|| step.left_out().map(str::to_owned)),
            output: instance.and_then(|instance| instance.output.as_ref()).map(OutputView::of),
            error: instance.and_then(standing_error).map(ErrorView::of),
        }
    }
}

/// The step's assertions, and whether they held: a step that an attempt of its own made done has passed them.
fn checks(step: &StepPlan, instance: Option<&Instance>, attempts: &[AttemptRow]) -> Option<Checks> {
    let verify = step.more.as_ref().map_or(&[][..], |more| &more.verify);
    if verify.is_empty() {
        return None;
    }
    let by_itself = attempts.iter().any(|row| row.purpose == "do" && row.result == "done");
    let held = instance.and_then(|instance| match instance.status {
        Status::Done | Status::Undone | Status::Undoing | Status::Stuck => by_itself.then_some(true),
        Status::Failed => instance.error().filter(|error| &*error.class == "verify").map(|_| false),
        Status::Pending | Status::Running | Status::Unknown | Status::Skipped | Status::Blocked => None,
    });
    Some(Checks { checks: verify.iter().map(|check| check.check.clone()).collect(), held })
}
