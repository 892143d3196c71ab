//! `audit`: whether a journal is what was written, for someone who trusts none of us.

use crate::app::App;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::loaded::{self, Purpose};
use ceptra_flow_state::{AuditReport, Break, BreakKind, Signature, StoreError, audit, signing};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Verify a run's journal: hash chain, signature, plan digest
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run, a run directory, a journal.db, or a report.json (left out: the newest run)
    #[arg(value_name = "RUN|FILE")]
    what: Option<String>,
}

/// What is to be verified.
enum Subject {
    /// A run directory or a journal file.
    Journal(PathBuf),
    /// A report, and the journal beside it or in the store.
    Report(PathBuf),
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    match subject(app, args.what.as_deref())? {
        Subject::Journal(path) => Ok(tell(app, &path, &audit(&path, None)?, None)),
        Subject::Report(path) => audit_report(app, &path),
    }
}

fn subject(app: &App, what: Option<&str>) -> Result<Subject, CommandError> {
    if let Some(path) = what.map(Path::new).filter(|path| path.exists()) {
        let is_report = path.is_file() && path.extension().is_some_and(|extension| extension == "json");
        return Ok(if is_report { Subject::Report(path.to_path_buf()) } else { Subject::Journal(path.to_path_buf()) });
    }
    if let Some(said) = what.filter(|said| said.contains('/') || said.contains('.')) {
        return Err(CommandError::usage(
            format!("cannot read `{said}`: no such file or directory"),
            "name a run, a run directory, a journal.db or a report.json",
        ));
    }
    let store = app.store()?;
    let run = loaded::find(app, &store, what, Purpose::Look)?;
    let dir = store.run_dir(&run);
    if !dir.is_dir() {
        return Err(StoreError::NoSuchRun { run, root: store.root().to_path_buf() }.into());
    }
    Ok(Subject::Journal(dir))
}

/// A report's own signature, then the journal that it names, if that can be found.
fn audit_report(app: &App, path: &Path) -> Result<Exit, CommandError> {
    let report: Value = serde_json::from_slice(&files::read(path)?).map_err(|error| {
        CommandError::usage(
            format!("`{}` is no report: {error}", path.display()),
            "name a report.json, a journal.db or a run directory",
        )
    })?;
    let signature = match signing::verify_report(&report) {
        Ok(signature) => signature,
        Err(error) => {
            let broken = Break { seq: None, kind: BreakKind::Signature, what: error.to_string() };
            say(
                app,
                path,
                None,
                std::slice::from_ref(&broken),
                &json!({ "report": path.display().to_string(), "breaks": [broken] }),
            );
            return Ok(Exit::Failed);
        }
    };
    match journal_of(app, path, &signature) {
        Some(journal) => {
            let found = audit(&journal, Some(&signature))?;
            Ok(tell(app, path, &found, Some(&signature)))
        }
        None => {
            let line = format!(
                "the report's signature holds (key {}), event {} of run {}",
                short(&signature.public_key),
                signature.head_seq,
                signature.run
            );
            say(
                app,
                path,
                Some(&format!("{line}; its journal is not here, so the events themselves were not verified")),
                &[],
                &json!({ "report": path.display().to_string(), "signed_by": signature.public_key, "breaks": [] }),
            );
            Ok(Exit::Done)
        }
    }
}

/// The journal that a report is about: in the report's directory, or in the store.
fn journal_of(app: &App, report: &Path, signature: &Signature) -> Option<PathBuf> {
    let beside = std::path::absolute(report).ok()?.with_file_name("journal.db");
    if beside.is_file() {
        return Some(beside);
    }
    let store = app.store().ok()?;
    let run = ceptra_flow_state::RunId::parse(&signature.run).ok()?;
    Some(store.run_dir(&run)).filter(|dir| dir.join("journal.db").is_file())
}

fn tell(app: &App, path: &Path, found: &AuditReport, report: Option<&Signature>) -> Exit {
    let signed = match (report, &found.signed_by) {
        (Some(signature), _) => format!(", the report's signature holds (key {})", short(&signature.public_key)),
        (None, Some(key)) => format!(", signed by key {}", short(key)),
        (None, None) => ", not signed yet".to_owned(),
    };
    let run = if found.run.is_empty() { "unknown" } else { found.run.as_str() };
    let whole = format!(
        "run {run}: {} events, every hash and the plan's digest hold{signed}\n  head {} {}",
        found.events,
        found.head_seq.0,
        found.head_hash.hex()
    );
    let document = serde_json::to_value(found).expect("an audit has string keys only");
    say(app, path, found.is_whole().then_some(whole.as_str()), &found.breaks, &document);
    if found.is_whole() { Exit::Done } else { Exit::Failed }
}

fn say(app: &App, path: &Path, whole: Option<&str>, breaks: &[Break], document: &Value) {
    if app.console.is_json() {
        app.console.json(document);
        return;
    }
    if let Some(whole) = whole {
        app.console.result(&format!("{whole}\n"));
        return;
    }
    let mut text = format!("{} CANNOT BE TRUSTED:\n", path.display());
    for broken in breaks {
        let place = broken.seq.map_or("the file".to_owned(), |seq| format!("event {}", seq.0));
        text.push_str(&format!("  {place}: {}\n", broken.what));
    }
    text.push_str(
        "keep the directory as it is, and compare it with a copy or with the report that was sent to the ticket\n",
    );
    app.console.result(&text);
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}
