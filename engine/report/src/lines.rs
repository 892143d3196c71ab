//! A run as it goes: one plain line a record, so that the scrollback is a log.

use crate::phrases::{what, write_terms};
use crate::{Clock, Commands};
use ceptra_flow_core::event::{
    Event, ProbeAnswered, ProbeVerdict, StepDone, StepFailed, StepIntent, StepUnknown, UndoDone, UndoFailed, UndoIntent,
};
use ceptra_flow_core::state::QuestionKind;
use ceptra_flow_core::{Attempt, Effect, Name, Plan, Record, RunState, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Longer labels push their line to the right.
const LABEL_WIDTH_MAX: usize = 28;

/// Turns records into lines for a log or a terminal without a live view.
#[derive(Debug)]
pub struct Lines {
    clock: Clock,
    commands: Commands,
    width: usize,
    began: Began,
}

/// When the attempts in the world began, by step and key.
#[derive(Debug, Default)]
pub(crate) struct Began(BTreeMap<(Name, Option<Name>), Timestamp>);

impl Began {
    /// Takes a record in; gives when the attempt that it ends began.
    pub(crate) fn hear(&mut self, record: &Record) -> Option<Timestamp> {
        let (attempt, life) = attempt_of(&record.event)?;
        let place = (attempt.step.clone(), attempt.key.clone());
        match life {
            Life::Begins => {
                self.0.insert(place, record.at);
                None
            }
            Life::Ends => self.0.remove(&place),
        }
    }
}

/// What an event is in the life of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is about to start.
    Begins,
    /// It came to its end, one way or another.
    Ends,
}

/// The attempt that an event begins or ends.
pub(crate) fn attempt_of(event: &Event) -> Option<(&Attempt, Life)> {
    match event {
        Event::StepIntent(StepIntent { attempt, .. }) | Event::UndoIntent(UndoIntent { attempt, .. }) => {
            Some((attempt, Life::Begins))
        }
        Event::StepDone(StepDone { attempt, .. })
        | Event::StepFailed(StepFailed { attempt, .. })
        | Event::StepUnknown(StepUnknown { attempt, .. })
        | Event::ProbeAnswered(ProbeAnswered { attempt, .. })
        | Event::UndoDone(UndoDone { attempt, .. })
        | Event::UndoFailed(UndoFailed { attempt, .. }) => Some((attempt, Life::Ends)),
        Event::RunStarted(_)
        | Event::EpochOpened(_)
        | Event::StepExpanded(_)
        | Event::StepSkipped(_)
        | Event::StepResolved(_)
        | Event::ApprovalRequested(_)
        | Event::ApprovalGranted(_)
        | Event::ApprovalRejected(_)
        | Event::ApprovalExpired(_)
        | Event::NoteAdded(_)
        | Event::RunPaused(_)
        | Event::RunUnpaused(_)
        | Event::CancelRequested(_)
        | Event::RetryRequested(_)
        | Event::UndoRequested(_)
        | Event::FinallyStarted(_)
        | Event::RunFinished(_)
        | Event::RunInterrupted(_) => None,
    }
}

impl Lines {
    /// Lines for a run of this plan.
    #[must_use]
    pub fn new(plan: &Plan, clock: Clock, commands: Commands) -> Self {
        let width = plan.steps.iter().map(|step| step.id.chars().count()).max().unwrap_or(0).clamp(3, LABEL_WIDTH_MAX);
        Self { clock, commands, width, began: Began::default() }
    }

    /// The line (now and then several, joined by newlines, without a last one) for a record; `None` when it is not worth one.
    /// `state` is the fold of at least this record; it may be further on.
    pub fn line(&mut self, record: &Record, state: &RunState) -> Option<String> {
        let began = self.began.hear(record);
        if is_dull(record, state) {
            return None;
        }
        if let Event::StepExpanded(event) = &record.event {
            let longest = event.items.iter().map(|item| item.key.chars().count()).max().unwrap_or(0);
            self.width = self.width.max(event.step.chars().count() + longest + 2).min(LABEL_WIDTH_MAX);
        }
        let label = record.event.subject().unwrap_or_else(|| "run".to_owned());
        let mut line = self.clock.time_of_day(record.at);
        let margin = line.chars().count() + self.width + 4;
        write!(line, "  {label:<width$}  {}", what(record, state, began), width = self.width)
            .expect("writing to a String cannot fail");
        self.add_commands(&mut line, &" ".repeat(margin), record, state);
        Some(line)
    }

    fn add_commands(&self, line: &mut String, margin: &str, record: &Record, state: &RunState) {
        let mut add = |text: &str| {
            line.push('\n');
            line.push_str(margin);
            line.push_str(text);
        };
        match &record.event {
            Event::ApprovalRequested(asked) => {
                let mut terms = String::new();
                write_terms(&mut terms, "", asked, record.at).expect("writing to a String cannot fail");
                terms.lines().for_each(&mut add);
                let kind = if asked.manual { QuestionKind::Manual } else { QuestionKind::Approval };
                let answers = self.commands.answers_to(kind, &asked.step, asked.key.as_ref(), Some(asked));
                answers.iter().for_each(|answer| add(&format!("$ {answer}")));
            }
            Event::StepFailed(StepFailed { attempt, error, retry_at: None }) if writes_a_log(&error.class) => {
                add(&format!("$ {}", self.commands.logs(&attempt.step, attempt.key.as_ref())));
            }
            Event::StepUnknown(StepUnknown { attempt, .. }) if !can_be_settled(state, &attempt.step) => {
                self.verdicts(QuestionKind::Verdict, attempt, add);
            }
            Event::ProbeAnswered(event) if event.verdict.is_none() => {
                self.verdicts(QuestionKind::Verdict, &event.attempt, add)
            }
            Event::UndoFailed(UndoFailed { attempt, retry_at: None, .. }) => {
                self.verdicts(QuestionKind::Stuck, attempt, add)
            }
            // Nobody is asked anything: the line says it all.
            _ => {}
        }
    }

    fn verdicts(&self, kind: QuestionKind, attempt: &Attempt, mut add: impl FnMut(&str)) {
        for answer in self.commands.answers_to(kind, &attempt.step, attempt.key.as_ref(), None) {
            add(&format!("$ {answer}"));
        }
    }
}

/// Whether a record says nothing that the line before or after it does not.
fn is_dull(record: &Record, state: &RunState) -> bool {
    match &record.event {
        Event::EpochOpened(_) => record.epoch.0 == 1,
        Event::ProbeAnswered(event) => event.verdict == Some(ProbeVerdict::Done),
        Event::StepDone(event) => state.step(&event.attempt.step).is_some_and(|(_, step)| step.is_approval()),
        _ => false,
    }
}

/// Whether a failure of this class comes from something that ran: a decision or a template leaves no log.
fn writes_a_log(class: &str) -> bool {
    !matches!(class, "template" | "rejected" | "expired" | "given_up")
}

/// Whether a step in doubt is settled without a person.
fn can_be_settled(state: &RunState, step: &Name) -> bool {
    state.step(step).is_some_and(|(_, step)| match step.effect {
        Effect::Read | Effect::Idempotent | Effect::Keyed => true,
        Effect::Probe => step.can_probe(),
        Effect::Once => false,
    })
}
