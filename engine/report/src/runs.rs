//! The table of runs.

use crate::text::some_of;
use crate::{Clock, RunOutcome, RunView, duration};
use ceptra_flow_core::Timestamp;
use std::fmt;

/// The table that `runs` prints, in the order given.
///
/// # Errors
/// When the writer fails.
pub fn write_runs(out: &mut dyn fmt::Write, runs: &[RunView], clock: &Clock, now: Timestamp) -> fmt::Result {
    if runs.is_empty() {
        return writeln!(out, "no runs yet");
    }
    let widest = |title: &str, of: fn(&RunView) -> &str| {
        runs.iter().map(|run| of(run).chars().count()).fold(title.len(), usize::max)
    };
    let (run_width, book_width) = (widest("run", |run| &run.run), widest("runbook", |run| &run.runbook));
    let target_width = widest("target", |run| &run.target);
    writeln!(
        out,
        "{:<run_width$}  {:<11}  {:<book_width$}  {:<target_width$}  {:<26}  {:>8}  {:>13}  waits for",
        "run", "outcome", "runbook", "target", "started", "time", "steps"
    )?;
    for run in runs {
        let until = if run.outcome == RunOutcome::Running { now } else { run.last_at };
        let (done, all) = run.progress;
        let waits = some_of(run.questions.iter().map(|question| &question.step), 3, ", ");
        let line = format!(
            "{:<run_width$}  {:<11}  {:<book_width$}  {:<target_width$}  {:<26}  {:>8}  {:>13}  {waits}",
            run.run,
            run.outcome,
            run.runbook,
            run.target,
            clock.date_time(run.started_at),
            duration(until.ms_since(run.started_at)),
            format!("{done}/{all}"),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
