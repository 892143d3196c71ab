//! `report`: what happened, with evidence, signed; made afresh from the journal.

use crate::app::App;
use crate::args::RunArg;
use crate::exit::{CommandError, Exit};
use crate::loaded::{self, Purpose};
use crate::{files, reports};
use std::io::Write;
use std::path::PathBuf;

/// Print the incident report of a run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// What the report looks like: markdown or json
    #[arg(long, value_name = "FORMAT", default_value = "markdown", hide_possible_values = true)]
    format: Format,
    /// Write it to a file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Markdown,
    Json,
    Html,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let format = if app.console.is_json() { Format::Json } else { args.format };
    if format == Format::Html {
        return Err(CommandError::later("`report --format html`"));
    }
    let store = app.store()?;
    let run = loaded::find(app, &store, args.run.run.as_deref(), Purpose::Look)?;
    let report = reports::make(&store, &run)?;
    let write = |out: &mut dyn Write| match format {
        Format::Json => reports::write_json(&report, out),
        Format::Markdown | Format::Html => reports::write_markdown(app, &report, out),
    };
    match &args.out {
        Some(path) => files::write_with(path, write)?,
        None => app.console.result_with(write),
    }
    Ok(Exit::Done)
}
