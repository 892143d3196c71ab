//! Everything that is printed goes through here: text for people, JSON for programs, never a panic on a closed pipe.
//!
//! Results go to stdout, trouble and (where stdout is for a program) running commentary to stderr. Start at [`Console`].

use crate::exit::{self, CommandError};
use serde_json::Value;
use std::io::{self, IsTerminal as _, Write as _};

/// What a verb's result looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How this process talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// What results look like.
    pub(crate) output: OutputFormat,
    /// Whether only results and trouble are printed.
    pub(crate) quiet: bool,
    /// How much more is printed than usual.
    pub(crate) verbose: u8,
    color: ColorChoice,
}

impl Console {
    /// As the options say.
    pub(crate) fn new(output: OutputFormat, color: ColorChoice, quiet: bool, verbose: u8) -> Self {
        Self { output, quiet, verbose, color }
    }

    /// Whether results are for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.output == OutputFormat::Json
    }

    /// Whether stderr may carry colours.
    pub(crate) fn colors_err(&self) -> bool {
        self.colors(io::stderr().is_terminal())
    }

    fn colors(&self, terminal: bool) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// Whether a person sits there who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// A result, as it is.
    pub(crate) fn result(&self, text: &str) {
        to_stdout(text.as_bytes());
    }

    /// A result that is written piece by piece.
    pub(crate) fn result_with(&self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) {
        let mut out = io::BufWriter::new(io::stdout().lock());
        // As in `to_stdout`.
        let _ = write(&mut out).and_then(|()| out.flush());
    }

    /// A result for a program: one document on one line.
    pub(crate) fn json(&self, value: &impl serde::Serialize) {
        let mut text = serde_json::to_string(value).expect("what is printed has string keys only");
        text.push('\n');
        self.result(&text);
    }

    /// A line of commentary: on stdout for people, on stderr where stdout is for a program, nowhere if quiet.
    pub(crate) fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        let line = format!("{line}\n");
        if self.is_json() { to_stderr(line.as_bytes()) } else { to_stdout(line.as_bytes()) }
    }

    /// A line about something that is not as it should be, on stderr, quiet or not.
    pub(crate) fn warn(&self, line: &str) {
        let label = if self.colors_err() { "\u{1b}[1;33mwarning\u{1b}[0m" } else { "warning" };
        to_stderr(format!("{label}: {line}\n").as_bytes());
    }

    /// Text on stderr, as it is.
    pub(crate) fn trouble(&self, text: &str) {
        to_stderr(text.as_bytes());
    }

    /// What went wrong, why, and what now; the end of a command.
    pub(crate) fn error(&self, error: &CommandError) {
        self.trouble_of(error);
        if self.is_json() {
            let (message, _) = exit::describe(error);
            self.json(&serde_json::json!({ "error": message, "exit": exit::exit_of(error).code() }));
        }
    }

    /// What went wrong, why, and what now, on stderr.
    pub(crate) fn trouble_of(&self, error: &CommandError) {
        let (message, help) = exit::describe(error);
        let colors = self.colors_err();
        let (label, help_label) =
            if colors { ("\u{1b}[1;31merror\u{1b}[0m", "\u{1b}[36mhelp\u{1b}[0m") } else { ("error", "help") };
        let mut text = format!("{label}: {message}\n");
        if let Some(help) = help {
            text.push_str(&format!("  {help_label}: {help}\n"));
        }
        to_stderr(text.as_bytes());
    }

    /// Asks for a line; `None` at the end of the input.
    pub(crate) fn ask(&self, prompt: &str) -> Option<String> {
        to_stderr(prompt.as_bytes());
        let mut line = String::new();
        match io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim().to_owned()),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Value as text that is easy on the eyes, for files that people open too.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("what is printed has string keys only")
}

// Whoever closed the other end does not want to know more; the work goes on and its exit code still tells.
fn to_stdout(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn to_stderr(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}
