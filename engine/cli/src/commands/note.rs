//! `note`: words for the record.

use crate::app::App;
use crate::args::{Deciding, run_and};
use crate::decide;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::input::Operation;

/// Put a remark into a run's journal
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (left out: the newest that is not finished) and the remark
    #[arg(value_name = "[RUN] TEXT", num_args = 1..=2, required = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    words: Vec<String>,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    let (run, text) = run_and(&args.words);
    decide::post(app, run, &args.deciding, |_| Ok(Operation::Note { text: text.to_owned() }))
}
