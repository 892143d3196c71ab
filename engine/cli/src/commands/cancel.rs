//! `cancel`: give a run up; its `finally` steps run, here if nobody drives it.

use crate::app::App;
use crate::args::{Deciding, RunArg};
use crate::decide;
use crate::drive::{DriveArgs, Driver, say_over};
use crate::exit::{CommandError, Exit};
use crate::loaded::{self, Loaded, Purpose};
use ceptra_flow_core::input::Operation;
use ceptra_flow_report::Liveness;

/// Give a run up: stop what runs, then its `finally` steps
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    post_or_drive(app, args.run.run.as_deref(), &args.deciding, Operation::Cancel)
}

/// Asks a live run, or takes one that nobody drives and carries the request out.
pub(crate) fn post_or_drive(
    app: &App,
    run: Option<&str>,
    deciding: &Deciding,
    what: Operation,
) -> Result<Exit, CommandError> {
    let store = app.store()?;
    let run = loaded::find(app, &store, run, Purpose::GoOn)?;
    let loaded = Loaded::of(&store, &run)?;
    if loaded.liveness == Liveness::Driven {
        return decide::post(app, Some(run.as_str()), deciding, |_| Ok(what));
    }
    let request = decide::request(deciding, what);
    decide::try_out(loaded.state, &request)?;
    let args = DriveArgs { who: deciding.who.clone(), ..DriveArgs::default() };
    let asked = vec![request];
    match Driver::of_existing(app, store.clone(), run.clone(), None, &args, &asked)? {
        Some(driver) => driver.resume(asked, true),
        None => say_over(app, &store, &run, &Loaded::of(&store, &run)?.state),
    }
}
