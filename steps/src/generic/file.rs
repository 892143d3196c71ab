//! `file`: copy, write, remove or checksum one file. What is replaced is replaced whole.

use super::atomic::{self, Facts, Staged};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use crate::values;
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// `file`.
pub(super) struct File;

const ACTIONS: &[&str] = &["copy", "write", "remove", "checksum"];

#[derive(Clone, Deserialize)]
struct Params {
    action: Action,
    path: String,
    source: Option<String>,
    content: Option<Value>,
    mode: Option<String>,
    sha256: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Copy,
    Write,
    Remove,
    Checksum,
}

impl Step for File {
    fn describe(&self) -> StepType {
        StepType {
            name: "file",
            summary: "Copies, writes, removes or checksums one file, replacing it as a whole.",
            params: params(),
            example: "[steps.config]\ntype = \"file\"\nwith = { action = \"copy\", source = \"standby.conf\", path = \"/etc/app/app.conf\", mode = \"0640\" }\n",
            effect: |with| match with.get("action").and_then(Value::as_str) {
                Some("checksum") => Effect::Read,
                Some(_) | None => Effect::Idempotent,
            },
            output: |_| output(),
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check,
            by_person: false,
            inline: false,
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let work = Work::of(values::params(with)?, cx)?;
            blocking(move || work.carry_out()).await
        })
    }
}

/// File systems block; a thread of the pool may, the engine's own turn may not.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|_| Err(StepError::unknown("lost", "the work on the file ended without a word")))
}

fn params() -> Table {
    let text = |name, doc| Field::optional(name, Shape::String, doc).exposed();
    Table {
        fields: vec![
            Field::required("action", Shape::OneOf(ACTIONS), "What to do."),
            Field::required(
                "path",
                Shape::String,
                "The file to make, remove or read; relative to where the run was started.",
            )
            .exposed(),
            text("source", "The file to copy; only with `copy`."),
            Field::optional(
                "content",
                Shape::Any,
                "What to write: text as it is, anything else as JSON; only with `write`.",
            ),
            text(
                "mode",
                "Permissions as octal text, such as `\"0640\"`. Default: those of the file that is replaced, else of the source, else `\"0644\"`.",
            ),
            text(
                "sha256",
                "What the content's SHA-256 must be, 64 hex digits, `0x` allowed; not with `remove`. Default: anything.",
            ),
        ],
        open: false,
    }
}

fn output() -> Shape {
    let or_null = |shape| Shape::Either(vec![shape, Shape::Null]);
    let fields = vec![
        Field::required("path", Shape::String, "The file's full path."),
        Field::required("sha256", or_null(Shape::String), "SHA-256 of its content, 64 hex digits; null once removed."),
        Field::required("size", or_null(Shape::Integer), "Its length in bytes; null once removed."),
        Field::required("changed", Shape::Boolean, "Whether anything was different before."),
    ];
    Shape::Table(Table { fields, open: false })
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    let mut problem =
        |field, message: String, help: &str| found.push(ParamProblem { field, message, help: help.to_owned() });
    let given = |field: &str| with.get(field).is_some();
    let action = with.get("action").and_then(Value::as_str).unwrap_or_default();
    let wanted = |field| match (field, action) {
        ("source", "copy") | ("content", "write") => Some(true),
        ("mode", "copy" | "write") | ("sha256", "copy" | "write" | "checksum") => Some(false),
        _ => None,
    };
    for field in ["source", "content", "mode", "sha256"] {
        match (wanted(field), given(field)) {
            (Some(true), false) => problem(field, format!("`{action}` needs `{field}`"), "add it"),
            (None, true) if ACTIONS.contains(&action) => {
                problem(field, format!("`{action}` has no `{field}`"), "remove it, or choose another `action`")
            }
            (Some(_) | None, _) => {}
        }
    }
    let literal = |field| with.get(field).and_then(Value::as_str).filter(|text| !text.contains("{{"));
    if let Some(Err(wrong)) = literal("mode").map(values::mode) {
        problem("mode", wrong, "write `mode = \"0640\"`");
    }
    if let Some(Err(wrong)) = literal("sha256").map(digest) {
        problem("sha256", wrong, "write the 64 hex digits that `sha256sum` prints");
    }
    found
}

/// 64 hex digits in lower case, however they were written.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let is_digest = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_digest { Ok(digits) } else { Err(format!("`{text}` is no SHA-256")) }
}

/// One action with everything it needs, away from the engine.
struct Work {
    action: Action,
    path: PathBuf,
    source: Option<PathBuf>,
    content: Vec<u8>,
    mode: Option<u32>,
    expected: Option<String>,
    tag: String,
    stop: Stop,
}

/// When to give up between two pieces of a long file.
pub(super) struct Stop {
    cancel: CancellationToken,
    begun: Instant,
    timeout: Duration,
}

impl Stop {
    pub(super) fn of(cx: &StepContext) -> Self {
        Self { cancel: cx.cancel.clone(), begun: Instant::now(), timeout: cx.timeout }
    }

    /// An error once it is time to give up.
    pub(super) fn go_on(&self) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        if self.begun.elapsed() > self.timeout {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        Ok(())
    }
}

/// What tells this attempt's staging file from those of other steps.
pub(super) fn staging_tag(cx: &StepContext) -> String {
    format!("{}/{}", cx.run.id, cx.label())
}

impl Work {
    fn of(params: Params, cx: &StepContext) -> Result<Self, StepError> {
        let missing = |field: &str| StepError::parameter(format!("`{field}` is missing for this `action`"));
        match params.action {
            Action::Copy if params.source.is_none() => return Err(missing("source")),
            Action::Write if params.content.is_none() => return Err(missing("content")),
            Action::Copy | Action::Write | Action::Remove | Action::Checksum => {}
        }
        Ok(Self {
            action: params.action,
            path: cx.path(&params.path),
            source: params.source.map(|source| cx.path(source)),
            content: match params.content {
                Some(Value::String(text)) => text.into_bytes(),
                Some(other) => other.to_string().into_bytes(),
                None => Vec::new(),
            },
            mode: params.mode.as_deref().map(values::mode).transpose().map_err(StepError::parameter)?,
            expected: params.sha256.as_deref().map(digest).transpose().map_err(StepError::parameter)?,
            tag: staging_tag(cx),
            stop: Stop::of(cx),
        })
    }

    fn carry_out(&self) -> Result<Value, StepError> {
        match self.action {
            Action::Remove => self.remove(),
            Action::Checksum => self.checksum(),
            Action::Write => self.write(),
            Action::Copy => self.copy(),
        }
    }

    fn checksum(&self) -> Result<Value, StepError> {
        let facts = self.facts(&self.path).map_err(|error| failed("read", &self.path, &error))?;
        self.expect(&facts, &self.path)?;
        Ok(told(&self.path, Some(&facts), false))
    }

    fn remove(&self) -> Result<Value, StepError> {
        match fs::remove_file(&self.path) {
            Ok(()) => {
                atomic::sync_parent(&self.path).map_err(|error| half_done(&self.path, &error))?;
                Ok(told(&self.path, None, true))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(told(&self.path, None, false)),
            Err(_) if self.path.is_dir() => Err(StepError::nothing(
                "file",
                format!("{} is a directory; `file` removes files only", self.path.display()),
            )),
            Err(error) => Err(failed("remove", &self.path, &error)),
        }
    }

    fn write(&self) -> Result<Value, StepError> {
        let facts = atomic::pour(self.content.as_slice(), io::sink(), || Ok(()))
            .map_err(|error| failed("read", &self.path, &error))?;
        self.expect(&facts, &self.path)?;
        if self.is_already(&facts) {
            return Ok(told(&self.path, Some(&facts), false));
        }
        self.replace(self.content.as_slice(), None, None)
    }

    fn copy(&self) -> Result<Value, StepError> {
        let source = self.source.as_deref().unwrap_or(&self.path);
        let from = fs::File::open(source).map_err(|error| failed("read", source, &error))?;
        let found = from.metadata().map_err(|error| failed("read", source, &error))?;
        if found.is_dir() {
            return Err(StepError::nothing(
                "file",
                format!("{} is a directory; `file` copies files only", source.display()),
            ));
        }
        let mode = found.permissions().mode() & 0o7777;
        let facts = self.facts(source).map_err(|error| failed("read", source, &error))?;
        self.expect(&facts, source)?;
        if self.is_already(&facts) {
            return Ok(told(&self.path, Some(&facts), false));
        }
        self.replace(from, Some(mode), Some(&facts))
    }

    /// Puts the content in place. `promised` is what an earlier look at a source saw: it must not change meanwhile.
    fn replace(
        &self,
        content: impl io::Read,
        source_mode: Option<u32>,
        promised: Option<&Facts>,
    ) -> Result<Value, StepError> {
        let failed = |error: io::Error| failed("write", &self.path, &error);
        let mut staged = Staged::begin(&self.path, &self.tag).map_err(failed)?;
        let facts = atomic::pour(content, staged.writer().map_err(failed)?, || self.stop.go_on()).map_err(failed)?;
        if promised.is_some_and(|promised| *promised != facts) {
            return Err(StepError::nothing("checksum", "the source changed while it was copied"));
        }
        // A new file takes its source's mode; an old one keeps its own.
        let inherited = if self.path.exists() { None } else { source_mode };
        staged.commit(self.mode.or(inherited)).map_err(|error| half_done(&self.path, &error))?;
        Ok(told(&self.path, Some(&facts), true))
    }

    fn is_already(&self, facts: &Facts) -> bool {
        let Ok(found) = fs::metadata(&self.path) else { return false };
        let has_mode = self.mode.is_none_or(|mode| found.permissions().mode() & 0o7777 == mode);
        has_mode
            && found.is_file()
            && found.len() == facts.size
            && self.facts(&self.path).is_ok_and(|there| there == *facts)
    }

    fn facts(&self, path: &Path) -> io::Result<Facts> {
        atomic::pour(fs::File::open(path)?, io::sink(), || self.stop.go_on())
    }

    fn expect(&self, facts: &Facts, path: &Path) -> Result<(), StepError> {
        match &self.expected {
            Some(expected) if *expected != facts.sha256 => {
                let message = format!("{} has SHA-256 {}, expected {expected}", path.display(), facts.sha256);
                let detail = json!({ "expected": expected, "found": facts.sha256, "size": facts.size });
                Err(StepError::nothing("checksum", message).with_detail(detail))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn told(path: &Path, facts: Option<&Facts>, changed: bool) -> Value {
    json!({
        "path": path.display().to_string(),
        "sha256": facts.map(|facts| facts.sha256.as_str()),
        "size": facts.map(|facts| facts.size),
        "changed": changed,
    })
}

/// Nothing is changed before the rename, so until then a failure leaves nothing.
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> StepError {
    let (class, message) = match error.kind() {
        io::ErrorKind::Interrupted => ("cancelled", format!("stopped before {} was complete", path.display())),
        io::ErrorKind::TimedOut => ("timeout", format!("not done in time with {}; it is as it was", path.display())),
        _ => ("file", format!("cannot {what} {}: {error}", path.display())),
    };
    StepError::nothing(class, message)
}

/// The rename, or making it durable, failed: the file may be the old one or the new one.
pub(super) fn half_done(path: &Path, error: &io::Error) -> StepError {
    StepError::partial("file", format!("cannot put {} in place: {error}", path.display()))
}
