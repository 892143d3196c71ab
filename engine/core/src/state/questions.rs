//! What only a person can settle, read off the state as often as anybody asks.

use super::{RunState, Stage, Status};
use crate::event::ApprovalRequested;
use crate::ids::{Name, StepIx};
use crate::input::Failure;
use serde::{Deserialize, Serialize};

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// `approve` or `reject`.
    Approval,
    /// Instructions to carry out, then `resolve --done`.
    Manual,
    /// `resolve --done`, `--not-done` or `--skip`: nobody knows how a step ended.
    Verdict,
    /// The same for an undo.
    Stuck,
}

impl QuestionKind {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Manual => "manual",
            Self::Verdict => "verdict",
            Self::Stuck => "stuck",
        }
    }
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What kind of answer is wanted.
    pub kind: QuestionKind,
    /// The step's place.
    pub step: StepIx,
    /// The step's id.
    pub id: &'a Name,
    /// The instance's key.
    pub key: Option<&'a Name>,
    /// What was asked (approvals and manual steps).
    pub asked: Option<&'a ApprovalRequested>,
    /// Why nobody knows (verdicts and stuck undos).
    pub error: Option<&'a Failure>,
}

impl RunState {
    /// What only a person can settle, in the plan's order: of the part of its life that the run is in, so none once it
    /// has come to its end.
    pub fn questions(&self) -> impl Iterator<Item = Question<'_>> {
        let on_stage = self.active.iter().filter(|place| self.is_on_stage(place.0));
        on_stage.filter_map(|place| self.question(place.0, place.1 as usize))
    }

    fn question(&self, step: StepIx, at: usize) -> Option<Question<'_>> {
        let instance = &self.steps[step.at()].instances[at];
        let asked = instance.open_request();
        let kind = match instance.status {
            Status::Stuck => QuestionKind::Stuck,
            Status::Unknown if instance.needs_verdict() => QuestionKind::Verdict,
            // What is being reversed does not start any more.
            Status::Pending if self.stage == Stage::Undoing => return None,
            Status::Pending if asked.is_some_and(|asked| asked.manual) => QuestionKind::Manual,
            Status::Pending if asked.is_some() => QuestionKind::Approval,
            Status::Unknown
            | Status::Pending
            | Status::Running
            | Status::Done
            | Status::Failed
            | Status::Skipped
            | Status::Blocked
            | Status::Undoing
            | Status::Undone => return None,
        };
        Some(Question {
            kind,
            step,
            id: &self.plan().step(step).id,
            key: instance.key.as_ref(),
            asked,
            error: instance.error(),
        })
    }
}
