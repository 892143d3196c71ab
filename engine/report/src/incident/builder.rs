//! Folds records into a report.

use super::Report;
use crate::{Blobs, Head, Liveness};
use ceptra_flow_core::state::Corrupt;
use ceptra_flow_core::{Record, RunState};
use serde_json::Value;

/// Folds records into a report; give it all of them, in order.
#[derive(Debug, Default)]
pub struct ReportBuilder {
    state: RunState,
}

impl ReportBuilder {
    /// Adds one record.
    ///
    /// # Errors
    /// When it cannot come after those before it.
    pub fn push(&mut self, record: &Record) -> Result<(), Corrupt> {
        self.state.apply(record)
    }

    /// The fold so far.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The report. `signature` is whatever the caller signs the head with.
    #[must_use]
    pub fn finish(self, liveness: Liveness, head: Head, signature: Value, blobs: Blobs<'_>) -> Report {
        let state = &self.state;
        Report {
            verdict: crate::outcome(state, liveness),
            run: state.run().clone(),
            runbook: state.plan().runbook.name.clone(),
            target: state.plan().target.name.clone(),
            rto: None,
            measured: None,
            steps: Vec::new(),
            timeline: Vec::new(),
            approvals: Vec::new(),
            doubts: Vec::new(),
            cutover: crate::cutover(state, blobs),
            head,
            signature,
        }
    }
}
