//! `run`: check, plan, confirm, execute.

use crate::app::App;
use crate::commands::plan::{self, SAVED_FORMAT, Saved};
use crate::compile::{self, Asking, Compiled, PlanArgs, target_line};
use crate::drive::{DriveArgs, Driver, confirmation};
use crate::exit::{CommandError, Exit};
use crate::rehearsal::Ready;
use crate::{files, inputs, rehearsal};
use ceptra_flow_core::plan::TargetKind;
use ceptra_flow_core::{Effect, Plan};
use ceptra_flow_report::text::count;
use ceptra_flow_state::{RunId, Store};
use std::path::{Path, PathBuf};

/// Check, plan, confirm and carry out a runbook
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The runbook, or a plan saved with `plan --out`
    #[arg(value_name = "RUNBOOK")]
    runbook: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    drive: DriveArgs,
    /// Show the plan and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on in the background (a later version)
    #[arg(long, hide = true)]
    detach: bool,
    /// What has gone wrong in the rehearsal lab (default: what the runbook is for)
    #[arg(long, value_name = "FAULT", help_heading = "Rehearsal lab")]
    lab_fault: Option<String>,
    /// The same seed gives the same lab
    #[arg(long, value_name = "N", help_heading = "Rehearsal lab")]
    lab_seed: Option<u64>,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    if args.detach {
        return Err(CommandError::later("`run --detach`"));
    }
    let asking = if args.dry_run || !args.drive.yes { Asking::Allowed } else { Asking::Forbidden };
    let compiled = match saved_plan(&args.runbook) {
        Some(saved) => recompile(app, saved?, &args.plan)?,
        None => compile::compile(app, &args.runbook, &args.plan, asking)?,
    };
    if args.dry_run {
        plan::show(app, &compiled);
        return Ok(Exit::Done);
    }
    let Compiled { plan, why, origin } = compiled;
    app.console.say(&target_line(&plan, &why));
    let lab = wanted_lab(&plan, &args)?;
    let secrets = inputs::secrets(&plan.secrets)?;
    confirm(app, &plan, &args.drive)?;
    let store = app.store()?;
    store.check_writable()?;
    let run = RunId::fresh();
    let lab = lab.map(|config| start_lab(app, &store, &run, &config)).transpose()?;
    Driver::of_new(app, store, run, &args.drive, secrets, lab).start(plan, origin)
}

/// The lab that the plan needs. Asked before anything is made, so that a fault without a lab is bad input.
fn wanted_lab(plan: &Plan, args: &Args) -> Result<Option<ceptra_flow_lab::LabConfig>, CommandError> {
    let config = rehearsal::config(plan, args.lab_fault.as_deref(), args.lab_seed)?;
    if rehearsal::is_needed(plan) {
        return Ok(Some(config));
    }
    if args.lab_fault.is_some() || args.lab_seed.is_some() {
        return Err(CommandError::usage(
            "this plan uses no rehearsal lab, so it can have no fault and no seed",
            "leave out --lab-fault and --lab-seed, or use `--target lab`",
        ));
    }
    Ok(None)
}

fn start_lab(
    app: &App,
    store: &Store,
    run: &RunId,
    config: &ceptra_flow_lab::LabConfig,
) -> Result<(PathBuf, Ready), CommandError> {
    let dir = rehearsal::dir_of(store, run);
    let size =
        format!("{}, {} replicas each, two regions", count(config.groups as usize, "partition group"), config.replicas);
    app.console.say(&format!("lab {}: {size} … starting", config.scenario));
    rehearsal::create(&dir, config)?;
    let ready = rehearsal::start(&dir)?;
    Ok((dir, ready))
}

/// Before anything real: what is about to happen, and a name to be typed.
fn confirm(app: &App, plan: &Plan, args: &DriveArgs) -> Result<(), CommandError> {
    let Some(wanted) = confirmation(plan) else { return Ok(()) };
    if args.yes {
        app.console.say("confirmed with --yes");
        return Ok(());
    }
    if !app.console.can_ask() {
        return Err(CommandError::usage(
            format!(
                "a run on {} must be confirmed by typing `{wanted}`, and nobody sits at a terminal here",
                plan.target.name
            ),
            "start it from a terminal, or answer with --yes",
        ));
    }
    app.console.trouble(&about_to_happen(plan));
    match app.console.ask(&format!("type {wanted} to go on: ")) {
        Some(typed) if typed == wanted => Ok(()),
        Some(_) | None => Err(CommandError::usage(
            "not confirmed, so nothing was started",
            format!("start it again and type {wanted}"),
        )),
    }
}

fn about_to_happen(plan: &Plan) -> String {
    let changing = plan.steps.iter().filter(|step| step.left_out().is_none() && !step.effect.is_read()).count();
    let once = plan.steps.iter().filter(|step| step.left_out().is_none() && step.effect == Effect::Once).count();
    let approvals = plan.steps.iter().filter(|step| step.approval().is_some()).count();
    let point = plan.steps.iter().find(|step| step.is_point_of_no_return());
    let kind = if plan.target.kind == TargetKind::Production { "PRODUCTION" } else { "a staging target" };
    let mut text = format!(
        "\nabout to run `{}` on {} ({kind}):\n  {} of {} change something, {once} of them must never be repeated\n  {} by a person\n",
        plan.runbook.title,
        plan.target.name,
        changing,
        count(plan.steps.len(), "step"),
        count(approvals, "decision"),
    );
    if let Some(point) = point {
        text.push_str(&format!("  no way back after `{}`\n", point.id));
    }
    text
}

/// A saved plan, if the file is one.
fn saved_plan(path: &Path) -> Option<Result<Saved, CommandError>> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return None;
    }
    Some(files::read(path).and_then(|bytes| {
        let wrong = |what: String| {
            CommandError::usage(
                format!("`{}` is no saved plan: {what}", path.display()),
                "make one with `ceptra-flow plan RUNBOOK --out FILE`",
            )
        };
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if saved.ceptra_flow_plan == SAVED_FORMAT {
            Ok(saved)
        } else {
            Err(wrong(format!("its format is {}, this version knows {SAVED_FORMAT}", saved.ceptra_flow_plan)))
        }
    }))
}

/// The plan that a saved one gives today; refused where that is another.
fn recompile(app: &App, saved: Saved, said: &PlanArgs) -> Result<Compiled, CommandError> {
    if *said != PlanArgs::default() {
        return Err(CommandError::usage(
            "a saved plan is closed: its target, inputs and choices are in it",
            "leave out the other options, or plan again with them",
        ));
    }
    let compiled = compile::compile(app, Path::new(&saved.runbook), &saved.args, Asking::Forbidden)?;
    let now = compiled.plan.digest();
    if saved.plan.digest() != saved.digest {
        return Err(CommandError::usage("the saved plan was changed after it was saved", "plan again"));
    }
    if now != saved.digest {
        return Err(CommandError::usage(
            format!(
                "the saved plan is stale: `{}`, its target or its inputs have changed since (digest {} then, {} now)",
                saved.runbook,
                short(&saved.digest),
                short(&now)
            ),
            "plan again, look at what changed, and run the new plan",
        ));
    }
    Ok(compiled)
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
