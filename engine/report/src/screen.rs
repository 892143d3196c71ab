//! A run for people: what `show` prints.

use crate::show::{instances, standing_error};
use crate::text::{count, shortened, some_of, thousands};
use crate::{Clock, Commands, Head, Liveness, duration, outcome};
use ceptra_flow_core::ids::label;
use ceptra_flow_core::plan::StepPlan;
use ceptra_flow_core::state::{Instance, Question, Status};
use ceptra_flow_core::{RunState, StepIx, Timestamp};
use std::collections::BTreeMap;
use std::fmt;

/// Runs of more steps and instances show only those that are not simply done or waiting.
const ROWS_SHOWN_MAX: usize = 400;
/// Longer labels push their line to the right.
const LABEL_WIDTH_MAX: usize = 32;

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
        self.write_head(out)?;
        self.write_steps(out)?;
        self.write_questions(out)?;
        for line in crate::ending::not_well(self.state) {
            writeln!(out, "not well   {}", shortened(&line, 300))?;
        }
        match self.liveness {
            Liveness::Driven => writeln!(out, "next       nothing: a process drives it"),
            Liveness::Idle => self.commands.write_next(out, self.state),
        }
    }

    fn write_head(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (state, plan) = (self.state, self.state.plan());
        let verdict = outcome(state, self.liveness).as_str().to_uppercase();
        writeln!(
            out,
            "{verdict}: {} on {} ({})",
            plan.runbook.name,
            plan.target.name,
            plan.target.kind.as_str().to_uppercase()
        )?;
        writeln!(out, "run        {}", state.run())?;
        let by = state.started_by().map_or("somebody", |by| by.name.as_str());
        writeln!(out, "started    {} by {by}", self.clock.date_time(state.started_at()))?;
        let took = state.ended_at().unwrap_or(self.now).ms_since(state.started_at());
        let objective = plan.runbook.rto_ms.map_or(String::new(), |rto| format!(", objective {}", duration(rto)));
        writeln!(out, "time       {}{objective}", duration(took))?;
        let (done, all) = state.progress();
        writeln!(out, "progress   {} of {}, epoch {}", thousands(done), count(all, "step"), state.epoch().0)?;
        if let Some(engine) = state.engine().filter(|_| self.liveness == Liveness::Driven) {
            writeln!(out, "driven by  {} on {}, process {}", engine.version, engine.host, engine.pid)?;
        }
        if state.is_paused() {
            writeln!(out, "paused     nothing new starts")?;
        }
        writeln!(out, "head       {} {}", self.head.seq, self.head.hash)
    }

    fn write_steps(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let all = instances(self.state).count();
        let shortens = all > ROWS_SHOWN_MAX;
        let dull = |status: Status| {
            matches!(status, Status::Done | Status::Pending | Status::Blocked | Status::Skipped | Status::Undone)
        };
        let rows = || {
            instances(self.state)
                .filter(|(at, _, one)| !(shortens && dull(self.status(*at, *one))))
                .take(ROWS_SHOWN_MAX)
        };
        let named = |step: &StepPlan, one: Option<&Instance>| label(&step.id, one.and_then(|one| one.key.as_ref()));
        let width =
            rows().map(|(_, step, one)| named(step, one).chars().count()).max().unwrap_or(0).min(LABEL_WIDTH_MAX);
        writeln!(out)?;
        for (at, step, one) in rows() {
            let line = format!(
                "  {:<8}  {:<width$}  {}",
                in_sight(self.status(at, one)),
                named(step, one),
                self.about(at, step, one)
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        if shortens {
            let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
            for (at, _, one) in instances(self.state) {
                *counts.entry(self.status(at, one)).or_default() += 1;
            }
            let counts = counts.iter().map(|(status, number)| format!("{} {}", thousands(*number), status.as_str()));
            writeln!(out, "  in all: {}", some_of(counts, usize::MAX, ", "))?;
        }
        writeln!(out)
    }

    fn status(&self, at: StepIx, instance: Option<&Instance>) -> Status {
        instance.map_or_else(|| self.state.status(at), |instance| instance.status)
    }

    /// What there is to say of a step on the rest of its line.
    fn about(&self, at: StepIx, step: &StepPlan, instance: Option<&Instance>) -> String {
        let mut parts = Vec::new();
        if self.status(at, instance) == Status::Blocked {
            let bad = |need: &&StepIx| matches!(self.state.status(**need), Status::Failed | Status::Blocked);
            let bad = step.needs.iter().filter(bad).map(|need| &self.state.plan().step(*need).id);
            parts.push(format!("needs {}", some_of(bad, 4, ", ")));
        }
        let Some(instance) = instance else {
            parts.extend(step.left_out().map(str::to_owned));
            return parts.join(" · ");
        };
        if let Some(started) = instance.started_at {
            let until = instance.ended_at.unwrap_or(self.now);
            parts.push(duration(until.ms_since(started)));
        }
        if instance.attempts > 1 {
            parts.push(format!("{} attempts", instance.attempts));
        }
        if let Some(error) = standing_error(instance) {
            parts.push(format!("{}: {}", error.class, shortened(&error.message, 200)));
        }
        if let Some(at) = instance.retry_at().filter(|_| instance.status == Status::Running) {
            parts.push(format!("tried again at {}", self.clock.time_of_day(at)));
        }
        if let Some(why) = instance.more.as_ref().and_then(|more| more.skipped.as_ref()) {
            parts.push(shortened(why, 200).into_owned());
        }
        if instance.status == Status::Pending && instance.open_request().is_some() {
            parts.push("waits for a person".to_owned());
        }
        parts.join(" · ")
    }

    fn write_questions(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for question in self.state.questions() {
            write_question(out, &question, self.now, self.commands)?;
        }
        Ok(())
    }
}

/// One question with the commands that answer it.
pub(crate) fn write_question(
    out: &mut dyn fmt::Write,
    question: &Question<'_>,
    now: Timestamp,
    commands: &Commands,
) -> fmt::Result {
    let name = label(question.id, question.key);
    match (question.asked, question.error) {
        (Some(asked), _) => {
            writeln!(out, "waits for you: {name}")?;
            crate::text::indented(out, "  ", &asked.prompt)?;
            crate::phrases::write_terms(out, "  ", asked, now)?;
        }
        (None, Some(error)) => {
            writeln!(out, "waits for you: {name}\n  nobody knows how it ended: {}", shortened(&error.message, 300))?
        }
        (None, None) => writeln!(out, "waits for you: {name}\n  nobody knows how it ended")?,
    }
    for answer in commands.answers(question) {
        writeln!(out, "  $ {answer}")?;
    }
    writeln!(out)
}

/// A status as it stands in a column: what is not well stands out.
fn in_sight(status: Status) -> String {
    match status {
        Status::Failed | Status::Unknown | Status::Stuck => status.as_str().to_uppercase(),
        Status::Pending
        | Status::Running
        | Status::Done
        | Status::Skipped
        | Status::Blocked
        | Status::Undoing
        | Status::Undone => status.as_str().to_owned(),
    }
}
