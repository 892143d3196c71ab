//! `resume`: take a run that nobody drives, and go on exactly where it stopped.

use crate::app::App;
use crate::args::{Deciding, RunArg, StepArg};
use crate::decide;
use crate::drive::{DriveArgs, Driver, say_over};
use crate::exit::{CommandError, Exit};
use crate::loaded::{self, Loaded, liveness};
use crate::observer::Source;
use crate::who::Person;
use ceptra_flow_core::input::{Operation, Request};
use ceptra_flow_core::plan::sha256_hex;
use ceptra_flow_report::Liveness;
use ceptra_flow_state::{RunId, Store};

/// Go on with a run exactly where it stopped
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Try this failed step again
    #[arg(long, value_name = "STEP")]
    retry: Vec<StepArg>,
    #[command(flatten)]
    drive: DriveArgs,
    /// Adopt the edited runbook (a later version)
    #[arg(long, hide = true)]
    replan: bool,
    /// Keep a finished step whose definition changed (a later version)
    #[arg(long, hide = true, value_name = "STEP")]
    accept: Vec<String>,
    /// Take the run from whoever drives it (a later version)
    #[arg(long, hide = true)]
    take_over: bool,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    for (said, name) in [
        (args.replan, "`resume --replan`"),
        (!args.accept.is_empty(), "`resume --accept`"),
        (args.take_over, "`resume --take-over`"),
    ] {
        if said {
            return Err(CommandError::later(name));
        }
    }
    app.find_out_zone();
    let store = app.store()?;
    let (run, reader) = loaded::find_open(app, &store, args.run.run.as_deref())?;
    tell_if_changed(app, &store, &run);
    let asked = retries(&args);
    if liveness(&store, &run)? == Liveness::Driven
        && let Some(exit) = ask_its_driver(app, &store, &run, &args)?
    {
        return Ok(exit);
    }
    for request in &asked {
        // Refused before the run is taken, so that a misspelt step leaves no trace.
        decide::try_out(Loaded::of(&store, &run)?.state, request)?;
    }
    match Driver::of_existing(app, store.clone(), run.clone(), reader, &args.drive, &asked)? {
        Some(driver) => driver.resume(asked, true),
        None => say_over(app, &store, &run, &Loaded::of(&store, &run)?.state),
    }
}

/// A run that somebody drives is not taken from them; but a pause is ended, and a step tried again, where it runs.
fn ask_its_driver(app: &App, store: &Store, run: &RunId, args: &Args) -> Result<Option<Exit>, CommandError> {
    let deciding = Deciding { who: args.drive.who.clone(), reason: None };
    let ask = |what| decide::post(app, Some(run.as_str()), &deciding, |_| Ok(what));
    if Loaded::of(store, run)?.state.is_paused() {
        return ask(Operation::Unpause).map(Some);
    }
    let mut last = None;
    for step in &args.retry {
        let (step, key) = decide::names(step);
        last = Some(ask(Operation::Retry { step, key })?);
    }
    Ok(last)
}

fn retries(args: &Args) -> Vec<Request> {
    let by = Person::of(args.drive.who.as_deref()).actor("command");
    let request = |step: &StepArg| {
        let (step, key) = decide::names(step);
        Request { by: by.clone(), reason: None, what: Operation::Retry { step, key } }
    };
    args.retry.iter().map(request).collect()
}

/// The run keeps its plan; somebody who edited the file should hear it.
fn tell_if_changed(app: &App, store: &Store, run: &RunId) {
    let Some(Source { origin, .. }) = Source::read(&store.run_dir(run)) else { return };
    let now = std::fs::read(&origin.runbook).map(|bytes| sha256_hex(&bytes));
    let what = match now {
        Ok(digest) if digest == origin.runbook_sha256 => return,
        Ok(_) => "has changed",
        Err(_) => "cannot be read any more",
    };
    app.console
        .warn(&format!("`{}` {what} since this run started: it goes on with the plan it began with", origin.runbook));
}
