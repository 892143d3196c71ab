//! What people decided, and what nobody knew: two folds beside the run's own.

use super::{Decision, DecisionKind, Doubt, SettledBy};
use crate::utc;
use ceptra_flow_core::event::{ApprovalRequested, Event, ProbeVerdict};
use ceptra_flow_core::input::{Actor, Verdict};
use ceptra_flow_core::{Name, Record};
use std::collections::BTreeMap;

type Place = (Name, Option<Name>);

/// Decisions and doubts so far, in the order in which they came up.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    pub(super) approvals: Vec<Decision>,
    pub(super) doubts: Vec<Doubt>,
    /// The question that stands, by step and key.
    asked: BTreeMap<Place, ApprovalRequested>,
    /// The doubt that is open, as an index, by step and key.
    open: BTreeMap<Place, usize>,
}

impl Decisions {
    pub(super) fn hear(&mut self, record: &Record) {
        let Some((step, key)) = record.event.place() else { return };
        let place = (step.clone(), key.cloned());
        match &record.event {
            Event::ApprovalRequested(event) => {
                self.asked.insert(place, event.clone());
            }
            Event::ApprovalGranted(event) => {
                let decision =
                    self.decision(record, place, DecisionKind::Granted, Some(&event.by), event.reason.clone());
                self.approvals.push(Decision {
                    choice: event.choice.clone(),
                    fields: event.fields.clone(),
                    ..decision
                });
            }
            Event::ApprovalRejected(event) => {
                let decision =
                    self.decision(record, place, DecisionKind::Rejected, Some(&event.by), event.reason.clone());
                self.approvals.push(decision);
            }
            Event::ApprovalExpired(_) => {
                let decision = self.decision(record, place, DecisionKind::Expired, None, None);
                self.approvals.push(decision);
            }
            Event::StepUnknown(event) => self.doubt(record, place, event.attempt.number, event.error.message.clone()),
            Event::UndoFailed(event) if event.retry_at.is_none() => {
                self.doubt(record, place, event.attempt.number, format!("its undo: {}", event.error.message));
            }
            Event::ProbeAnswered(event) => {
                let verdict = event.verdict.map(|verdict| match verdict {
                    ProbeVerdict::Done => "done",
                    ProbeVerdict::NotDone => "not_done",
                });
                if let Some(verdict) = verdict {
                    self.settle(&place, SettledBy::Probe, verdict, None, None);
                }
            }
            Event::StepResolved(event) => {
                let verdict = match event.verdict {
                    Verdict::Done => "done",
                    Verdict::NotDone => "not_done",
                    Verdict::Skip => "skip",
                };
                self.settle(&place, SettledBy::Operator, verdict, Some(&event.by), event.reason.clone());
            }
            Event::StepIntent(_) | Event::UndoIntent(_) => {
                self.settle(&place, SettledBy::Rerun, "run_again", None, None)
            }
            Event::RunStarted(_)
            | Event::EpochOpened(_)
            | Event::StepExpanded(_)
            | Event::StepSkipped(_)
            | Event::StepDone(_)
            | Event::StepFailed(_)
            | Event::NoteAdded(_)
            | Event::RunPaused(_)
            | Event::RunUnpaused(_)
            | Event::CancelRequested(_)
            | Event::RetryRequested(_)
            | Event::UndoRequested(_)
            | Event::UndoDone(_)
            | Event::UndoFailed(_)
            | Event::FinallyStarted(_)
            | Event::RunFinished(_)
            | Event::RunInterrupted(_) => {}
        }
    }

    fn doubt(&mut self, record: &Record, place: Place, attempt: u32, why: String) {
        self.open.insert(place.clone(), self.doubts.len());
        let (step, key) = place;
        let at = utc(record.at);
        self.doubts.push(Doubt {
            step,
            key,
            attempt,
            at,
            why,
            settled_by: None,
            by: None,
            reason: None,
            verdict: None,
        });
    }

    /// What was decided about the question that stands.
    fn decision(
        &self,
        record: &Record,
        place: Place,
        decision: DecisionKind,
        by: Option<&Actor>,
        reason: Option<String>,
    ) -> Decision {
        let asked = self.asked.get(&place);
        Decision {
            prompt: asked.map_or(String::new(), |asked| asked.prompt.clone()),
            evidence: asked.and_then(|asked| asked.evidence.clone()),
            step: place.0,
            key: place.1,
            decision,
            by: by.map(|by| by.name.clone()),
            via: by.map(|by| by.via.clone()),
            at: utc(record.at),
            reason,
            choice: None,
            fields: None,
        }
    }

    fn settle(
        &mut self,
        place: &Place,
        how: SettledBy,
        verdict: &'static str,
        by: Option<&Actor>,
        reason: Option<String>,
    ) {
        let Some(at) = self.open.remove(place) else { return };
        let doubt = &mut self.doubts[at];
        doubt.settled_by = Some(how);
        doubt.verdict = Some(verdict);
        doubt.by = by.map(|by| by.name.clone());
        doubt.reason = reason;
    }
}
