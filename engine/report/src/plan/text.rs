//! A plan for people: one screen that says what matters, then every step.

use super::request::request;
use super::unproven::unproven;
use super::{Estimate, PlanView};
use crate::text::{count, shortened, some_of, thousands};
use crate::time::duration;
use ceptra_flow_core::StepIx;
use ceptra_flow_core::plan::{Approval, StepPlan};
use std::fmt::{self, Write as _};

/// Plans of more steps are shortened: nobody reads more at once.
const STEPS_SHOWN_MAX: usize = 300;
/// Of a plan that is shortened: this many waves, and this many steps of each.
const WAVES_SHOWN: usize = 12;
const STEPS_OF_WAVE_SHOWN: usize = 4;
/// Steps of the critical path that are named.
const PATH_SHOWN: usize = 12;
/// Longer ids push their line to the right.
const ID_WIDTH_MAX: usize = 28;

impl PlanView<'_> {
    /// For people. `why_target` says why it is this target (`from --target`, `the default`, …).
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_text(&self, out: &mut dyn fmt::Write, why_target: &str) -> fmt::Result {
        self.write_summary(out, why_target)?;
        let width = self.plan.steps.iter().map(|step| step.id.chars().count()).max().unwrap_or(0).min(ID_WIDTH_MAX);
        let shortens = self.plan.steps.len() > STEPS_SHOWN_MAX;
        let (waves, each) = if shortens { (WAVES_SHOWN, STEPS_OF_WAVE_SHOWN) } else { (usize::MAX, usize::MAX) };
        for (at, wave) in self.shape.waves.iter().enumerate().take(waves) {
            let together =
                if wave.len() > 1 { format!(", {} side by side", thousands(wave.len())) } else { String::new() };
            writeln!(out, "\nWave {}{together}", at + 1)?;
            self.write_steps(out, wave, each, width)?;
        }
        if self.shape.waves.len() > waves {
            let left: usize = self.shape.waves[waves..].iter().map(Vec::len).sum();
            let more = count(self.shape.waves.len() - waves, "more wave");
            writeln!(out, "\n… and {more} with {}; --format json has them all", count(left, "step"))?;
        }
        let finally: Vec<StepIx> =
            self.plan.places().map(|(at, _)| at).filter(|at| self.plan.is_finally(*at)).collect();
        if !finally.is_empty() {
            writeln!(out, "\nAt the end, whatever happened")?;
            self.write_steps(out, &finally, each, width)?;
        }
        Ok(())
    }

    /// The first screen alone.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_summary(&self, out: &mut dyn fmt::Write, why_target: &str) -> fmt::Result {
        let plan = self.plan;
        let kind = plan.target.kind.as_str().to_uppercase();
        writeln!(out, "TARGET     {} · {kind} · {why_target}", plan.target.name)?;
        writeln!(out, "runbook    {} · {}", plan.runbook.name, plan.runbook.title)?;
        writeln!(out, "steps      {}", self.steps_by_effect())?;
        writeln!(out, "approvals  {}", self.approvals_in_words())?;
        let points = plan
            .steps
            .iter()
            .filter(|step| step.is_point_of_no_return() && step.left_out().is_none())
            .map(|step| &step.id);
        let points = some_of(points, PATH_SHOWN, ", ");
        writeln!(out, "no return  {}", if points.is_empty() { "none" } else { &points })?;
        writeln!(out, "time       {}", self.time_in_words())?;
        writeln!(out, "critical   {}", self.path_in_words())?;
        if let Some(until) = plan.until {
            writeln!(out, "stops      after `{}` and waits for resume (--until)", plan.step(until).id)?;
        }
        let unproven = unproven(plan, &self.shape);
        if unproven.is_empty() {
            writeln!(out, "unproven   nothing")?;
        }
        for (at, line) in unproven.iter().enumerate() {
            writeln!(out, "{:<10} {line}", if at == 0 { "unproven" } else { "" })?;
        }
        writeln!(out, "digest     {}", self.digest)
    }

    fn steps_by_effect(&self) -> String {
        let kinds = [
            (self.effects.read, "only look (read)"),
            (self.effects.idempotent, "can be repeated (idempotent)"),
            (self.effects.keyed, "can be repeated with their key (keyed)"),
            (self.effects.probe, "can be checked (probe)"),
            (self.effects.once, "must happen once (once)"),
        ];
        let all: usize = kinds.iter().map(|(number, _)| number).sum();
        let parts = kinds
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", thousands(*number)));
        let left_out = self.plan.steps.len() - all;
        let mut text = format!("{}: {}", thousands(all), some_of(parts, usize::MAX, ", "));
        if left_out > 0 {
            write!(text, "; {} left out", thousands(left_out)).expect("writing to a String cannot fail");
        }
        text
    }

    fn approvals_in_words(&self) -> String {
        let asked = self.plan.steps.iter().filter(|step| step.left_out().is_none());
        let asked = asked.filter_map(|step| Some(format!("{}{}", step.id, terms(step.approval()?))));
        let text = some_of(asked, PATH_SHOWN, ", ");
        if text.is_empty() { "none".to_owned() } else { text }
    }

    fn time_in_words(&self) -> String {
        let objective = self.plan.runbook.rto_ms.map_or("none".to_owned(), duration);
        let estimate = match &self.estimate {
            None => "unknown (no earlier run on this target)".to_owned(),
            Some(Estimate { p50, p95 }) => {
                format!("{}, at worst {} (p50, p95 of {})", of_seconds(*p50), of_seconds(*p95), count(self.runs, "run"))
            }
        };
        format!("{estimate}; objective {objective}")
    }

    fn path_in_words(&self) -> String {
        let path = &self.critical_path;
        if path.len() <= PATH_SHOWN {
            return format!("{}: {}", count(path.len(), "step"), some_of(path, PATH_SHOWN, " → "));
        }
        let first = some_of(&path[..PATH_SHOWN - 4], PATH_SHOWN, " → ");
        let last = some_of(&path[path.len() - 3..], PATH_SHOWN, " → ");
        format!("{}: {first} → … → {last}", count(path.len(), "step"))
    }

    fn write_steps(&self, out: &mut dyn fmt::Write, steps: &[StepIx], most: usize, width: usize) -> fmt::Result {
        for at in steps.iter().take(most) {
            self.write_step(out, *at, width)?;
        }
        if steps.len() > most {
            writeln!(out, "  … and {} more", thousands(steps.len() - most))?;
        }
        Ok(())
    }

    fn write_step(&self, out: &mut dyn fmt::Write, at: StepIx, width: usize) -> fmt::Result {
        let step = self.plan.step(at);
        let shown = self.shown(at);
        let margin = width + 16;
        let does = request(step, &shown.with);
        match self.words.title(at) {
            Some(title) => {
                writeln!(out, "  {:<width$}  {:<10}  {}", step.id, shown.effect, shortened(&title, 200))?;
                writeln!(out, "{:margin$}{does}", "")?;
            }
            None => writeln!(out, "  {:<width$}  {:<10}  {does}", step.id, shown.effect)?,
        }
        for line in self.words.requests(at) {
            writeln!(out, "{:margin$}→ {line}", "")?;
        }
        let marks = marks(step, shown.known == "later");
        if !marks.is_empty() {
            writeln!(out, "{:margin$}{}", "", marks.join(" · "))?;
        }
        Ok(())
    }

    fn shown(&self, at: StepIx) -> &super::PlanStep {
        let main = self.steps.len();
        if at.at() < main { &self.steps[at.at()] } else { &self.finally[at.at() - main] }
    }
}

/// What is special about a step.
fn marks(step: &StepPlan, is_later: bool) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(why) = step.left_out() {
        marks.push(format!("LEFT OUT: {why}"));
    }
    if step.is_point_of_no_return() {
        marks.push("POINT OF NO RETURN".to_owned());
    }
    if let Some(approval) = step.approval().filter(|_| !step.is_approval()) {
        marks.push(format!("asked first: {}{}", shortened(&approval.prompt, 120), terms(approval)));
    }
    if let Some(each) = step.for_each() {
        let side_by_side = each.max_parallel.map_or(String::new(), |most| format!(", {most} side by side"));
        let over: serde_json::Value = each.over.value();
        let over = over.as_str().map_or_else(|| over.to_string(), str::to_owned);
        marks.push(format!("for each of {}{side_by_side}", shortened(&over, 120)));
    }
    if let Some(when) = step.when() {
        marks.push(format!("only when {}", shortened(when, 120)));
    }
    if is_later {
        marks.push("what is in {{ }} is known later".to_owned());
    }
    marks
}

fn terms(approval: &Approval) -> String {
    let people = if approval.approvers > 1 { format!("{} people", approval.approvers) } else { String::new() };
    let other = if approval.not_initiator { "not who starts it" } else { "" };
    match (people.is_empty(), other.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(" ({people})"),
        (true, false) => format!(" ({other})"),
        (false, false) => format!(" ({people}, {other})"),
    }
}

fn of_seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made from whole milliseconds")]
    let ms = (seconds * 1000.0).round() as u64;
    duration(ms)
}
