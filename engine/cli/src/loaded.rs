//! Which run is meant, and its journal folded.
//!
//! An id, the beginning of one, or nothing: to go on or decide the newest that is not finished, to look the newest.
//! Start at [`find`] and [`Loaded::of`].

use crate::app::App;
use crate::exit::CommandError;
use ceptra_flow_core::{Record, RunState};
use ceptra_flow_report::{Head, Liveness};
use ceptra_flow_state::{Found, Reader, RunId, Store};

/// What the run is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look, report or audit.
    Look,
    /// To go on or decide.
    GoOn,
}

/// The run that is meant.
pub(crate) fn find(app: &App, store: &Store, said: Option<&str>, purpose: Purpose) -> Result<RunId, CommandError> {
    if let Some(said) = said {
        return named(app, store, said);
    }
    match purpose {
        Purpose::Look => store.newest()?.ok_or_else(|| no_runs(app, store)),
        Purpose::GoOn => Ok(newest_open(app, store)?.0),
    }
}

fn named(app: &App, store: &Store, said: &str) -> Result<RunId, CommandError> {
    if said.len() == 36
        && let Ok(run) = RunId::parse(said)
    {
        return Ok(run);
    }
    match store.find(said)? {
        Found::One(run) => Ok(run),
        Found::Nothing => Err(CommandError::usage(
            format!("no run `{said}` in `{}`", store.root().display()),
            format!("`{}` lists those there are", app.command("runs")),
        )),
        Found::Ambiguous(runs) => {
            let runs: Vec<&str> = runs.iter().take(5).map(RunId::as_str).collect();
            Err(CommandError::usage(
                format!("`{said}` is the beginning of several runs"),
                format!("write more of it: {}", runs.join(", ")),
            ))
        }
    }
}

/// The run that is to go on, with a reader of it where one was opened on the way.
pub(crate) fn find_open(app: &App, store: &Store, said: Option<&str>) -> Result<(RunId, Option<Reader>), CommandError> {
    match said {
        Some(said) => Ok((named(app, store, said)?, None)),
        None => {
            let (run, reader) = newest_open(app, store)?;
            Ok((run, Some(reader)))
        }
    }
}

/// A journal that cannot be read may be the one that was meant: nobody wants an older run to go on instead.
fn newest_open(app: &App, store: &Store) -> Result<(RunId, Reader), CommandError> {
    store.newest_open()?.ok_or_else(|| no_runs(app, store))
}

fn no_runs(app: &App, store: &Store) -> CommandError {
    CommandError::usage(
        format!("there is no run in `{}`", store.root().display()),
        format!("`{}` starts one", app.command("run RUNBOOK")),
    )
}

/// A run as its journal has it.
pub(crate) struct Loaded {
    /// Its records, folded.
    pub(crate) state: RunState,
    /// Whether a process drives it.
    pub(crate) liveness: Liveness,
    /// The journal.
    pub(crate) reader: Reader,
}

impl Loaded {
    /// Reads and folds a run.
    pub(crate) fn of(store: &Store, run: &RunId) -> Result<Self, CommandError> {
        let mut state = RunState::default();
        let (reader, liveness) = Self::with(store, run, |record| Ok(state.apply(record)?))?;
        Ok(Self { state, liveness, reader })
    }

    /// Reads a run, giving each record to `take`.
    pub(crate) fn with(
        store: &Store,
        run: &RunId,
        mut take: impl FnMut(&Record) -> Result<(), CommandError>,
    ) -> Result<(Reader, Liveness), CommandError> {
        // Asked first: a run that ends in between is seen as driven and ended, never as neither.
        let liveness = liveness(store, run)?;
        let mut reader = store.read_run(run)?;
        for record in reader.records() {
            take(&record?)?;
        }
        if reader.head().seq.0 == 0 {
            return Err(CommandError::usage(
                format!("run `{run}` has no record yet"),
                "it was never started, or is starting right now: look again",
            ));
        }
        Ok((reader, liveness))
    }

    /// The last record, as views have it.
    pub(crate) fn head(&self) -> Head {
        head_of(self.reader.head())
    }
}

/// A journal's head, as views have it.
pub(crate) fn head_of(head: ceptra_flow_state::Head) -> Head {
    Head { seq: head.seq.0, hash: head.hash.hex() }
}

/// Whether a process drives the run.
pub(crate) fn liveness(store: &Store, run: &RunId) -> Result<Liveness, CommandError> {
    Ok(if store.is_held(run)?.is_some() { Liveness::Driven } else { Liveness::Idle })
}
