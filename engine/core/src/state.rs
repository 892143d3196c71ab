//! The fold: what a run's records add up to. The only place where a run's state changes.
//!
//! Running, resuming, watching, reporting and auditing all call [`RunState::apply`]. It decides nothing and asks
//! nobody. Work per record is proportional to the step's own edges.

use crate::event::{
    ApprovalGranted, ApprovalRequested, Event, Outcome, ProbeVerdict, Record, RunStarted,
};
use crate::ids::{Attempt, Epoch, Name, Purpose, Seq, StepIx, Timestamp};
use crate::input::{Actor, Engine, Failure, Verdict};
use crate::json::{Json, Output};
use crate::plan::{OnFailure, Plan, SEMANTICS, place};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Where a step or an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing of it has started; also while a person is asked, and between two tries before the first effect.
    Pending,
    /// An attempt is in the world, or it waits to be tried again.
    Running,
    /// Its effect is there, its `verify` held.
    Done,
    /// It failed for good.
    Failed,
    /// Nobody knows whether its effect happened.
    Unknown,
    /// It is left out: `when` was false, or somebody said so.
    Skipped,
    /// It cannot start, for a step that it needs failed.
    Blocked,
    /// It is being reversed.
    Undoing,
    /// It is reversed.
    Undone,
    /// Its undo failed or is in doubt.
    Stuck,
}

impl Status {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
        }
    }
}

/// Why records cannot be those of one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// A place is missing or taken twice.
    #[error("event {found} stands where event {expected} should be")]
    Gap {
        /// The place that is due.
        expected: u64,
        /// The place found.
        found: u64,
    },
    /// The first record must be `run_started`, and only it.
    #[error("event {0} cannot be there: a run begins with `run_started`, once")]
    NoStart(u64),
    /// The plan cannot be read.
    #[error("the plan in event 1 cannot be read: {0}")]
    Plan(String),
    /// Another version's decisions.
    #[error("the plan has semantics {found}, this version knows {SEMANTICS}; use the version that made it")]
    Semantics {
        /// What the plan says.
        found: u32,
    },
    /// The plan's digest does not match its bytes.
    #[error("the plan in event 1 does not have the digest that the event names")]
    Digest,
    /// A step that the plan does not have.
    #[error("event {seq} names `{subject}`, which the plan does not have")]
    Stranger {
        /// The record's place.
        seq: u64,
        /// The step or instance.
        subject: String,
    },
    /// The epoch fell.
    #[error("event {seq} is of epoch {found}, after epoch {current}")]
    Epoch {
        /// The record's place.
        seq: u64,
        /// The epoch it names.
        found: u64,
        /// The epoch before it.
        current: u64,
    },
}

/// One instance of a step; a step without `for_each` has exactly one, without a key.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its key; `None` but for `for_each`.
    pub key: Option<Name>,
    /// The element of `for_each`.
    pub item: Option<Json>,
    /// Where it is.
    pub status: Status,
    /// Tries so far, probes and undos included: the number of the current or last attempt.
    pub attempts: u32,
    /// Tries at its effect since its last intent.
    pub tries: u32,
    /// The number of its intent; 0 before the first.
    pub intents: u32,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    pub ended_at: Option<Timestamp>,
    /// What it gave back; `None` until it is done (or skipped: then `null`).
    pub output: Option<Output>,
    /// What else there is to know.
    pub more: Option<Box<InstanceMore>>,
}

/// What few instances have.
#[derive(Clone, Debug, Default)]
pub struct InstanceMore {
    /// The last failure, or why it is in doubt, skipped or stuck.
    pub error: Option<Failure>,
    /// Why it was skipped.
    pub skipped: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// What a person was asked.
    pub asked: Option<ApprovalRequested>,
    /// Who agreed so far.
    pub granted: Vec<ApprovalGranted>,
    /// Who said how it ended.
    pub resolved: Option<(Verdict, Actor)>,
}

/// What a run's records add up to.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    head: Seq,
}

impl RunState {
    /// The plan.
    pub fn plan(&self) -> &Plan { unimplemented!() }
    /// The instances of a step; empty before a `for_each` is expanded.
    pub fn instances(&self, _step: StepIx) -> &[Instance] { unimplemented!() }
    /// Where a step is: its instances taken together.
    pub fn status(&self, _step: StepIx) -> Status { unimplemented!() }
    /// The run's id.
    pub fn run(&self) -> &Name { unimplemented!() }
    /// The current epoch.
    pub fn epoch(&self) -> Epoch { unimplemented!() }
    /// When it started.
    pub fn started_at(&self) -> Timestamp { unimplemented!() }
    /// How the main steps ended; `None` before the `finally` steps begin. It is `run.outcome` in expressions.
    pub fn main_outcome(&self) -> Option<Outcome> { unimplemented!() }
}
