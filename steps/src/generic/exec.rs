//! `exec`: a process, never through a shell unless a script is asked for.
//!
//! What an exit code means, what the output becomes and what a stopped process leaves is decided here; the
//! process itself is [`crate::process`]'s.

use crate::context::StepContext;
use crate::error::StepError;
use crate::process::{self, Captured, Ending, Finished, Job, KEPT_BYTES_MAX};
use crate::redact::Redactor;
use crate::step::{BoxFuture, GRACE_DEFAULT, Probed, Step};
use crate::values;
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `exec`.
pub(super) struct Exec;

/// How much of the end of a failed program's output is shown with the failure.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// The kernel refuses a longer argument (`MAX_ARG_STRLEN`), and says so in riddles.
const SCRIPT_BYTES_MAX: usize = 128 * 1024 - 1;

const SHELL_DEFAULT: [&str; 3] = ["/bin/sh", "-eu", "-c"];

const PARSE: &[&str] = &["text", "json", "lines"];

#[derive(Deserialize)]
struct Params {
    command: Option<Vec<Value>>,
    script: Option<String>,
    shell: Option<Value>,
    cwd: Option<String>,
    #[serde(default)]
    env: Map<String, Value>,
    stdin: Option<Value>,
    #[serde(default)]
    parse: Parse,
    ok_codes: Option<Vec<i64>>,
    creates: Option<String>,
    grace: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Parse {
    #[default]
    Text,
    Json,
    Lines,
}

impl Step for Exec {
    fn describe(&self) -> StepType {
        StepType {
            name: "exec",
            summary: "Runs a process; its exit code tells whether it succeeded.",
            params: params(),
            example: EXAMPLE,
            effect: |with| if with.get("creates").is_some() { Effect::Probe } else { Effect::Once },
            output,
            probes: |with| with.get("creates").is_some(),
            undoes: false,
            operations: |_| Vec::new(),
            check,
            by_person: false,
            inline: false,
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(run(with, cx))
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move {
            let params: Params = values::params(with)?;
            let Some(created) = created_path(&params, cx) else {
                return Err(StepError::unsupported(
                    "`exec` can tell whether it was done only where `creates` names a path",
                ));
            };
            match created.try_exists() {
                Ok(true) => Ok(Probed::Done(not_run(params.parse))),
                Ok(false) => Ok(Probed::NotDone(json!({ "missing": created.display().to_string() }))),
                Err(error) => Ok(Probed::Unknown(format!("cannot look for {}: {error}", created.display()))),
            }
        })
    }

    fn grace(&self, with: &Value) -> Duration {
        with.get("grace").and_then(Value::as_str).and_then(|text| values::duration(text).ok()).unwrap_or(GRACE_DEFAULT)
    }
}

const EXAMPLE: &str = r#"[steps.restore]
type = "exec"
with = { command = ["restore-volumes", "--all"], parse = "json", creates = "/var/lib/restore/done" }
"#;

fn params() -> Table {
    let argument = values::scalar();
    Table {
        fields: vec![
            Field::optional(
                "command",
                Shape::List(Box::new(argument)),
                "The program and its arguments, never through a shell; this or `script`. A name without `/` is looked for in `PATH`.",
            )
            .exposed(),
            Field::optional("script", Shape::String, "Text for `shell`; this or `command`. Secrets go in `env`.").exposed(),
            Field::optional(
                "shell",
                Shape::Either(vec![Shape::String, Shape::List(Box::new(Shape::String))]),
                "What runs `script`: a shell, called with `-eu -c`, or a list to which the script is added as the last argument. Default `/bin/sh`.",
            )
            .exposed(),
            Field::optional(
                "cwd",
                Shape::String,
                "The directory it runs in; relative to where the run was started, which is the default.",
            )
            .exposed(),
            Field::optional(
                "env",
                Shape::Map(Box::new(values::scalar())),
                "Variables added to the engine's own environment and to CEPTRA_FLOW_RUN, _STEP, _KEY, _ATTEMPT, _EPOCH and _IDEMPOTENCY_KEY. Default none.",
            ),
            Field::optional("stdin", Shape::Any, "What it reads: text as it is, anything else as JSON. Default nothing."),
            Field::optional(
                "parse",
                Shape::OneOf(PARSE),
                "What becomes of its output: `text` gives stdout, stderr and exit_code; `json` the document on stdout; `lines` a list of lines. Default `text`.",
            ),
            Field::optional(
                "ok_codes",
                Shape::List(Box::new(Shape::Integer)),
                "Exit codes that mean success. Default `[0]`.",
            ),
            Field::optional(
                "creates",
                Shape::String,
                "A path that proves it was done, relative to `cwd`: if it exists the program is not run, and after it ran it must exist. Create it last.",
            )
            .exposed(),
            Field::optional(
                "grace",
                Shape::Duration,
                "How long it may take to end after TERM, before KILL. Default `5s`.",
            ),
        ],
        open: false,
    }
}

fn output(with: &Value) -> Shape {
    let integer = |name, doc| Field::optional(name, Shape::Integer, doc);
    let cut =
        || integer("cut", "How many bytes before the last 8 MiB are only in the log; absent when nothing was cut.");
    let code = || Field::required("exit_code", Shape::Integer, "The exit code; 0 where `creates` existed already.");
    match with.get("parse").and_then(Value::as_str).unwrap_or("text") {
        "text" => Shape::Table(Table {
            fields: vec![
                Field::required("stdout", Shape::String, "What it printed."),
                Field::required("stderr", Shape::String, "What it printed for people."),
                code(),
                cut(),
            ],
            open: false,
        }),
        "lines" => Shape::Table(Table {
            fields: vec![
                Field::required("lines", Shape::List(Box::new(Shape::String)), "What it printed, line by line."),
                code(),
                cut(),
            ],
            open: false,
        }),
        _ => Shape::Any,
    }
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    let mut problem = |field, message: &str, help: &str| {
        found.push(ParamProblem { field, message: message.to_owned(), help: help.to_owned() });
    };
    match (with.get("command"), with.get("script")) {
        (Some(_), Some(_)) => problem("script", "both `command` and `script` are given", "keep one of them"),
        (None, None) => problem(
            "command",
            "there is nothing to run",
            "write `command = [\"program\", \"argument\"]` or `script = \"…\"`",
        ),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if with.get("command").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        problem("command", "the list is empty", "begin it with the program's name");
    }
    if let Some([Value::String(line)]) = with.get("command").and_then(Value::as_array).map(Vec::as_slice)
        && line.contains(' ')
        && !line.contains("{{")
        && !line.contains('/')
    {
        problem(
            "command",
            "one text with spaces is one program's name",
            "write every argument as an element of its own, or use `script`",
        );
    }
    if with.get("shell").is_some() && with.get("script").is_none() {
        problem(
            "shell",
            "`shell` is for `script`, and there is none",
            "remove it, or write `script` instead of `command`",
        );
    }
    if with.get("shell").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        problem("shell", "the list is empty", "begin it with the shell's path");
    }
    if with.get("script").and_then(Value::as_str).is_some_and(|script| script.len() > SCRIPT_BYTES_MAX) {
        problem(
            "script",
            "it is longer than 128 KiB, which no system accepts as an argument",
            "put it in a file and name that in `command`",
        );
    }
    if with.get("ok_codes").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        problem(
            "ok_codes",
            "the list is empty, so nothing could succeed",
            "name the codes that mean success, such as `[0]`",
        );
    }
    found
}

async fn run(with: Value, cx: &StepContext) -> Result<Value, StepError> {
    let params: Params = values::params(with)?;
    let created = created_path(&params, cx);
    if let Some(path) = created.as_deref().filter(|path| path.exists()) {
        cx.log.say(&format!("ceptra-flow: {} exists already; not run", path.display()));
        return Ok(not_run(params.parse));
    }
    let job = job(&params, cx)?;
    let argv = job.argv.clone();
    let cwd = job.cwd.clone();
    let finished = process::run(job, cx).await.map_err(|error| not_started(&argv, &cwd, &error))?;
    let what = if params.script.is_some() { "the script".to_owned() } else { format!("`{}`", argv[0]) };
    let output = judged(&params, &what, finished, cx)?;
    match created.as_deref() {
        Some(path) if !path.exists() => Err(StepError::partial(
            "creates",
            format!("{what} succeeded, but {} does not exist; `creates` promised it", path.display()),
        )),
        Some(_) | None => Ok(output),
    }
}

fn cwd(params: &Params, cx: &StepContext) -> PathBuf {
    params.cwd.as_ref().map_or_else(|| cx.started_from.clone(), |cwd| cx.path(cwd))
}

fn created_path(params: &Params, cx: &StepContext) -> Option<PathBuf> {
    params.creates.as_ref().map(|created| cwd(params, cx).join(created))
}

fn job(params: &Params, cx: &StepContext) -> Result<Job, StepError> {
    let problem = |what: String| StepError::parameter(what);
    let argv = match (&params.command, &params.script) {
        (Some(command), None) => texts("command", command)?,
        (None, Some(script)) => shell(params, script)?,
        (Some(_), Some(_)) | (None, None) => return Err(problem("give either `command` or `script`".to_owned())),
    };
    if argv.first().is_none_or(String::is_empty) {
        return Err(problem("`command` names no program".to_owned()));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(problem("`command` holds a NUL character, which no argument can".to_owned()));
    }
    let grace = params.grace.as_deref().map(values::duration).transpose().map_err(problem)?;
    Ok(Job {
        argv,
        cwd: cwd(params, cx),
        env: environment(params, cx)?,
        stdin: params.stdin.as_ref().map(|input| match input {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        }),
        grace: grace.unwrap_or(GRACE_DEFAULT),
    })
}

fn shell(params: &Params, script: &str) -> Result<Vec<String>, StepError> {
    let mut argv = match &params.shell {
        None => SHELL_DEFAULT.map(str::to_owned).to_vec(),
        Some(Value::Array(argv)) => texts("shell", argv)?,
        Some(shell) => {
            let name =
                values::scalar_text(shell).ok_or_else(|| StepError::parameter("`shell` is neither text nor a list"))?;
            vec![name, SHELL_DEFAULT[1].to_owned(), SHELL_DEFAULT[2].to_owned()]
        }
    };
    argv.push(script.to_owned());
    Ok(argv)
}

fn texts(field: &str, values: &[Value]) -> Result<Vec<String>, StepError> {
    let text = |(index, value)| {
        values::scalar_text(value)
            .ok_or_else(|| StepError::parameter(format!("`{field}[{index}]` is neither text nor a number")))
    };
    values.iter().enumerate().map(text).collect()
}

fn environment(params: &Params, cx: &StepContext) -> Result<Vec<(String, String)>, StepError> {
    let mut env = Vec::with_capacity(params.env.len() + 6);
    for (name, value) in &params.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(StepError::parameter(format!("`env` has a variable called `{name}`, which no system accepts")));
        }
        let value = values::scalar_text(value).filter(|text| !text.contains('\0'));
        let value = value.ok_or_else(|| StepError::parameter(format!("`env.{name}` is neither text nor a number")))?;
        env.push((name.clone(), value));
    }
    let mut ours = |name: &str, value: String| env.push((format!("CEPTRA_FLOW_{name}"), value));
    ours("RUN", cx.run.id.clone());
    ours("STEP", cx.step.to_string());
    ours("KEY", cx.key.as_ref().map(ToString::to_string).unwrap_or_default());
    ours("ATTEMPT", cx.attempt.to_string());
    ours("EPOCH", cx.run.epoch.0.to_string());
    ours("IDEMPOTENCY_KEY", cx.idempotency_key.clone());
    Ok(env)
}

fn not_started(argv: &[String], cwd: &Path, error: &io::Error) -> StepError {
    let program = &argv[0];
    let in_cwd = cwd.join(program);
    let why = match error.kind() {
        _ if !cwd.is_dir() => format!("its directory {} does not exist", cwd.display()),
        io::ErrorKind::NotFound if !program.contains('/') => {
            "there is no such program in PATH; install it, or write its full path".to_owned()
        }
        io::ErrorKind::NotFound if in_cwd.exists() => {
            "the program named in its first line (`#!…`) does not exist".to_owned()
        }
        io::ErrorKind::NotFound => format!("{} does not exist", in_cwd.display()),
        io::ErrorKind::PermissionDenied => "it is not executable by this user (`chmod +x`?)".to_owned(),
        io::ErrorKind::ArgumentListTooLong => {
            "its arguments and environment are longer than the system allows; pass data by `stdin`".to_owned()
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            "it is no program; a script needs a first line such as `#!/bin/sh`".to_owned()
        }
        _ => error.to_string(),
    };
    StepError::nothing("spawn", format!("cannot start `{program}`: {why}"))
}

fn judged(params: &Params, what: &str, finished: Finished, cx: &StepContext) -> Result<Value, StepError> {
    let Finished { ending, stdout, stderr } = finished;
    let code = match ending {
        Ending::Exited(code) => i64::from(code),
        Ending::Signalled(signal) => {
            let message = format!("{what} was killed by {}", signal_name(signal));
            return Err(failure(StepError::partial("signal", message), stdout, stderr, &cx.secrets));
        }
        Ending::TimedOut => {
            let message = format!("{what} was not done after {} and was stopped", values::shown(cx.timeout));
            return Err(failure(StepError::unknown("timeout", message), stdout, stderr, &cx.secrets));
        }
        Ending::Cancelled => {
            return Err(failure(
                StepError::unknown("cancelled", format!("{what} was stopped")),
                stdout,
                stderr,
                &cx.secrets,
            ));
        }
        Ending::Lost => {
            return Err(failure(
                StepError::unknown("lost", format!("nobody knows how {what} ended")),
                stdout,
                stderr,
                &cx.secrets,
            ));
        }
    };
    let is_ok = params.ok_codes.as_ref().map_or(code == 0, |codes| codes.contains(&code));
    if !is_ok {
        let error = StepError::partial("exit", format!("{what} exited with {code}")).with_exit_code(code);
        return Err(failure(error, stdout, stderr, &cx.secrets));
    }
    parsed(params.parse, what, code, stdout, stderr, &cx.secrets)
}

/// The failure, with the end of what the program printed.
fn failure(mut error: StepError, stdout: Captured, stderr: Captured, secrets: &Redactor) -> StepError {
    let (stdout, stderr) = (shown_end(stdout, secrets), shown_end(stderr, secrets));
    let last = [&stderr, &stdout].into_iter().find_map(|text| text.lines().rev().find(|line| !line.trim().is_empty()));
    if let Some(last) = last {
        error.message = format!("{}: {}", error.message, last.trim());
    }
    error.with_detail(json!({ "stdout": stdout, "stderr": stderr }))
}

/// Redacted before it is cut, or half a secret would be left.
fn shown_end(captured: Captured, secrets: &Redactor) -> String {
    let (bytes, _) = captured.end(secrets);
    let shown = secrets.bytes(&bytes);
    String::from_utf8_lossy(&shown[shown.len().saturating_sub(SHOWN_BYTES_MAX)..]).into_owned()
}

fn parsed(
    parse: Parse,
    what: &str,
    code: i64,
    stdout: Captured,
    stderr: Captured,
    secrets: &Redactor,
) -> Result<Value, StepError> {
    let (stdout, cut) = stdout.end(secrets);
    let (mut output, cut) = match parse {
        Parse::Json => return document(what, &stdout, cut, secrets),
        Parse::Text => {
            let (stderr, stderr_cut) = stderr.end(secrets);
            let output = json!({ "stdout": String::from_utf8_lossy(&stdout), "stderr": String::from_utf8_lossy(&stderr), "exit_code": code });
            (output, cut + stderr_cut)
        }
        Parse::Lines => (json!({ "lines": lines(&stdout), "exit_code": code }), cut),
    };
    if cut > 0 {
        output["cut"] = json!(cut);
    }
    Ok(output)
}

fn lines(stdout: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(stdout).lines().map(str::to_owned).collect()
}

fn document(what: &str, stdout: &[u8], cut: u64, secrets: &Redactor) -> Result<Value, StepError> {
    if cut > 0 {
        let kept = KEPT_BYTES_MAX / (1024 * 1024);
        return Err(StepError::partial(
            "parse",
            format!("{what} succeeded, but printed more than the {kept} MiB that are read as JSON"),
        ));
    }
    serde_json::from_slice(stdout).map_err(|error| {
        let shown = secrets.bytes(stdout);
        let begin = String::from_utf8_lossy(&shown[..shown.len().min(200)]).into_owned();
        let found = if begin.trim().is_empty() { "nothing at all".to_owned() } else { format!("{:?}", begin.trim()) };
        let message =
            format!("{what} succeeded, but stdout is not one JSON document ({error}); it begins with {found}");
        StepError::partial("parse", message)
    })
}

/// The output where `creates` shows that there was nothing to do.
fn not_run(parse: Parse) -> Value {
    match parse {
        Parse::Text => json!({ "stdout": "", "stderr": "", "exit_code": 0 }),
        Parse::Lines => json!({ "lines": [], "exit_code": 0 }),
        Parse::Json => Value::Null,
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGQUIT => "QUIT",
        libc::SIGILL => "ILL",
        libc::SIGABRT => "ABRT",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGKILL => "KILL (out of memory?)",
        libc::SIGSEGV => "SEGV",
        libc::SIGPIPE => "PIPE",
        libc::SIGTERM => "TERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {name}")
}
