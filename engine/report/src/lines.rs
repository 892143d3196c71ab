//! A run as it goes: one plain line a record.

use crate::{Clock, Commands};
use ceptra_flow_core::{Plan, Record, RunState};

/// Turns records into lines for a log or a terminal without a live view.
#[derive(Debug)]
pub struct Lines {
    clock: Clock,
    commands: Commands,
    width: usize,
}

impl Lines {
    /// Lines for a run of this plan.
    #[must_use]
    pub fn new(plan: &Plan, clock: Clock, commands: Commands) -> Self {
        let width = plan.steps.len();
        Self { clock, commands, width }
    }

    /// The line (now and then several, joined by newlines, without a last one) for a record; `None` when it is not worth one.
    /// `state` is the fold of at least this record; it may be further on.
    pub fn line(&mut self, record: &Record, state: &RunState) -> Option<String> {
        let _ = (&self.clock, &self.commands, self.width, record, state);
        None
    }
}
