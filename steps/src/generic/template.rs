//! `template`: renders a Handlebars file to a path.
//!
//! Inline `content` is a value of the runbook, so it arrives rendered and is written as it is; rendering
//! it twice would run whatever an output happened to contain. A `source` file sees `vars` and nothing else.

use super::atomic::{self, Staged};
use super::file::{Stop, blocking, failed, half_done, staging_tag};
use super::helpers;
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use crate::values;
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// `template`.
pub(super) struct Template;

/// Configuration files are far smaller; a path to a volume's image is a mistake.
const SOURCE_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
struct Params {
    source: Option<String>,
    content: Option<String>,
    dest: String,
    mode: Option<String>,
    #[serde(default)]
    vars: Map<String, Value>,
}

impl Step for Template {
    fn describe(&self) -> StepType {
        StepType {
            name: "template",
            summary: "Renders a Handlebars file to a path, replacing what is there as a whole.",
            params: params(),
            example: EXAMPLE,
            effect: |_| Effect::Idempotent,
            output: |_| {
                let fields = vec![
                    Field::required("path", Shape::String, "The file's full path."),
                    Field::required("sha256", Shape::String, "SHA-256 of its content, 64 hex digits."),
                    Field::required("size", Shape::Integer, "Its length in bytes."),
                    Field::required("changed", Shape::Boolean, "Whether anything was different before."),
                ];
                Shape::Table(Table { fields, open: false })
            },
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
            let params: Params = values::params(with)?;
            let mode = params.mode.as_deref().map(values::mode).transpose().map_err(StepError::parameter)?;
            let source = params.source.as_ref().map(|source| cx.path(source));
            let destination = cx.path(&params.dest);
            let tag = staging_tag(cx);
            let stop = Stop::of(cx);
            blocking(move || {
                let text = match (source, params.content) {
                    (Some(source), None) => rendered(&source, params.vars)?,
                    (None, Some(content)) => content,
                    (Some(_), Some(_)) | (None, None) => {
                        return Err(StepError::parameter("give either `source` or `content`"));
                    }
                };
                put(&destination, text.as_bytes(), mode, &tag, &stop)
            })
            .await
        })
    }
}

const EXAMPLE: &str = r#"[steps.config]
type = "template"
with = { source = "templates/standby.conf.hbs", dest = "/etc/app/app.conf", mode = "0640", vars = { region = "eu-west-2" } }
"#;

fn params() -> Table {
    Table {
        fields: vec![
            Field::optional("source", Shape::String, "The Handlebars file; relative to where the run was started; this or `content`.").exposed(),
            Field::optional("content", Shape::String, "The text itself, rendered like every value of the runbook; this or `source`."),
            Field::required("dest", Shape::String, "The file to make; relative to where the run was started.").exposed(),
            Field::optional("mode", Shape::String, "Permissions as octal text, such as `\"0640\"`. Default: those of the file that is replaced, else `\"0644\"`.").exposed(),
            Field::optional("vars", Shape::Map(Box::new(Shape::Any)), "The names that the `source` file may use. Default none."),
        ],
        open: false,
    }
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    let mut problem = |field, message: &str, help: &str| {
        found.push(ParamProblem { field, message: message.to_owned(), help: help.to_owned() });
    };
    match (with.get("source"), with.get("content")) {
        (Some(_), Some(_)) => problem("content", "both `source` and `content` are given", "keep one of them"),
        (None, None) => {
            problem("source", "there is nothing to render", "write `source = \"file.hbs\"` or `content = \"…\"`")
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    if with.get("vars").is_some() && with.get("source").is_none() {
        problem(
            "vars",
            "`vars` are for a `source` file; `content` sees every name of the runbook",
            "remove it, or write `source`",
        );
    }
    if let Some(mode) = with.get("mode").and_then(Value::as_str).filter(|mode| !mode.contains("{{"))
        && let Err(wrong) = values::mode(mode)
    {
        problem("mode", &wrong, "write `mode = \"0640\"`");
    }
    found
}

fn rendered(source: &Path, vars: Map<String, Value>) -> Result<String, StepError> {
    let unreadable =
        |error: std::io::Error| StepError::nothing("template", format!("cannot read {}: {error}", source.display()));
    let length = fs::metadata(source).map_err(unreadable)?.len();
    if length > SOURCE_BYTES_MAX {
        return Err(StepError::nothing(
            "template",
            format!("{} is {length} bytes long; a template has at most {SOURCE_BYTES_MAX}", source.display()),
        ));
    }
    let template = fs::read_to_string(source).map_err(unreadable)?;
    let rendered = helpers::handlebars().render_template(&template, &Value::Object(vars));
    rendered.map_err(|error| StepError::nothing("template", format!("cannot render {}: {error}", source.display())))
}

fn put(destination: &PathBuf, content: &[u8], mode: Option<u32>, tag: &str, stop: &Stop) -> Result<Value, StepError> {
    let failed = |error: std::io::Error| failed("write", destination, &error);
    let is_already = fs::read(destination).is_ok_and(|there| there == content)
        && fs::metadata(destination)
            .is_ok_and(|found| mode.is_none_or(|mode| found.permissions().mode() & 0o7777 == mode));
    let facts = if is_already {
        atomic::pour(content, std::io::sink(), || Ok(())).map_err(failed)?
    } else {
        let mut staged = Staged::begin(destination, tag).map_err(failed)?;
        let facts = atomic::pour(content, staged.writer().map_err(failed)?, || stop.go_on()).map_err(failed)?;
        staged.commit(mode).map_err(|error| half_done(destination, &error))?;
        facts
    };
    Ok(
        json!({ "path": destination.display().to_string(), "sha256": facts.sha256, "size": facts.size, "changed": !is_already }),
    )
}
