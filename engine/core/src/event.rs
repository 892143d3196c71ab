//! Facts. A change here is a change of the journal's format: old journals must still replay.
//!
//! Each kind of event is a struct of its own, stored as `(kind, payload)`; the payload is that struct's compact JSON and
//! carries everything, so a journal can be read with no code of ours.

use crate::ids::{Attempt, Epoch, Name, Seq, Timestamp};
use crate::input::{Actor, Engine, Failure, Verdict};
use crate::json::{Json, Output};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A fact with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// The driver's clock when it was decided; for people, never for ordering.
    pub at: Timestamp,
    /// The tenure that recorded it.
    pub epoch: Epoch,
    /// The fact.
    pub event: Event,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $kind:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })*) => {
        /// What happened, past tense.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event { $($(#[$doc])* $variant($variant),)* }

        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $variant { $($(#[$fdoc])* pub $field: $ty,)* }

        impl From<$variant> for Event {
            fn from(event: $variant) -> Self { Self::$variant(event) }
        })*

        impl Event {
            /// Every kind, in the order of declaration.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The kind's name, in snake case: the `kind` column and JSON field.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// The payload: compact JSON, an object.
            #[must_use]
            pub fn payload(&self) -> String {
                match self { $(Self::$variant(event) => serde_json::to_string(event).expect("events have string keys only"),)* }
            }

            /// The event that [`kind`](Self::kind) and [`payload`](Self::payload) describe.
            ///
            /// # Errors
            /// When the kind is unknown (a newer version wrote it) or the payload is not of that kind.
            pub fn decode(kind: &str, payload: &str) -> core::result::Result<Self, DecodeError> {
                match kind {
                    $($kind => serde_json::from_str(payload).map(Self::$variant).map_err(|error| DecodeError::Payload { kind: kind.into(), reason: alloc::format!("{error}") }),)*
                    other => Err(DecodeError::Kind(other.into())),
                }
            }
        }
    };
}

/// Why a stored event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A version of the engine newer than this one wrote it, or it was altered.
    #[error("no event kind is called `{0}` in this version")]
    Kind(String),
    /// It was altered.
    #[error("the payload is not a `{kind}` event: {reason}")]
    Payload {
        /// The kind it says it is.
        kind: String,
        /// What is wrong.
        reason: String,
    },
}

events! {
    /// The run began; holds the plan whole.
    RunStarted = "run_started" {
        /// The run's id.
        run: Name,
        /// SHA-256 of `plan`, hex.
        digest: String,
        /// Who started it.
        by: Actor,
        /// Where the runbook was read from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The plan: the JSON of [`Plan`](crate::Plan), byte for byte what `digest` covers.
        plan: Json,
    }
    /// A process took the run.
    EpochOpened = "epoch_opened" {
        /// Who started the process.
        by: Actor,
        /// The process.
        engine: Engine,
        /// Whether a pause and `--until` ended with it.
        #[serde(default)]
        go_on: bool,
    }
    /// A `for_each` step was given its instances.
    StepExpanded = "step_expanded" {
        /// The step's id.
        step: Name,
        /// Its instances, in order.
        items: Vec<Item>,
    }
    /// A step will not run.
    StepSkipped = "step_skipped" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// Why.
        reason: String,
    }
    /// An attempt is about to start; its effect may be in the world from now on.
    StepIntent = "step_intent" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// Part of the idempotency key; stable across retries.
        intent: u32,
    }
    /// A step is done, and everything its `verify` asks held.
    StepDone = "step_done" {
        /// The attempt that did it.
        #[serde(flatten)]
        attempt: Attempt,
        /// What it gave back.
        output: Output,
    }
    /// An attempt failed.
    StepFailed = "step_failed" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// Why.
        error: Failure,
        /// When it is tried again; for good when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    }
    /// Nobody knows how an attempt ended.
    StepUnknown = "step_unknown" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// Why nobody knows.
        error: Failure,
    }
    /// The world was asked how an attempt in doubt ended, or a manual step's claim was checked.
    ProbeAnswered = "probe_answered" {
        /// The probe.
        #[serde(flatten)]
        attempt: Attempt,
        /// `None` when the world could not tell.
        verdict: Option<ProbeVerdict>,
        /// What it answered, or what the check said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Output>,
        /// Why it could not tell, or what did not hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    }
    /// A person said how a step really ended.
    StepResolved = "step_resolved" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// How.
        verdict: Verdict,
        /// Who said so.
        by: Actor,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// A person is asked for a decision, or to carry out a manual step.
    ApprovalRequested = "approval_requested" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// Whether it is a manual step's instructions.
        #[serde(default)]
        manual: bool,
        /// What is asked.
        prompt: String,
        /// What may be answered.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<String>,
        /// How many must agree.
        approvers: u32,
        /// Whether the initiator does not count.
        #[serde(default)]
        not_initiator: bool,
        /// Until when it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// Values shown with the question, an object by path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Json>,
        /// Declarations of the typed answers, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Json>,
    }
    /// A person agreed.
    ApprovalGranted = "approval_granted" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// Who.
        by: Actor,
        /// Which choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choice: Option<String>,
        /// Typed answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Json>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// A person refused; the step fails.
    ApprovalRejected = "approval_rejected" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// Who.
        by: Actor,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// Nobody answered in time; the step fails.
    ApprovalExpired = "approval_expired" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
    }
    /// Somebody said something for the record.
    NoteAdded = "note_added" {
        /// The words.
        text: String,
        /// Who.
        by: Actor,
    }
    /// Nothing new starts.
    RunPaused = "run_paused" {
        /// Who; nobody when `--until` was reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// Things start again.
    RunUnpaused = "run_unpaused" {
        /// Who.
        by: Actor,
    }
    /// The run is given up.
    CancelRequested = "cancel_requested" {
        /// Who; nobody when `limits.timeout` passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// A failed step is to be tried again.
    RetryRequested = "retry_requested" {
        /// The step's id.
        step: Name,
        /// The instance's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
        /// Who.
        by: Actor,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// What was done is to be reversed.
    UndoRequested = "undo_requested" {
        /// Down to this step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Name>,
        /// Who; nobody when a step's `on_failure` asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether it goes past the point of no return.
        #[serde(default)]
        past_point_of_no_return: bool,
    }
    /// An undo is about to start.
    UndoIntent = "undo_intent" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// Part of the idempotency key.
        intent: u32,
    }
    /// A step's effect is reversed.
    UndoDone = "undo_done" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// What it gave back.
        output: Output,
    }
    /// An undo failed, or nobody knows how it ended; without `retry_at` the step is stuck.
    UndoFailed = "undo_failed" {
        /// Which.
        #[serde(flatten)]
        attempt: Attempt,
        /// Why.
        error: Failure,
        /// When it is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    }
    /// The main steps came to their end; the `finally` steps run now.
    FinallyStarted = "finally_started" {
        /// How the main steps ended: `done`, `failed` or `cancelled`.
        outcome: Outcome,
    }
    /// The run came to its end.
    RunFinished = "run_finished" {
        /// How.
        outcome: Outcome,
        /// What made it so, for people; empty when all is well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
    }
    /// The process was asked to stop, and stopped; the run can go on.
    RunInterrupted = "run_interrupted" {
        /// `SIGINT`, `SIGTERM`.
        signal: Name,
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything held.
    Done,
    /// Something did not.
    Failed,
    /// Somebody gave it up.
    Cancelled,
}

impl Outcome {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a probe said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeVerdict {
    /// The effect happened.
    Done,
    /// It did not.
    NotDone,
}

/// One instance of a `for_each` step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its key, unique in the step.
    pub key: Name,
    /// The element.
    pub item: Json,
}

impl Event {
    /// The step or instance that the event is about, as people see it (`freeze[pg-0]`).
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.place().map(|(step, key)| crate::ids::label(step, key))
    }

    /// The step's id and the instance's key that the event is about.
    #[must_use]
    pub fn place(&self) -> Option<(&Name, Option<&Name>)> {
        match self {
            Self::StepIntent(StepIntent { attempt, .. })
            | Self::StepDone(StepDone { attempt, .. })
            | Self::StepFailed(StepFailed { attempt, .. })
            | Self::StepUnknown(StepUnknown { attempt, .. })
            | Self::ProbeAnswered(ProbeAnswered { attempt, .. })
            | Self::UndoIntent(UndoIntent { attempt, .. })
            | Self::UndoDone(UndoDone { attempt, .. })
            | Self::UndoFailed(UndoFailed { attempt, .. }) => Some((&attempt.step, attempt.key.as_ref())),
            Self::StepSkipped(StepSkipped { step, key, .. })
            | Self::StepResolved(StepResolved { step, key, .. })
            | Self::ApprovalRequested(ApprovalRequested { step, key, .. })
            | Self::ApprovalGranted(ApprovalGranted { step, key, .. })
            | Self::ApprovalRejected(ApprovalRejected { step, key, .. })
            | Self::ApprovalExpired(ApprovalExpired { step, key })
            | Self::RetryRequested(RetryRequested { step, key, .. }) => Some((step, key.as_ref())),
            Self::StepExpanded(StepExpanded { step, .. }) => Some((step, None)),
            Self::RunStarted(_)
            | Self::EpochOpened(_)
            | Self::NoteAdded(_)
            | Self::RunPaused(_)
            | Self::RunUnpaused(_)
            | Self::CancelRequested(_)
            | Self::UndoRequested(_)
            | Self::FinallyStarted(_)
            | Self::RunFinished(_)
            | Self::RunInterrupted(_) => None,
        }
    }
}
