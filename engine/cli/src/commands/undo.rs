//! `undo`: reverse what a run did, latest first; here if nobody drives it.

use crate::app::App;
use crate::args::{Deciding, RunArg};
use crate::commands::approve::parse_step;
use crate::commands::cancel::post_or_drive;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::Name;
use ceptra_flow_core::input::Operation;

/// Reverse what a run did, latest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Down to this step, itself included
    #[arg(long, value_name = "STEP")]
    to: Option<String>,
    /// Even past the point of no return
    #[arg(long)]
    past_point_of_no_return: bool,
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    let to = args.to.as_deref().map(parse_step).transpose()?.map(|step| Name::from(step.id));
    let what = Operation::Undo { to, past_point_of_no_return: args.past_point_of_no_return };
    post_or_drive(app, args.run.run.as_deref(), &args.deciding, what)
}
