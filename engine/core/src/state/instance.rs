//! One instance of a step: where it is, what it gave back, what people said about it.

use crate::event::{ApprovalGranted, ApprovalRequested};
use crate::ids::{Name, Seq, Timestamp};
use crate::input::{Actor, Failure, Verdict};
use crate::json::{Json, Output};
use alloc::boxed::Box;
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
    /// The place of the record that made it done.
    pub done_seq: Seq,
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
    /// Whether only a person can say how it ended: it must not be asked, or could not tell.
    pub needs_verdict: bool,
    /// What a person was asked.
    pub asked: Option<ApprovalRequested>,
    /// Who agreed so far.
    pub granted: Vec<ApprovalGranted>,
    /// Whether somebody refused, or nobody answered in time.
    pub refused: bool,
    /// Who said how it ended.
    pub resolved: Option<(Verdict, Actor)>,
}

/// What two instances are together: what presses most.
pub(super) fn taken_together(one: Status, other: Status) -> Status {
    const PRESSING: [Status; 10] = [
        Status::Stuck,
        Status::Unknown,
        Status::Failed,
        Status::Undoing,
        Status::Running,
        Status::Blocked,
        Status::Pending,
        Status::Undone,
        Status::Done,
        Status::Skipped,
    ];
    PRESSING.into_iter().find(|status| *status == one || *status == other).unwrap_or(one)
}

impl Instance {
    /// One that nothing has happened to.
    pub(super) fn new() -> Self {
        Self {
            key: None,
            item: None,
            status: Status::Pending,
            attempts: 0,
            tries: 0,
            intents: 0,
            started_at: None,
            ended_at: None,
            done_seq: Seq(0),
            output: None,
            more: None,
        }
    }

    /// What else there is to know, made when it is first needed.
    pub(crate) fn more_mut(&mut self) -> &mut InstanceMore {
        self.more.get_or_insert_with(Box::default)
    }

    /// The last failure, or why it is in doubt or stuck.
    #[must_use]
    pub fn error(&self) -> Option<&Failure> {
        self.more.as_ref()?.error.as_ref()
    }

    /// When it is tried again.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.more.as_ref()?.retry_at
    }

    /// What a person was asked and has not decided yet.
    #[must_use]
    pub fn open_request(&self) -> Option<&ApprovalRequested> {
        let more = self.more.as_ref()?;
        let asked = more.asked.as_ref()?;
        (!more.refused && (more.granted.len() as u64) < u64::from(asked.approvers)).then_some(asked)
    }

    /// Whether everybody who had to has agreed.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.more.as_ref().is_some_and(|more| {
            !more.refused
                && more.asked.as_ref().is_some_and(|asked| more.granted.len() as u64 >= u64::from(asked.approvers))
        })
    }

    /// Whether somebody refused, or nobody answered in time.
    pub(crate) fn is_refused(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.refused)
    }

    /// Whether only a person can say how it ended.
    #[must_use]
    pub fn needs_verdict(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.needs_verdict)
    }
}
