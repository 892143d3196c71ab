//! What earlier runs tell about how long a plan will take.
//!
//! Reads only: a few of the newest runs, none that is large or still written to. A store that cannot be read tells nothing.
//! Start at [`estimates`].

use crate::app::App;
use crate::loaded::Loaded;
use ceptra_flow_core::event::Outcome;
use ceptra_flow_core::{Plan, RunState};
use ceptra_flow_report::Estimates;
use ceptra_flow_state::{RunId, Store};
use std::fs;

/// Older runs tell little of today's environment.
const RUNS_MAX: usize = 20;
/// A plan is wanted at once: reading runs of more than some thousand steps takes too long.
const JOURNAL_BYTES_MAX: u64 = 2 << 20;

/// From the newest runs of the same runbook on the same target that ended well.
pub(crate) fn estimates(app: &App, plan: &Plan) -> Option<Estimates> {
    let store = app.store().ok()?;
    let states: Vec<RunState> = newest(&store).iter().filter_map(|run| finished(&store, run, plan)).collect();
    Estimates::from_runs(&states)
}

fn newest(store: &Store) -> Vec<RunId> {
    let entries = fs::read_dir(store.root().join("runs")).into_iter().flatten().flatten();
    let mut runs: Vec<RunId> = entries
        .filter_map(|entry| RunId::parse(entry.file_name().to_str()?).ok())
        .filter(|run| is_quick(store, run))
        .collect();
    runs.sort_unstable_by(|one, other| other.cmp(one));
    runs.truncate(RUNS_MAX);
    runs
}

/// Whether a run's journal is small, and at rest: one with a log beside it is being written, or was cut off.
fn is_quick(store: &Store, run: &RunId) -> bool {
    let dir = store.run_dir(run);
    let length = |name: &str| fs::metadata(dir.join(name)).map(|metadata| metadata.len());
    length("journal.db").is_ok_and(|length| length <= JOURNAL_BYTES_MAX)
        && length("journal.db-wal").map_or(true, |length| length == 0)
}

fn finished(store: &Store, run: &RunId, plan: &Plan) -> Option<RunState> {
    let state = Loaded::of(store, run).ok()?.state;
    let same = state.plan().runbook.name == plan.runbook.name && state.plan().target.name == plan.target.name;
    (same && state.outcome() == Some(Outcome::Done)).then_some(state)
}
