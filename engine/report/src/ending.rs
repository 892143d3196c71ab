//! The last lines of a run: the verdict, what was recovered, the time it took, what is not well, and what goes on.

use crate::show::instances;
use crate::text::{count, shortened, some_of, thousands};
use crate::{Blobs, Commands, CutoverView, Liveness, RunOutcome, cutover, duration, outcome, screen};
use ceptra_flow_core::state::Status;
use ceptra_flow_core::{RunState, Timestamp};
use std::fmt;

/// Names in a list before the rest is counted.
const NAMES_MAX: usize = 8;
/// Lines of what is not well; `show` has all.
const REASONS_MAX: usize = 8;

/// The last lines of `run` and `resume`.
pub struct Ending<'a> {
    /// The run.
    pub state: &'a RunState,
    /// Whether somebody still drives it (after `--detach`).
    pub liveness: Liveness,
    /// Now.
    pub now: Timestamp,
    /// How commands are spelled.
    pub commands: &'a Commands,
    /// Where the report was written, if it was.
    pub report: Option<&'a str>,
    /// Documents kept beside the journal.
    pub blobs: Blobs<'a>,
}

impl Ending<'_> {
    /// Writes them.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (state, plan) = (self.state, self.state.plan());
        let verdict = outcome(state, self.liveness);
        let kind = plan.target.kind.as_str().to_uppercase();
        let shouted = verdict.as_str().to_uppercase();
        writeln!(out, "{shouted}: {} on {} ({kind}), run {}", plan.runbook.name, plan.target.name, state.run())?;
        if let Some(done) = cutover(state, self.blobs).and_then(|json| json.parse::<CutoverView>().ok()) {
            write_recovered(out, &done)?;
        }
        writeln!(out, "steps      {}", steps_in_words(state))?;
        writeln!(out, "time       {}", self.time_in_words(verdict))?;
        if let Some(report) = self.report {
            writeln!(out, "report     {report}")?;
        }
        self.write_not_well(out)?;
        if state.is_paused() && state.outcome().is_none() {
            writeln!(out, "paused     nothing new starts before it is resumed")?;
        }
        for question in state.questions() {
            screen::write_question(out, &question, self.now, self.commands)?;
        }
        self.write_next(out, verdict)
    }

    fn time_in_words(&self, verdict: RunOutcome) -> String {
        let state = self.state;
        let took = state.ended_at().unwrap_or(self.now).ms_since(state.started_at());
        against(took, state.plan().runbook.rto_ms, verdict)
    }

    /// What did not hold; a run that goes on has not said its reasons yet.
    fn write_not_well(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let state = self.state;
        let found = not_well(state);
        for line in found.iter().take(REASONS_MAX) {
            writeln!(out, "not well   {}", shortened(line, 300))?;
        }
        if found.len() > REASONS_MAX {
            writeln!(out, "           and {} more: {}", found.len() - REASONS_MAX, self.commands.show())?;
        }
        Ok(())
    }

    fn write_next(&self, out: &mut dyn fmt::Write, verdict: RunOutcome) -> fmt::Result {
        if verdict == RunOutcome::Running {
            return writeln!(out, "next       another process drives it; to look: {}", self.commands.show());
        }
        self.commands.write_next(out, self.state)
    }
}

/// A time against its objective: only what ended well can have met it.
pub(crate) fn against(took: u64, objective: Option<u64>, verdict: RunOutcome) -> String {
    let so_far = match verdict {
        RunOutcome::Done | RunOutcome::Failed | RunOutcome::Cancelled => "",
        RunOutcome::Running | RunOutcome::Parked | RunOutcome::Interrupted => " so far",
    };
    let Some(rto) = objective else { return format!("{}{so_far}; no objective", duration(took)) };
    let judged = match verdict {
        _ if took > rto => format!(": EXCEEDED by {}", duration(took - rto)),
        RunOutcome::Done => ": OK".to_owned(),
        RunOutcome::Failed | RunOutcome::Cancelled => ": NOT MET".to_owned(),
        RunOutcome::Running | RunOutcome::Parked | RunOutcome::Interrupted => String::new(),
    };
    format!("{}{so_far}; objective {}{judged}", duration(took), duration(rto))
}

fn write_recovered(out: &mut dyn fmt::Write, done: &CutoverView) -> fmt::Result {
    let listed = |names: &[String]| some_of(names, NAMES_MAX, ", ");
    writeln!(out, "recovered  {} → {}, epoch {}", done.primary_cluster, done.dr_cluster, done.reconciled_epoch)?;
    writeln!(out, "           {} fenced: {}", count(done.fenced_groups.len(), "group"), listed(&done.fenced_groups))?;
    let shipments = count(done.verified_shipments.len(), "WAL shipment");
    writeln!(out, "           {shipments} verified: {}", listed(&done.verified_shipments))?;
    let routes = count(done.ingress_rerouted.len(), "route");
    writeln!(out, "           {routes} to {}: {}", done.dr_cluster, listed(&done.ingress_rerouted))
}

/// How many steps ended how.
pub(crate) fn steps_in_words(state: &RunState) -> String {
    let (well, all) = state.progress();
    let mut text = format!("{} of {}", thousands(well), thousands(all));
    let mut instances_done = 0_usize;
    let mut again = 0_usize;
    let mut skipped = 0_usize;
    for (_, _, instance) in instances(state) {
        let Some(instance) = instance else { continue };
        instances_done += usize::from(instance.status == Status::Done && instance.key.is_some());
        skipped += usize::from(instance.status == Status::Skipped);
        again += usize::from(instance.tries > 1);
    }
    skipped += state
        .plan()
        .places()
        .filter(|(at, _)| state.instances(*at).is_empty() && state.status(*at) == Status::Skipped)
        .count();
    let notes = [(instances_done, "instances"), (skipped, "skipped"), (again, "tried more than once")];
    let notes =
        notes.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} {what}", thousands(*number)));
    let notes = some_of(notes, usize::MAX, ", ");
    if !notes.is_empty() {
        text.push_str(&format!(" ({notes})"));
    }
    text
}

/// Everything that did not end well so far, in the plan's order.
pub(crate) fn not_well(state: &RunState) -> Vec<String> {
    if state.outcome().is_some() {
        return state.reasons().to_vec();
    }
    let bad = instances(state).filter_map(|(_, step, instance)| {
        let instance = instance.filter(|instance| matches!(instance.status, Status::Failed | Status::Stuck))?;
        let why = instance.error().map_or("", |error| error.message.as_str());
        let name = ceptra_flow_core::ids::label(&step.id, instance.key.as_ref());
        Some(format!("`{name}` is {}: {why}", instance.status.as_str()))
    });
    bad.collect()
}
