//! `show`: one run, every step, what waits, and the one command that goes on.

use crate::app::{App, now};
use crate::args::RunArg;
use crate::exit::{CommandError, Exit};
use crate::loaded::{self, Loaded, Purpose};
use ceptra_flow_report::{RunView, Show};

/// Show a run: its steps, what waits, and what goes on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let store = app.store()?;
    let run = loaded::find(app, &store, args.run.run.as_deref(), Purpose::Look)?;
    let loaded = Loaded::of(&store, &run)?;
    let head = loaded.head();
    if app.console.is_json() {
        app.console.json(&RunView::new(&loaded.state, loaded.liveness, head));
        return Ok(Exit::Done);
    }
    let (clock, commands) = (app.clock(), app.commands(run.as_str()));
    let show = Show {
        state: &loaded.state,
        liveness: loaded.liveness,
        head: &head,
        clock: &clock,
        now: now(),
        commands: &commands,
    };
    let mut text = String::new();
    show.write(&mut text).expect("a String takes everything");
    app.console.result(&text);
    Ok(Exit::Done)
}
