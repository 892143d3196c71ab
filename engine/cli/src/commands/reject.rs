//! `reject`: no to a question of a run; the step fails.

use crate::app::App;
use crate::args::{Deciding, run_and};
use crate::commands::approve::parse_step;
use crate::decide;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::input::Operation;

/// Say no to what a run asks; the step then fails
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (left out: the newest that is not finished) and the step
    #[arg(value_name = "[RUN] STEP", num_args = 1..=2, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    let (run, step) = run_and(&args.words);
    let (step, key) = decide::names(&parse_step(step)?);
    decide::post(app, run, &args.deciding, |_| Ok(Operation::Reject { step, key }))
}
