//! Folds records into a report.

use super::decisions::Decisions;
use super::evidence::Tries;
use super::{About, Report, TimelineEntry};
use crate::lines::{Began, Life, attempt_of};
use crate::phrases::what;
use crate::time::seconds;
use crate::{Blobs, Head, Liveness, utc};
use ceptra_flow_core::state::Corrupt;
use ceptra_flow_core::{Record, RunState};
use serde_json::Value;

/// Folds records into a report; give it all of them, in order.
#[derive(Debug, Default)]
pub struct ReportBuilder {
    state: RunState,
    began: Began,
    timeline: Vec<TimelineEntry>,
    tries: Tries,
    decisions: Decisions,
}

impl ReportBuilder {
    /// Adds one record.
    ///
    /// # Errors
    /// When it cannot come after those before it.
    pub fn push(&mut self, record: &Record) -> Result<(), Corrupt> {
        self.state.apply(record)?;
        let began = self.began.hear(record);
        self.timeline.push(TimelineEntry {
            at: utc(record.at),
            seq: record.seq.0,
            what: what(record, &self.state, began),
            step: record.event.subject(),
            when: record.at,
            begins: attempt_of(&record.event).is_some_and(|(_, life)| life == Life::Begins),
        });
        self.tries.hear(record);
        self.decisions.hear(record);
        Ok(())
    }

    /// The fold so far.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The report. `signature` is whatever the caller signs the head with, `null` where it does not.
    ///
    /// # Panics
    /// When no record was pushed.
    #[must_use]
    pub fn finish(self, liveness: Liveness, head: Head, signature: Value, blobs: Blobs<'_>) -> Report {
        let state = &self.state;
        let plan = state.plan();
        Report {
            verdict: crate::outcome(state, liveness),
            run: state.run().clone(),
            runbook: plan.runbook.name.clone(),
            target: plan.target.name.clone(),
            rto: plan.runbook.rto_ms.map(seconds),
            measured: state.ended_at().map(|ended| seconds(ended.ms_since(state.started_at()))),
            steps: self.tries.evidence(state),
            timeline: self.timeline,
            approvals: self.decisions.approvals,
            doubts: self.decisions.doubts,
            cutover: crate::cutover(state, blobs),
            head,
            signature,
            about: About::of(state),
        }
    }
}
