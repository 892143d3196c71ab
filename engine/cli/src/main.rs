//! `ceptra-flow`: the command line.
//!
//! The only crate that prints or exits. What is decided, recorded and rendered lives below it; here are the verbs (one file
//! each under [`commands`]), the exit codes ([`exit`]) and everything that a person types and reads. Start at [`main`].

mod app;
mod args;
mod asker;
mod commands;
mod compile;
mod console;
mod decide;
mod diagnostics;
mod drive;
mod exit;
mod files;
mod history;
mod inputs;
mod later;
mod lines;
mod loaded;
mod observer;
mod rehearsal;
mod reports;
mod target;
mod who;

use app::App;
use args::{Cli, Verb};
use clap::Parser as _;
use exit::{CommandError, Exit};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

fn main() -> ExitCode {
    ignore_signals();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help on a closed pipe is nobody's loss.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(Exit::BadInput.code()));
        }
    };
    let app = App::new(&cli.global);
    set_up_messages(&cli.global);
    say_panics_plainly();
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| carry_out(&app, cli.verb)));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            app.console.error(&error);
            exit::exit_of(&error)
        }
        Err(_) => Exit::Failed,
    };
    // Threads that wait for a terminal must not keep the process.
    std::process::exit(i32::from(exit.code()))
}

/// One arm per verb.
fn carry_out(app: &App, verb: Verb) -> Result<Exit, CommandError> {
    match verb {
        Verb::Run(args) => commands::run::run(app, args),
        Verb::Plan(args) => commands::plan::run(app, &args),
        Verb::Resume(args) => commands::resume::run(app, args),
        Verb::Runs(args) => commands::runs::run(app, &args),
        Verb::Show(args) => commands::show::run(app, &args),
        Verb::Logs(args) => commands::logs::run(app, &args),
        Verb::Approve(args) => commands::approve::run(app, args),
        Verb::Reject(args) => commands::reject::run(app, args),
        Verb::Resolve(args) => commands::resolve::run(app, args),
        Verb::Note(args) => commands::note::run(app, args),
        Verb::Pause(args) => commands::pause::run(app, args),
        Verb::Cancel(args) => commands::cancel::run(app, args),
        Verb::Undo(args) => commands::undo::run(app, args),
        Verb::Report(args) => commands::report::run(app, &args),
        Verb::Audit(args) => commands::audit::run(app, &args),
        Verb::Check(args) => commands::check::run(app, &args),
        Verb::Steps(args) => commands::steps::run(app, &args),
        Verb::Lab(args) => commands::lab::run(app, args),
        Verb::Doctor(args) => commands::doctor::run(app, &args),
        Verb::Completions(args) => commands::completions::run(app, &args),
        Verb::Man(args) => commands::man::run(app, &args),
        Verb::Watch(_) => later::verb("watch"),
        Verb::New(_) => later::verb("new"),
        Verb::Schema(_) => later::verb("schema"),
        Verb::Fmt(_) => later::verb("fmt"),
        Verb::Test(_) => later::verb("test"),
        Verb::Drill(_) => later::verb("drill"),
        Verb::DrCutover(_) => later::verb("dr-cutover"),
        Verb::Bootstrapper(_) => later::verb("bootstrapper"),
        Verb::Spec(_) => later::verb("spec"),
        Verb::Wal(_) => later::verb("wal"),
        Verb::Snapshot(_) => later::verb("snapshot"),
        Verb::Serve(_) => later::verb("serve"),
        Verb::Worker(_) => later::verb("worker"),
    }
}

/// A closed pipe and a file-size limit are errors to be told, not deaths to die.
fn ignore_signals() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: ignoring a signal installs no handler, and no other thread exists yet.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// The engine's own messages: warnings, and with -v and -vv more; `CEPTRA_FLOW_LOG` takes the filters of `tracing`.
fn set_up_messages(global: &args::Global) {
    use console::OutputFormat;
    use tracing_subscriber::EnvFilter;
    let said = std::env::var("CEPTRA_FLOW_LOG").ok();
    if said.is_none() && global.verbose == 0 && global.log_format == OutputFormat::Text {
        // Warnings alone need no filters: those cost a start-up more than all the rest.
        let plain = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_max_level(tracing::Level::WARN)
            .with_target(false)
            .without_time();
        plain.with_ansi(false).init();
        return;
    }
    let level = match global.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = said.and_then(|said| EnvFilter::try_new(said).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let messages = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match global.log_format {
        OutputFormat::Text => messages.with_ansi(false).init(),
        OutputFormat::Json => messages.json().init(),
    }
}

/// A mistake of ours must not look like one of the operator's, nor hide what goes on.
fn say_panics_plainly() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), |place| format!(" at {place}"));
        let what = panic.payload_as_str().unwrap_or("unknown");
        let text = format!(
            "error: this is a mistake in ceptra-flow itself, not yours: {what}{place}\n  \
             help: what was recorded is safe, and `ceptra-flow resume` goes on from it; please report this with the line above\n"
        );
        use std::io::Write as _;
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }));
}
