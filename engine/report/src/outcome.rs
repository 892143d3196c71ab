//! Where a run stands, in the words that programs and people read.

use ceptra_flow_core::RunState;
use ceptra_flow_core::event::Outcome;
use serde::Serialize;
use std::fmt;

/// Whether a process drives the run now; only who looks at its lock can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// A process holds its lock.
    Driven,
    /// Nobody does.
    Idle,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It ended, and everything held.
    Done,
    /// It ended, and something did not.
    Failed,
    /// Somebody gave it up.
    Cancelled,
    /// A process drives it.
    Running,
    /// Nobody drives it, and it waits for a person.
    Parked,
    /// Nobody drives it, and it could go on.
    Interrupted,
}

impl RunOutcome {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// Where a run stands. A run that ended has its outcome; else it depends on who drives it and what it waits for.
#[must_use]
pub fn outcome(state: &RunState, liveness: Liveness) -> RunOutcome {
    match (state.outcome(), liveness) {
        (Some(Outcome::Done), _) => RunOutcome::Done,
        (Some(Outcome::Failed), _) => RunOutcome::Failed,
        (Some(Outcome::Cancelled), _) => RunOutcome::Cancelled,
        (None, Liveness::Driven) => RunOutcome::Running,
        (None, Liveness::Idle) if state.is_paused() || state.questions().next().is_some() => RunOutcome::Parked,
        (None, Liveness::Idle) => RunOutcome::Interrupted,
    }
}

/// The last record of a journal, and the hash that covers all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Its place.
    pub seq: u64,
    /// The chain's hash there: 64 hex digits.
    pub hash: String,
}
