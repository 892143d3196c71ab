//! The command line's grammar. What each verb does is in the file of its name under `commands`.
//!
//! Every usage error is clap's, with exit code 2. Verbs of later versions are hidden and answered plainly. Start at [`Cli`].

use crate::commands;
use crate::console::{ColorChoice, OutputFormat};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs disaster-recovery runbooks: every step recorded before it happens, every run resumable exactly where it stopped.
#[derive(Debug, Parser)]
#[command(name = "ceptra-flow", version, disable_help_subcommand = true, after_help = EXIT_CODES, max_term_width = 120)]
pub(crate) struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done and verified · 1 failed · 2 bad input, nothing started
            3 parked, waits for a person · 4 held by somebody else
            5 the state store cannot be trusted or written · 130 interrupted, resumable

RUN is a run's id, the beginning of one, or nothing: to go on or decide, the newest run
that is not finished; to look, report or audit, the newest.";

/// Options of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where runs are kept (default: $XDG_STATE_HOME/ceptra-flow or ~/.local/state/ceptra-flow)
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CEPTRA_FLOW_STATE",
        hide_env_values = true,
        help_heading = "Everywhere"
    )]
    pub(crate) state: Option<PathBuf>,
    /// What the result looks like
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    #[arg(help = "What the result looks like: text or json")]
    pub(crate) output: OutputFormat,
    /// When colours are used
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    #[arg(help = "When colours are used: auto, always or never (NO_COLOR is respected)")]
    pub(crate) color: ColorChoice,
    /// Print only results and trouble
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Print more; twice for the engine's own messages
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub(crate) verbose: u8,
    /// How the engine's own messages look: text or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub(crate) log_format: OutputFormat,
}

/// Every verb.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Run(commands::run::Args),
    Plan(commands::plan::Args),
    Resume(commands::resume::Args),
    Runs(commands::runs::Args),
    Show(commands::show::Args),
    Logs(commands::logs::Args),
    Approve(commands::approve::Args),
    Reject(commands::reject::Args),
    Resolve(commands::resolve::Args),
    Note(commands::note::Args),
    Pause(commands::pause::Args),
    Cancel(commands::cancel::Args),
    Undo(commands::undo::Args),
    Report(commands::report::Args),
    Audit(commands::audit::Args),
    Check(commands::check::Args),
    Steps(commands::steps::Args),
    Lab(commands::lab::Args),
    Doctor(commands::doctor::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
    #[command(hide = true)]
    Watch(Later),
    #[command(hide = true)]
    New(Later),
    #[command(hide = true)]
    Schema(Later),
    #[command(hide = true)]
    Fmt(Later),
    #[command(hide = true)]
    Test(Later),
    #[command(hide = true)]
    Drill(Later),
    #[command(hide = true, name = "dr-cutover")]
    DrCutover(Later),
    #[command(hide = true)]
    Bootstrapper(Later),
    #[command(hide = true)]
    Spec(Later),
    #[command(hide = true)]
    Wal(Later),
    #[command(hide = true)]
    Snapshot(Later),
    #[command(hide = true)]
    Serve(Later),
    #[command(hide = true)]
    Worker(Later),
}

/// Whatever is said to a verb of a later version.
#[derive(Debug, Args)]
pub(crate) struct Later {
    /// Anything
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// Which run.
#[derive(Debug, Args)]
pub(crate) struct RunArg {
    /// A run's id or the beginning of one
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) run: Option<String>,
}

/// Who decides, and why.
#[derive(Debug, Default, Args)]
pub(crate) struct Deciding {
    /// Who you are (default: CEPTRA_FLOW_USER, USER, LOGNAME)
    #[arg(long = "as", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) who: Option<String>,
    /// Why; it is kept with the decision
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,
}

/// `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".into()),
    }
}

/// A step, or one of its instances: `freeze` or `freeze[pg-0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepArg {
    /// The step's id.
    pub(crate) id: String,
    /// The instance's key.
    pub(crate) key: Option<String>,
}

impl std::str::FromStr for StepArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, key) = match text.split_once('[') {
            None => (text, None),
            Some((id, rest)) => {
                (id, Some(rest.strip_suffix(']').ok_or("an instance is written STEP[KEY]")?.to_owned()))
            }
        };
        let valid = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|at| at.is_ascii_lowercase() || at.is_ascii_digit() || at == '_');
        if valid {
            Ok(Self { id: id.to_owned(), key })
        } else {
            Err("a step's id is made of a-z, 0-9 and _, beginning with a letter".into())
        }
    }
}

/// `[RUN] STEP` (or `[RUN] TEXT`): the last word is what it is about, one before it names the run.
pub(crate) fn run_and(words: &[String]) -> (Option<&str>, &str) {
    match words {
        [run, rest] => (Some(run), rest),
        [rest] => (None, rest),
        _ => unreachable!("the grammar lets one or two words through"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_grammar_has_no_mistakes() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_what_this_version_does() {
        let help = Cli::command().render_long_help().to_string();
        for verb in [
            "run",
            "plan",
            "resume",
            "runs",
            "show",
            "logs",
            "approve",
            "reject",
            "resolve",
            "note",
            "pause",
            "cancel",
            "undo",
            "report",
            "audit",
            "check",
            "steps",
            "lab",
            "doctor",
            "completions",
            "man",
        ] {
            assert!(help.contains(&format!("\n  {verb} ")), "{verb} is missing:\n{help}");
        }
        for verb in ["watch", "drill", "serve", "worker", "schema"] {
            assert!(!help.contains(&format!("\n  {verb} ")), "{verb} is for later");
        }
    }

    #[test]
    fn usage_errors_end_with_2() {
        for line in [
            "ceptra-flow",
            "ceptra-flow fly",
            "ceptra-flow run",
            "ceptra-flow run x --bogus",
            "ceptra-flow approve",
            "ceptra-flow resolve s",
            "ceptra-flow run x --set y",
            "ceptra-flow resolve s --done --skip",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(parse("ceptra-flow --version").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn verbs_of_later_versions_are_understood_with_anything_behind_them() {
        for line in [
            "ceptra-flow watch",
            "ceptra-flow wal scan --mode strict",
            "ceptra-flow dr-cutover run --plan x",
            "ceptra-flow drill x --faults y",
        ] {
            parse(line).unwrap();
        }
    }

    #[test]
    fn options_of_every_verb_stand_anywhere() {
        let cli = parse("ceptra-flow runs --output json --state /s -q -vv").unwrap();
        assert_eq!((cli.global.output, cli.global.quiet, cli.global.verbose), (OutputFormat::Json, true, 2));
        assert_eq!(cli.global.state, Some(PathBuf::from("/s")));
    }

    #[test]
    fn a_step_may_name_an_instance() {
        assert_eq!("freeze".parse(), Ok(StepArg { id: "freeze".into(), key: None }));
        assert_eq!("freeze[pg[0]".parse(), Ok(StepArg { id: "freeze".into(), key: Some("pg[0".into()) }));
        for wrong in ["", "Freeze", "0a", "a[b", "a-b", "a b"] {
            wrong.parse::<StepArg>().unwrap_err();
        }
    }

    #[test]
    fn values_may_hold_an_equals_sign() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        key_value("=b").unwrap_err();
        key_value("a").unwrap_err();
    }
}
