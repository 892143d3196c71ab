//! From a runbook's file to its plan: files read, target chosen, inputs gathered, findings printed.
//!
//! `plan`, `run` and the comparison at `resume` all come through here, so that they see the same plan. Touches nothing
//! but the files it reads. Start at [`compile`].

use crate::app::{App, here};
use crate::exit::{CommandError, Exit};
use crate::{diagnostics, files, inputs, target};
use ceptra_flow_core::Plan;
use ceptra_flow_core::plan::sha256_hex;
use ceptra_flow_runbook::{Catalog, Diagnostic, Options, Source, Target};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a plan is made of beside the runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Plan")]
pub(crate) struct PlanArgs {
    /// The environment: a name (manifests/targets/NAME.toml) or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) target: Option<String>,
    /// An input's value
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::args::key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Values of inputs, TOML or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Vec<String>,
    /// Only steps with this tag or id
    #[arg(long, value_name = "TAG|STEP")]
    pub(crate) only: Vec<String>,
    /// Without steps with this tag or id
    #[arg(long, value_name = "TAG|STEP")]
    pub(crate) skip: Vec<String>,
    /// Go no further than this step
    #[arg(long, value_name = "STEP")]
    pub(crate) until: Option<String>,
    /// Steps at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
}

/// A plan, and where it came from.
pub(crate) struct Compiled {
    /// The plan.
    pub(crate) plan: Plan,
    /// Why it is for this target.
    pub(crate) why: String,
    /// What it was made from, to tell later whether that changed.
    pub(crate) origin: Origin,
}

/// What a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The runbook's file, absolute.
    pub(crate) runbook: String,
    /// SHA-256 of its bytes, hex.
    pub(crate) runbook_sha256: String,
}

/// Whether missing inputs may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// At a terminal.
    Allowed,
    /// Never.
    Forbidden,
}

/// The plan of a runbook; everything that is wrong is printed.
pub(crate) fn compile(app: &App, runbook: &Path, args: &PlanArgs, asking: Asking) -> Result<Compiled, CommandError> {
    let bytes = files::read(runbook)?;
    let absolute = std::path::absolute(runbook).unwrap_or_else(|_| runbook.to_path_buf());
    let origin = Origin { runbook: absolute.display().to_string(), runbook_sha256: sha256_hex(&bytes) };
    let name = runbook.display().to_string();
    let text = decode(app, &name, bytes)?;
    let (target, why) = read_target(app, runbook, args.target.as_deref())?;
    let source = Source { name: &name, text: &text };
    let given = inputs::given(app, &source, args, asking)?;
    let options = Options {
        given,
        env: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        only: args.only.clone(),
        skip: args.skip.clone(),
        until: args.until.clone(),
        max_parallel: args.max_parallel,
    };
    let catalog = ceptra_flow_steps::catalog();
    let (plan, found) = ceptra_flow_runbook::compile(&source, &Catalog(&catalog), &target, &options);
    diagnostics::print(&app.console, &found, &name, &text);
    match plan {
        Some(plan) => Ok(Compiled { plan, why, origin }),
        None => Err(refused(&found, &name, "nothing was started")),
    }
}

/// Where a target comes from, and what it is.
fn read_target(app: &App, runbook: &Path, flag: Option<&str>) -> Result<(Target, String), CommandError> {
    let variable = std::env::var("CEPTRA_FLOW_TARGET").ok();
    let chosen = target::choose(flag, variable.as_deref(), runbook, &here())?;
    let text = decode(app, &chosen.name, chosen.bytes)?;
    let (target, found) = Target::parse(&Source { name: &chosen.name, text: &text });
    diagnostics::print(&app.console, &found, &chosen.name, &text);
    match target {
        Some(target) => Ok((target, chosen.why)),
        None => Err(refused(&found, &chosen.name, "nothing was started")),
    }
}

fn decode(app: &App, name: &str, bytes: Vec<u8>) -> Result<String, CommandError> {
    ceptra_flow_runbook::decode(name, bytes).map_err(|found| {
        diagnostics::print(&app.console, std::slice::from_ref(&found), name, "");
        refused(&[*found], name, "nothing was started")
    })
}

/// How many mistakes a file has, and that therefore nothing happened.
pub(crate) fn refused(found: &[Diagnostic], name: &str, hence: &str) -> CommandError {
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    let errors = ceptra_flow_report::text::count(errors, "error");
    CommandError::Plain { exit: Exit::BadInput, message: format!("{errors} in {name}: {hence}"), help: String::new() }
}

/// `TARGET     lab · LAB · nothing names another`: the first line of every plan and run.
pub(crate) fn target_line(plan: &Plan, why: &str) -> String {
    format!("TARGET     {} · {} · {why}", plan.target.name, plan.target.kind.as_str().to_uppercase())
}
