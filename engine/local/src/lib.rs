//! The local driver: waits for the world, hands what it hears to the scheduler, makes the decision durable, carries it out.
//!
//! Decides nothing: the scheduler in `core` does. Prints nothing: an [`Observer`] is told. Start at [`run`] and [`resume`].

mod asking;
mod carried;
mod drive;
mod guard;
mod locks;
mod polling;
pub mod settings;
mod signals;
mod work;

pub use settings::{Asker, DriveError, Ended, Grant, Note, Observer, Settings, Waiting};

use ceptra_flow_core::event::RunStarted;
use ceptra_flow_core::input::{Input, Request};
use ceptra_flow_core::plan::sha256_hex;
use ceptra_flow_core::scheduler::Standing;
use ceptra_flow_core::{Json, Name, Plan, RunState, Scheduler, Timestamp};
use ceptra_flow_runbook::Evaluator;
use ceptra_flow_state::{Journal, Owned, RunId, Store, Who};
use drive::Drive;
use std::time::{SystemTime, UNIX_EPOCH};

/// Starts a run of a plan and drives it until it ends, parks or is interrupted.
///
/// # Errors
/// See [`DriveError`]; what was recorded before stays.
pub fn run(
    store: &Store,
    run: &RunId,
    plan: Plan,
    path: Option<&str>,
    settings: Settings<'_>,
) -> Result<Ended, DriveError> {
    let who = who(&settings);
    guard::check(run.as_str(), &plan, &settings)?;
    let run_locks = locks::for_run(store, run, &plan, &who)?;
    let owned = store.create_run(run, &who)?;
    let evaluator = evaluator(&plan, &owned, &settings);
    let text = Json::of(&plan);
    drop(plan);
    let started = RunStarted {
        run: Name::from(run.to_string()),
        digest: sha256_hex(text.as_str().as_bytes()),
        by: settings.by.clone(),
        path: path.map(str::to_owned),
        plan: text,
    };
    let (scheduler, first) = Scheduler::start(started, settings.engine.clone(), &evaluator, now())?;
    let drive = Drive::new(store, owned, scheduler, evaluator, who, settings)?;
    let ended = drive.until_rest(first, Vec::new());
    drop(run_locks);
    ended
}

/// Takes a run over and goes on with it. `asked` are requests that go in first (`--retry STEP`, `undo`, …).
///
/// # Errors
/// See [`DriveError`].
pub fn resume(
    store: &Store,
    run: &RunId,
    asked: Vec<Request>,
    mut settings: Settings<'_>,
) -> Result<Ended, DriveError> {
    let who = who(&settings);
    let mut owned = store.open_run(run, &who)?;
    drop(settings.until_taken.take());
    let mut state = RunState::default();
    for record in owned.records() {
        state.apply(&record?)?;
    }
    if !state.has_started() {
        return Err(DriveError::Corrupt(ceptra_flow_core::state::Corrupt::NoStart(0)));
    }
    if let Some(outcome) = state.outcome()
        && asked.is_empty()
        && owned.inbox()?.poll()?.is_empty()
    {
        // Nobody asks anything of a run that is over: it is left as it is, without another epoch.
        return Ok(Ended { standing: Standing::Ended(outcome), state });
    }
    guard::check(run.as_str(), state.plan(), &settings)?;
    let run_locks = locks::for_run(store, run, state.plan(), &who)?;
    let evaluator = evaluator(state.plan(), &owned, &settings);
    let mut scheduler = Scheduler::resume(state);
    let opened = Input::Opened {
        epoch: owned.epoch(),
        by: settings.by.clone(),
        engine: settings.engine.clone(),
        go_on: settings.go_on,
    };
    let first = scheduler.handle(now(), opened, &evaluator)?;
    let drive = Drive::new(store, owned, scheduler, evaluator, who, settings)?;
    let ended = drive.until_rest(first, asked);
    drop(run_locks);
    ended
}

fn who(settings: &Settings<'_>) -> Who {
    Who { user: settings.by.name.clone(), host: settings.engine.host.clone(), pid: settings.engine.pid }
}

fn evaluator(plan: &Plan, owned: &Owned, settings: &Settings<'_>) -> Evaluator {
    let blobs = owned.blobs();
    let load = move |blob: &ceptra_flow_core::BlobRef| {
        let bytes = blobs.get(blob).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    };
    Evaluator::new(plan, settings.secrets.clone(), &owned.dir().to_string_lossy(), Box::new(load))
}

/// The driver's clock: UTC, in ms. The core hears of no other.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
