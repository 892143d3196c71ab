//! `plan`: what a run would do, without doing it. Writes nothing but the file that `--out` names.

use crate::app::App;
use crate::commands::pictures;
use crate::compile::{self, Asking, Compiled, PlanArgs};
use crate::exit::{CommandError, Exit};
use crate::{files, history};
use ceptra_flow_core::{Plan, StepIx};
use ceptra_flow_report::{PlanView, PlanWords};
use ceptra_flow_runbook::{Known, Preview};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Show what a run would do, in which order, and how sure that is; touch nothing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The runbook
    #[arg(value_name = "RUNBOOK")]
    runbook: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// What the plan looks like: text, json, markdown, mermaid or dot
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    format: Format,
    /// Ask the live target, read-only (a later version)
    #[arg(long, hide = true)]
    probe: bool,
    /// Save the plan, so that `run FILE` carries out exactly that
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
    Mermaid,
    Dot,
    Svg,
    Html,
}

/// A plan in a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The version of this format.
    pub(crate) ceptra_flow_plan: u32,
    /// The plan's digest.
    pub(crate) digest: String,
    /// The runbook's file, absolute.
    pub(crate) runbook: String,
    /// What else the plan was made from.
    pub(crate) args: PlanArgs,
    /// The plan.
    pub(crate) plan: Plan,
}

/// The version of saved plans.
pub(crate) const SAVED_FORMAT: u32 = 1;

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    if args.probe {
        return Err(CommandError::later("`plan --probe`"));
    }
    let format = if app.console.is_json() { Format::Json } else { args.format };
    match format {
        Format::Svg => return Err(CommandError::later("`plan --format svg`")),
        Format::Html => return Err(CommandError::later("`plan --format html`")),
        Format::Text | Format::Json | Format::Markdown | Format::Mermaid | Format::Dot => {}
    }
    let compiled = compile::compile(app, &args.runbook, &args.plan, Asking::Allowed)?;
    if let Some(out) = &args.out {
        save(out, &compiled, &args.plan)?;
    }
    app.console.result(&rendered(app, &compiled, format));
    Ok(Exit::Done)
}

/// The dry run of `run`: the same as `plan`, as text or JSON.
pub(crate) fn show(app: &App, compiled: &Compiled) {
    let format = if app.console.is_json() { Format::Json } else { Format::Text };
    app.console.result(&rendered(app, compiled, format));
}

fn rendered(app: &App, compiled: &Compiled, format: Format) -> String {
    let words = Words::of(&compiled.plan);
    let view = PlanView::new(&compiled.plan, &words, history::estimates(app, &compiled.plan));
    let mut text = match format {
        Format::Json => serde_json::to_string_pretty(&view).expect("a plan has string keys only"),
        Format::Text => {
            let mut text = String::new();
            view.write_text(&mut text, &compiled.why).expect("a String takes everything");
            text
        }
        Format::Markdown => pictures::markdown(&view, &compiled.why),
        Format::Mermaid => pictures::mermaid(&view),
        Format::Dot => pictures::dot(&view),
        Format::Svg | Format::Html => unreachable!("refused before anything is compiled"),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn save(out: &Path, compiled: &Compiled, args: &PlanArgs) -> Result<(), CommandError> {
    let saved = Saved {
        ceptra_flow_plan: SAVED_FORMAT,
        digest: compiled.plan.digest(),
        runbook: compiled.origin.runbook.clone(),
        args: PlanArgs { inputs: args.inputs.iter().map(|path| absolute(path)).collect(), ..args.clone() },
        plan: compiled.plan.clone(),
    };
    // Compact, because the digest covers the plan's own bytes.
    let document = serde_json::to_string(&saved)
        .map_err(|error| CommandError::failed(format!("the plan cannot be saved: {error}"), ""))?;
    files::write(out, &format!("{document}\n"))
}

fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// What the runbook crate knows of a plan's steps.
struct Words<'a> {
    plan: &'a Plan,
    preview: Preview<'a>,
}

impl<'a> Words<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self { plan, preview: Preview::new(plan) }
    }
}

impl PlanWords for Words<'_> {
    fn is_known(&self, step: StepIx) -> bool {
        self.preview.known(step) == Known::Now
    }

    fn with(&self, step: StepIx) -> Value {
        self.preview.with(step)
    }

    fn title(&self, step: StepIx) -> Option<String> {
        let title = self.plan.step(step).more.as_ref()?.title.as_ref()?;
        Some(self.preview.render(title))
    }
}
