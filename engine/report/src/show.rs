//! A run as programs see it: `show --output json` and `runs --output json`.
//!
//! A fold and nothing else; for people, see `Show` in `screen`.

use crate::{Head, Liveness, RunOutcome, utc};
use ceptra_flow_core::input::{Failure, Left};
use ceptra_flow_core::plan::StepPlan;
use ceptra_flow_core::state::{Instance, Question, Status};
use ceptra_flow_core::{Json, Name, Output, RunState, StepIx, Timestamp};
use serde::Serialize;

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
    pub(crate) last_at: Timestamp,
    #[serde(skip)]
    pub(crate) progress: (usize, usize),
}

impl OutputView {
    /// The same, as people and programs see it.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        match output {
            Output::Inline(json) => Self::Inline(json.clone()),
            Output::Blob(blob) => Self::Blob { blob: blob.sha256.clone(), size: blob.size },
        }
    }
}

impl ErrorView {
    /// The same, as people and programs see it.
    #[must_use]
    pub fn of(error: &Failure) -> Self {
        let left = match error.left {
            Left::Nothing => "nothing",
            Left::Partial => "partial",
        };
        Self { class: error.class.clone(), message: error.message.clone(), exit_code: error.exit_code, left }
    }
}

/// Why an instance is not well; `None` where what went wrong before was put right.
pub(crate) fn standing_error(instance: &Instance) -> Option<&Failure> {
    match instance.status {
        Status::Done | Status::Undone | Status::Skipped | Status::Blocked => None,
        Status::Pending | Status::Running | Status::Failed | Status::Unknown | Status::Undoing | Status::Stuck => {
            instance.error()
        }
    }
}

/// Every instance of every step; a step without instances once, as a whole.
pub(crate) fn instances(state: &RunState) -> impl Iterator<Item = (StepIx, &StepPlan, Option<&Instance>)> {
    state.plan().places().flat_map(move |(at, step)| {
        let instances = state.instances(at);
        let whole = instances.is_empty().then_some((at, step, None));
        whole.into_iter().chain(instances.iter().map(move |instance| (at, step, Some(instance))))
    })
}

impl StepRow {
    fn of(state: &RunState, at: StepIx, step: &StepPlan, instance: Option<&Instance>) -> Self {
        Self {
            id: step.id.clone(),
            key: instance.and_then(|instance| instance.key.clone()),
            kind: step.kind.clone(),
            effect: step.effect.as_str(),
            status: instance.map_or_else(|| state.status(at), |instance| instance.status).as_str(),
            attempts: instance.map_or(0, |instance| instance.attempts),
            started_at: instance.and_then(|instance| instance.started_at).map(utc),
            ended_at: instance.and_then(|instance| instance.ended_at).map(utc),
            output: instance.and_then(|instance| instance.output.as_ref()).map(OutputView::of),
            error: instance.and_then(standing_error).map(ErrorView::of),
        }
    }
}

impl QuestionRow {
    fn of(question: &Question<'_>) -> Self {
        let asked = question.asked.map(|asked| asked.prompt.clone());
        let prompt = asked.unwrap_or_else(|| {
            let why = question.error.map_or(String::new(), |error| format!(": {}", error.message));
            format!("nobody knows how it ended{why}")
        });
        Self { kind: question.kind.as_str(), step: question.id.clone(), key: question.key.cloned(), prompt }
    }
}

impl RunView {
    /// Everything.
    #[must_use]
    pub fn new(state: &RunState, liveness: Liveness, head: Head) -> Self {
        let steps = instances(state).map(|(at, step, instance)| StepRow::of(state, at, step, instance)).collect();
        Self { steps: Some(steps), ..Self::summary(state, liveness, head) }
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
            questions: state.questions().map(|question| QuestionRow::of(&question)).collect(),
            started_at: state.started_at(),
            last_at: state.ended_at().unwrap_or(state.last_at()),
            progress: state.progress(),
        }
    }
}
