//! `approve`: yes to a question of a run, or one of its choices.

use crate::app::App;
use crate::args::{Deciding, StepArg, key_value, run_and};
use crate::decide;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::input::Operation;

/// Say yes to what a run asks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (left out: the newest that is not finished) and the step
    #[arg(value_name = "[RUN] STEP", num_args = 1..=2, required = true)]
    words: Vec<String>,
    /// One of the choices that the question offers
    #[arg(long, value_name = "CHOICE")]
    choice: Option<String>,
    /// An answer that the question asks for
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    field: Vec<(String, String)>,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    let (run, step) = run_and(&args.words);
    let step = parse_step(step)?;
    decide::post(app, run, &args.deciding, |state| {
        let fields = decide::fields(decide::open_request(state, &step), &args.field)?;
        let (step, key) = decide::names(&step);
        Ok(Operation::Approve { step, key, choice: args.choice, fields })
    })
}

/// A step's name as it was typed.
pub(crate) fn parse_step(text: &str) -> Result<StepArg, CommandError> {
    text.parse().map_err(|why: String| {
        CommandError::usage(
            format!("`{text}` is no step: {why}"),
            "write STEP or STEP[KEY]; `ceptra-flow show` lists them",
        )
    })
}
