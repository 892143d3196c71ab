//! `pause`: start nothing new until `resume`.

use crate::app::App;
use crate::args::{Deciding, RunArg};
use crate::decide;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::input::Operation;

/// Let a run start nothing new; `resume` ends the pause
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    decide::post(app, args.run.run.as_deref(), &args.deciding, |_| Ok(Operation::Pause))
}
