//! `man`: the manual pages, made from the grammar.

use crate::app::App;
use crate::args::Cli;
use crate::exit::{CommandError, Exit};
use crate::files;
use clap::CommandFactory as _;
use std::path::PathBuf;

/// Print the manual page, or write all of them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write a page per verb into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let command = Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| CommandError::failed(format!("the page cannot be made: {error}"), ""))?;
        app.console.result(&String::from_utf8_lossy(&page));
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .map_err(|error| files::cannot("write", dir, &error))?;
    app.console.say(&format!("manual pages are in {}", dir.display()));
    Ok(Exit::Done)
}
