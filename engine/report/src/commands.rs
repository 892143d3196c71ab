//! The commands that go on, spelled so that they can be pasted.

use crate::text::shell_word;
use ceptra_flow_core::event::{ApprovalRequested, Outcome};
use ceptra_flow_core::ids::{Name, label};
use ceptra_flow_core::plan::StepPlan;
use ceptra_flow_core::state::{Question, QuestionKind, Status};
use ceptra_flow_core::{Json, RunState, StepIx};
use serde_json::Value;
use std::fmt;

/// Spells commands for one run, with whatever is needed to reach it from another shell.
#[derive(Clone, Debug)]
pub struct Commands {
    run: String,
    suffix: String,
}

impl Commands {
    /// Commands for this run. `state_dir` is what `--state` was given, if it was: the commands repeat it.
    #[must_use]
    pub fn new(run: &str, state_dir: Option<&str>) -> Self {
        let suffix = state_dir.map_or(String::new(), |dir| format!(" --state {}", shell_word(dir)));
        Self { run: run.to_owned(), suffix }
    }

    fn of_run(&self, verb: &str) -> String {
        format!("ceptra-flow {verb} {}{}", self.run, self.suffix)
    }

    fn of_step(&self, verb: &str, step: &Name, key: Option<&Name>, more: &str) -> String {
        format!("ceptra-flow {verb} {} {}{more}{}", self.run, shell_word(&label(step, key)), self.suffix)
    }

    /// Goes on.
    #[must_use]
    pub fn resume(&self) -> String {
        self.of_run("resume")
    }

    /// Tries a failed step again, and goes on.
    #[must_use]
    pub fn retry(&self, step: &Name, key: Option<&Name>) -> String {
        format!("{} --retry {}", self.of_run("resume"), shell_word(&label(step, key)))
    }

    /// Shows where everything stands.
    #[must_use]
    pub fn show(&self) -> String {
        self.of_run("show")
    }

    /// What happened, with evidence.
    #[must_use]
    pub fn report(&self) -> String {
        self.of_run("report")
    }

    /// Checks the records.
    #[must_use]
    pub fn audit(&self) -> String {
        self.of_run("audit")
    }

    /// What a step wrote.
    #[must_use]
    pub fn logs(&self, step: &Name, key: Option<&Name>) -> String {
        self.of_step("logs", step, key, "")
    }

    /// The answers that a question can be given, the favourable one first.
    #[must_use]
    pub fn answers(&self, question: &Question<'_>) -> Vec<String> {
        self.answers_to(question.kind, question.id, question.key, question.asked)
    }

    pub(crate) fn answers_to(
        &self,
        kind: QuestionKind,
        step: &Name,
        key: Option<&Name>,
        asked: Option<&ApprovalRequested>,
    ) -> Vec<String> {
        let fields = asked.map_or(String::new(), wanted_fields);
        let resolve = |how: &str| self.of_step("resolve", step, key, how);
        match kind {
            QuestionKind::Approval => {
                let yes = |more: &str| self.of_step("approve", step, key, &format!("{more}{fields}"));
                let choices = asked.iter().flat_map(|asked| &asked.choices);
                let mut answers: Vec<String> =
                    choices.map(|choice| yes(&format!(" --choice {}", shell_word(choice)))).collect();
                if answers.is_empty() {
                    answers.push(yes(""));
                }
                answers.push(self.of_step("reject", step, key, " --reason WHY"));
                answers
            }
            QuestionKind::Manual => vec![resolve(&format!(" --done{fields}")), resolve(" --not-done --reason WHY")],
            QuestionKind::Verdict | QuestionKind::Stuck => {
                [" --done", " --not-done", " --skip"].map(|how| resolve(&format!("{how} --reason WHY"))).into()
            }
        }
    }

    /// The one command that goes on from here; `None` when the run ended well or was given up. Where only a person can tell how
    /// a step ended, it is what goes on once they have.
    #[must_use]
    pub fn next(&self, state: &RunState) -> Option<String> {
        match state.outcome() {
            Some(Outcome::Done | Outcome::Cancelled) => return None,
            Some(Outcome::Failed) => return self.next_after_failure(state),
            None if state.is_paused() => return Some(self.resume()),
            None => {}
        }
        let Some(question) = state.questions().next() else { return Some(self.resume()) };
        match question.kind {
            QuestionKind::Approval | QuestionKind::Manual => {
                let answer = self.answers(&question).swap_remove(0);
                Some(format!("{answer} && {}", self.resume()))
            }
            // Which answer is true is not for us to suggest.
            QuestionKind::Verdict | QuestionKind::Stuck => Some(self.resume()),
        }
    }

    /// The line that says how to go on, or where the evidence is.
    pub(crate) fn write_next(&self, out: &mut dyn fmt::Write, state: &RunState) -> fmt::Result {
        let Some(next) = self.next(state) else { return writeln!(out, "evidence   {}", self.report()) };
        let first = state.questions().next().filter(|_| !state.is_paused());
        match first.filter(|question| matches!(question.kind, QuestionKind::Verdict | QuestionKind::Stuck)) {
            Some(question) => {
                let look = self.logs(question.id, question.key);
                writeln!(out, "next       find out how it ended ({look}), say so as above, then\n           {next}")
            }
            None => writeln!(out, "next       {next}"),
        }
    }

    fn next_after_failure(&self, state: &RunState) -> Option<String> {
        let failed = |(at, step): (StepIx, &StepPlan)| {
            let instance = state.instances(at).iter().find(|instance| instance.status == Status::Failed)?;
            Some(self.retry(&step.id, instance.key.as_ref()))
        };
        // What was reversed is not tried again: the next run is a new one.
        state.plan().places().find_map(failed).filter(|_| state.undo().is_none())
    }
}

/// The typed answers that a question wants, as options; those with a default may be left out.
fn wanted_fields(asked: &ApprovalRequested) -> String {
    let Some(Value::Object(fields)) = asked.fields.as_ref().map(Json::value) else { return String::new() };
    let wanted = fields.iter().filter(|(_, declared)| declared.get("default").is_none());
    wanted.map(|(name, _)| format!(" --field {}", shell_word(&format!("{name}=VALUE")))).collect()
}
