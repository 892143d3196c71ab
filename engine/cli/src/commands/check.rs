//! `check`: every problem in every file, in one go.

use crate::app::{App, here};
use crate::diagnostics::{self, Indexed};
use crate::exit::{CommandError, Exit};
use crate::{files, target};
use ceptra_flow_report::text::count;
use ceptra_flow_runbook::diagnostic::JsonDiagnostic;
use ceptra_flow_runbook::{Catalog, Diagnostic, Source, Target};
use std::path::{Path, PathBuf};

/// Say everything that is wrong with runbooks and targets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runbooks, targets, or directories of them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Check references to `target` against this one
    #[arg(long, value_name = "NAME|FILE")]
    target: Option<String>,
    /// What findings look like: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let format = if app.console.is_json() { Format::Json } else { args.format };
    if format == Format::Sarif {
        return Err(CommandError::later("`check --format sarif`"));
    }
    let catalog = ceptra_flow_steps::catalog();
    let mut tally = Tally::default();
    for path in expand(&args.files)? {
        let name = path.display().to_string();
        match check_file(&path, &name, &catalog, args.target.as_deref()) {
            Ok((text, found)) => tally.add(app, &found, &name, &text, format),
            // The others are checked all the same.
            Err(error) => tally.unreadable(app, &error),
        }
    }
    tally.tell(app, format);
    // Bad input, not a failed check: nothing else was asked for.
    Ok(if tally.errors == 0 { Exit::Done } else { Exit::BadInput })
}

/// The files meant: directories stand for the TOML files in them.
fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| files::cannot("read", path, &error))?;
        let mut inside: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        inside.sort_unstable();
        files.extend(inside);
    }
    Ok(files)
}

/// A file's text and everything there is to say of it.
fn check_file(
    path: &Path,
    name: &str,
    catalog: &[ceptra_flow_core::catalog::StepType],
    target: Option<&str>,
) -> Result<(String, Vec<Diagnostic>), CommandError> {
    let text = match ceptra_flow_runbook::decode(name, files::read(path)?) {
        Ok(text) => text,
        Err(found) => return Ok((String::new(), vec![*found])),
    };
    let source = Source { name, text: &text };
    if is_target(&text) {
        let found = Target::parse(&source).1;
        return Ok((text, found));
    }
    let target = chosen_target(path, target)?;
    let found = ceptra_flow_runbook::check(&source, &Catalog(catalog), target.as_ref());
    Ok((text, found))
}

/// Whether a file describes an environment rather than steps.
fn is_target(text: &str) -> bool {
    let has = |header: &str| text.lines().any(|line| line.trim_start().starts_with(header));
    has("[target]") && !has("[runbook]") && !has("[steps.")
}

/// The target that somebody chose for this file; a runbook by itself is checked without one.
fn chosen_target(path: &Path, flag: Option<&str>) -> Result<Option<Target>, CommandError> {
    let variable = std::env::var("CEPTRA_FLOW_TARGET").ok();
    let chosen = target::choose(flag, variable.as_deref(), path, &here())?;
    if chosen.by_default {
        return Ok(None);
    }
    let Ok(text) = ceptra_flow_runbook::decode(&chosen.name, chosen.bytes) else { return Ok(None) };
    // Its own findings are told when it is checked itself.
    Ok(Target::parse(&Source { name: &chosen.name, text: &text }).0)
}

/// What was found in all files.
#[derive(Default)]
struct Tally {
    files: usize,
    errors: usize,
    warnings: usize,
    documents: Vec<JsonDiagnostic>,
}

impl Tally {
    fn add(&mut self, app: &App, found: &[Diagnostic], name: &str, text: &str, format: Format) {
        self.files += 1;
        let errors = found.iter().filter(|finding| finding.is_error()).count();
        self.errors += errors;
        self.warnings += found.len() - errors;
        match format {
            Format::Json => {
                let source = Indexed::new(name, text);
                self.documents.extend(found.iter().map(|finding| source.to_json(finding)));
            }
            Format::Text | Format::Sarif => diagnostics::print(&app.console, found, name, text),
        }
    }

    fn unreadable(&mut self, app: &App, error: &CommandError) {
        self.files += 1;
        self.errors += 1;
        app.console.trouble_of(error);
    }

    fn tell(&self, app: &App, format: Format) {
        if format == Format::Json {
            app.console.json(&self.documents);
            return;
        }
        let files = count(self.files, "file");
        let others = if self.warnings == 0 { String::new() } else { format!(", {}", count(self.warnings, "warning")) };
        match self.errors {
            0 => app.console.say(&format!("{files} checked, no errors{others}")),
            errors => app.console.say(&format!("{files} checked, {}{others}", count(errors, "error"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_runbooks_are_told_apart() {
        assert!(is_target("# c\n[target]\nname = \"x\""));
        assert!(is_target(ceptra_flow_lab::target_toml()));
        assert!(!is_target("schema = 1\n[runbook]\nname = \"x\""));
        assert!(!is_target("[target]\n[steps.a]"));
        assert!(!is_target(""));
    }

    #[test]
    fn a_directory_stands_for_its_toml_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.md"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let files = expand(&[dir.path().to_path_buf(), PathBuf::from("x")]).unwrap();
        assert_eq!(files, [dir.path().join("a.toml"), dir.path().join("b.toml"), PathBuf::from("x")]);
    }
}
