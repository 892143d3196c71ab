//! `completions`: what a shell needs to complete this command line.

use crate::app::App;
use crate::args::Cli;
use crate::exit::{CommandError, Exit};
use clap::CommandFactory as _;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ceptra-flow", &mut script);
    app.console.result(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
