//! `resolve`: how a step in doubt, a manual step or a stuck undo really ended.

use crate::app::App;
use crate::args::{Deciding, key_value, run_and};
use crate::commands::approve::parse_step;
use crate::decide;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::input::{Operation, Verdict};

/// Say how a step that nobody knows the end of really ended
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (left out: the newest that is not finished) and the step
    #[arg(value_name = "[RUN] STEP", num_args = 1..=2, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    verdict: VerdictArgs,
    /// An answer that a manual step asks for
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    field: Vec<(String, String)>,
    #[command(flatten)]
    deciding: Deciding,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct VerdictArgs {
    /// It happened
    #[arg(long)]
    done: bool,
    /// It did not happen: do it again
    #[arg(long)]
    not_done: bool,
    /// Go on without it
    #[arg(long)]
    skip: bool,
}

impl VerdictArgs {
    fn verdict(&self) -> Verdict {
        match (self.done, self.not_done) {
            (true, _) => Verdict::Done,
            (false, true) => Verdict::NotDone,
            (false, false) => Verdict::Skip,
        }
    }
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    let (run, step) = run_and(&args.words);
    let step = parse_step(step)?;
    let verdict = args.verdict.verdict();
    decide::post(app, run, &args.deciding, |state| {
        let fields = match verdict {
            Verdict::Done => decide::fields(decide::open_request(state, &step), &args.field)?,
            Verdict::NotDone | Verdict::Skip => None,
        };
        let (step, key) = decide::names(&step);
        Ok(Operation::Resolve { step, key, verdict, fields })
    })
}
