//! `lab`: the rehearsal cluster on its own.

use crate::app::App;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::rehearsal;
use ceptra_flow_lab as lab;
use ceptra_flow_lab::{Fault, LabConfig, LabError, When, Word};
use ceptra_flow_state::{RunId, Store};
use clap::Subcommand;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The rehearsal cluster on its own: up, status, inject, down
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: LabVerb,
}

#[derive(Debug, Subcommand)]
enum LabVerb {
    /// Start a lab in the background and say where its parts are
    Up(UpArgs),
    /// Let the judge say how the newest lab's world is
    Status(WhichLab),
    /// Let something go wrong in the newest lab
    Inject(InjectArgs),
    /// Stop the newest lab; its files stay
    Down(DownArgs),
    #[command(hide = true)]
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
struct UpArgs {
    /// What has gone wrong by the time it is ready
    #[arg(long, value_name = "FAULT", default_value = "fresh")]
    fault: String,
    /// The same seed gives the same lab
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Partition groups
    #[arg(long, value_name = "N", default_value_t = LabConfig::default().groups)]
    groups: u32,
    /// Replicas of each group
    #[arg(long, value_name = "N", default_value_t = LabConfig::default().replicas)]
    replicas: u32,
    /// History in each replica's log, as in 64MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    wal: Option<u64>,
    /// Go on in this terminal until Ctrl-C
    #[arg(long)]
    foreground: bool,
}

#[derive(Debug, clap::Args)]
struct WhichLab {
    /// A lab's directory (default: the newest)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct InjectArgs {
    /// What goes wrong
    #[arg(value_name = "FAULT")]
    fault: String,
    /// When this step of the run is done
    #[arg(long, value_name = "STEP", conflicts_with = "at")]
    after: Option<String>,
    /// So long after the lab was ready, as in 3s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    at: Option<u64>,
    /// The same seed gives the same fault
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    which: WhichLab,
}

#[derive(Debug, clap::Args)]
struct DownArgs {
    #[command(flatten)]
    which: WhichLab,
    /// Every lab that runs
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    #[arg(long)]
    dir: PathBuf,
    /// End if stdin ends before a line came
    #[arg(long)]
    adopted_by_stdin: bool,
}

pub(crate) fn run(app: &App, args: Args) -> Result<Exit, CommandError> {
    match args.verb {
        LabVerb::Up(args) => up(app, &args),
        LabVerb::Status(which) => status(app, &which),
        LabVerb::Inject(args) => inject(app, &args),
        LabVerb::Down(args) => down(app, &args),
        LabVerb::Serve(args) => serve(&args.dir, args.adopted_by_stdin),
    }
}

fn up(app: &App, args: &UpArgs) -> Result<Exit, CommandError> {
    let usual = LabConfig::default();
    let scenario = rehearsal::scenario(&args.fault)?;
    let config = LabConfig {
        scenario,
        seed: args.seed,
        groups: args.groups,
        replicas: args.replicas,
        wal_bytes: args.wal.unwrap_or(usual.wal_bytes),
        ..usual
    };
    config.check().map_err(LabError::Config)?;
    let store = app.store()?;
    store.check_writable()?;
    let dir = rehearsal::dir_of(&store, &RunId::fresh());
    rehearsal::create(&dir, &config)?;
    if args.foreground {
        app.console.say(&format!("lab {} in {}; Ctrl-C ends it", config.scenario, dir.display()));
        return serve(&dir, false);
    }
    let mut ready = rehearsal::start(&dir)?;
    ready.adopt();
    let endpoints = ready.endpoints;
    if app.console.is_json() {
        app.console.json(&json!({ "dir": dir.display().to_string(), "endpoints": endpoints }));
        return Ok(Exit::Done);
    }
    let width = endpoints.keys().map(String::len).max().unwrap_or(0);
    let mut text = format!("lab {} is up in {}\n", config.scenario, dir.display());
    for (name, place) in &endpoints {
        text.push_str(&format!("  {name:<width$}  {place}\n"));
    }
    text.push_str(&format!("`{}` ends it\n", app.command("lab down")));
    app.console.result(&text);
    Ok(Exit::Done)
}

fn status(app: &App, which: &WhichLab) -> Result<Exit, CommandError> {
    let dir = chosen(&app.store()?, which)?;
    let verdict = rehearsal::judge(&dir)?;
    if app.console.is_json() {
        app.console.json(&verdict);
    } else {
        let running = if lab::is_running(&dir) { "running" } else { "not running" };
        app.console.result(&format!("lab        {} ({running})\n{}", dir.display(), rehearsal::verdict_text(&verdict)));
    }
    Ok(if verdict.verdict == Word::Ok { Exit::Done } else { Exit::Failed })
}

fn inject(app: &App, args: &InjectArgs) -> Result<Exit, CommandError> {
    let fault: Fault = args
        .fault
        .parse()
        .map_err(|error: lab::UnknownFault| CommandError::usage(error.to_string(), "name one of them"))?;
    let when = match (&args.after, args.at) {
        (Some(step), _) => When::AfterStep(step.clone()),
        (None, Some(ms)) => When::At(ms),
        (None, None) => When::Now,
    };
    let dir = chosen(&app.store()?, &args.which)?;
    lab::inject(&dir, &fault, &when, args.seed)?;
    app.console.say(&format!("{fault} is in the lab {}", dir.display()));
    Ok(Exit::Done)
}

fn down(app: &App, args: &DownArgs) -> Result<Exit, CommandError> {
    let store = app.store()?;
    let labs = if args.all { rehearsal::labs(&store) } else { vec![newest_running(&store, &args.which)?] };
    let mut stopped = Vec::new();
    for dir in labs.iter().filter(|dir| lab::is_running(dir)) {
        lab::stop(dir)?;
        stopped.push(dir.display().to_string());
    }
    if app.console.is_json() {
        app.console.json(&json!({ "stopped": stopped }));
    } else if stopped.is_empty() {
        app.console.say("no lab is running");
    } else {
        app.console.result(&format!("stopped: {}\n", stopped.join(", ")));
    }
    Ok(Exit::Done)
}

/// The lab that is meant: the newest that runs, or, where none does, the newest.
fn newest_running(store: &Store, which: &WhichLab) -> Result<PathBuf, CommandError> {
    let running =
        if which.dir.is_none() { rehearsal::labs(store).into_iter().find(|dir| lab::is_running(dir)) } else { None };
    running.map_or_else(|| chosen(store, which), Ok)
}

fn chosen(store: &Store, which: &WhichLab) -> Result<PathBuf, CommandError> {
    let none = |place: String| {
        CommandError::usage(
            format!("there is no lab in `{place}`"),
            "`ceptra-flow lab up` starts one; so does a run on the target `lab`",
        )
    };
    match &which.dir {
        Some(dir) if dir.join("lab.json").is_file() => Ok(dir.clone()),
        Some(dir) => Err(none(dir.display().to_string())),
        None => rehearsal::labs(store).into_iter().next().ok_or_else(|| none(store.labs_dir().display().to_string())),
    }
}

/// The lab's own process.
fn serve(dir: &Path, adopted_by_stdin: bool) -> Result<Exit, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::failed(
            format!("cannot serve the lab: {}", files::plain(&error)),
            "`ceptra-flow doctor` tests loopback, disk and clock",
        )
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        if adopted_by_stdin {
            let (forsaken, wait) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                // Whoever started this lab writes a line once it knows that the lab is ready; if it died before, nobody wants it.
                if !matches!(std::io::stdin().read(&mut [0; 1]), Ok(1)) {
                    let _ = forsaken.send(());
                } else {
                    std::mem::forget(forsaken);
                }
            });
            let terminated = async {
                let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
                terminate.recv().await;
                Ok::<(), std::io::Error>(())
            };
            let end = async {
                tokio::select! {
                    _ = wait => {}
                    handled = terminated => {
                        if handled.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                }
            };
            lab::serve_until(dir, end).await
        } else {
            lab::serve(dir).await
        }
    })?;
    Ok(Exit::Done)
}

fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|at: char| !at.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write a size as 4096, 64KiB, 64MiB or 1GiB".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "write a size as 4096, 64KiB, 64MiB or 1GiB".into())
}

fn duration(text: &str) -> Result<u64, String> {
    let digits = text.find(|at: char| !at.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err("write a duration as 500ms, 3s or 2m".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "write a duration as 500ms, 3s or 2m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_units() {
        assert_eq!(
            (size("4096"), size("64MiB"), duration("3s"), duration("250ms")),
            (Ok(4096), Ok(64 << 20), Ok(3000), Ok(250))
        );
        for wrong in ["", "MiB", "1.5MiB", "-1", "99999999999999999999", "18446744073709551615GiB"] {
            size(wrong).unwrap_err();
        }
        duration("3").unwrap_err();
    }
}
