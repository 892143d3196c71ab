//! The local driver: waits for the world, hands what it hears to the scheduler, makes the decision durable, carries it out.
//!
//! Decides nothing: the scheduler in `core` does. Prints nothing: an [`Observer`] is told. Start at [`run`] and [`resume`].

pub mod settings;

pub use settings::{Asker, DriveError, Ended, Grant, Note, Observer, Settings, Waiting};

use ceptra_flow_core::Plan;
use ceptra_flow_state::{RunId, Store};

/// Starts a run of a plan and drives it until it ends, parks or is interrupted.
///
/// # Errors
/// See [`DriveError`]; what was recorded before stays.
pub fn run(store: &Store, run: &RunId, plan: &Plan, path: Option<&str>, settings: Settings<'_>) -> Result<Ended, DriveError> {
    let _ = (store, run, plan, path, settings);
    unimplemented!()
}

/// Takes a run over and goes on with it. `asked` are requests that go in first (`--retry STEP`, `undo`, …).
///
/// # Errors
/// See [`DriveError`].
pub fn resume(store: &Store, run: &RunId, asked: Vec<ceptra_flow_core::input::Request>, settings: Settings<'_>) -> Result<Ended, DriveError> {
    let _ = (store, run, asked, settings);
    unimplemented!()
}
