//! `runs`: every run of the store, newest first.

use crate::app::{App, now};
use crate::exit::{self, CommandError, Exit};
use crate::loaded::Loaded;
use ceptra_flow_report::{RunView, write_runs};

/// List runs, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let store = app.store()?;
    let runs = store.runs()?;
    let mut views = Vec::new();
    let mut unreadable = None;
    for run in runs.iter().take(args.limit as usize) {
        match Loaded::of(&store, run) {
            Ok(loaded) => views.push(RunView::summary(&loaded.state, loaded.liveness, loaded.head())),
            Err(error) => {
                app.console.warn(&format!("run {run} cannot be read: {}", exit::describe(&error).0));
                unreadable = Some(exit::exit_of(&error));
            }
        }
    }
    if app.console.is_json() {
        app.console.json(&views);
    } else if views.is_empty() && unreadable.is_none() {
        app.console.result(&format!(
            "no runs in {}; `{}` starts one\n",
            store.root().display(),
            app.command("run RUNBOOK")
        ));
    } else {
        let mut text = String::new();
        write_runs(&mut text, &views, &app.clock(), now()).expect("a String takes everything");
        app.console.result(&text);
        if runs.len() > args.limit as usize {
            app.console.say(&format!("… and {} more; --limit shows them", runs.len() - args.limit as usize));
        }
    }
    Ok(unreadable.unwrap_or(Exit::Done))
}
