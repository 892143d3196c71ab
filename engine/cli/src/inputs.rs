//! Values from outside: `--set`, `--inputs FILE`, prompts at a terminal; and secrets from their sources.
//!
//! A secret is read when a run starts or is resumed, handed to the driver and kept nowhere. Start at [`given`] and [`secrets`].

use crate::app::App;
use crate::compile::{Asking, PlanArgs};
use crate::exit::CommandError;
use crate::files;
use ceptra_flow_core::plan::{SecretInput, SecretSource};
use ceptra_flow_runbook::{Given, InputDecl, Source};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Values by name: files first, `--set` over them, prompts for what is still missing.
pub(crate) fn given(
    app: &App,
    source: &Source<'_>,
    args: &PlanArgs,
    asking: Asking,
) -> Result<BTreeMap<String, Given>, CommandError> {
    let mut given = BTreeMap::new();
    for path in &args.inputs {
        given.extend(read_file(Path::new(path))?.into_iter().map(|(name, value)| (name, Given::Value(value))));
    }
    for (name, text) in &args.set {
        given.insert(name.clone(), Given::Text(text.clone()));
    }
    if asking == Asking::Allowed && app.console.can_ask() {
        for declared in ceptra_flow_runbook::inputs(source) {
            if declared.is_required()
                && !given.contains_key(&declared.name)
                && let Some(text) = ask(app, &declared)
            {
                given.insert(declared.name, Given::Text(text));
            }
        }
    }
    Ok(given)
}

/// A file of values: JSON if it begins like it, else TOML.
fn read_file(path: &Path) -> Result<Map<String, Value>, CommandError> {
    let wrong = |what: String| {
        CommandError::usage(
            format!("`{}` cannot be read as inputs: {what}", path.display()),
            "write one value a line, as in  ticket = \"INC-1\"  (TOML), or a JSON object",
        )
    };
    let text = String::from_utf8(files::read(path)?).map_err(|_| wrong("it is not UTF-8 text".into()))?;
    let value = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
    } else {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        from_toml(toml::Value::Table(table))
    };
    match value {
        Value::Object(values) => Ok(values),
        _ => Err(wrong("it is not a table".into())),
    }
}

/// TOML as JSON; dates and times as text.
pub(crate) fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, from_toml(value))).collect())
        }
    }
}

/// Asks until the answer fits, or the person gives up.
pub(crate) fn ask(app: &App, declared: &InputDecl) -> Option<String> {
    let about = declared.description.as_ref().map_or(String::new(), |about| format!(" ({about})"));
    loop {
        let text = app.console.ask(&format!("{}{about}: ", declared.name))?;
        if text.is_empty() {
            return None;
        }
        match declared.read(&text) {
            Ok(_) => return Some(text),
            Err(why) => app.console.trouble(&format!("  {why}\n")),
        }
    }
}

/// The values of secret inputs, from where the runbook says they are.
pub(crate) fn secrets(inputs: &[SecretInput]) -> Result<BTreeMap<String, String>, CommandError> {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for input in inputs {
        match read_secret(&input.from) {
            Ok(value) => drop(values.insert(input.name.to_string(), value)),
            Err(why) => missing.push(format!("`{}`: {why}", input.name)),
        }
    }
    if missing.is_empty() {
        return Ok(values);
    }
    Err(CommandError::usage(
        format!("a secret input has no value: {}", missing.join("; ")),
        "secrets are never stored, so they are needed at every start and resume: provide them where the runbook's `from` says",
    ))
}

fn read_secret(from: &SecretSource) -> Result<String, String> {
    let value = match from {
        SecretSource::Env(name) => {
            std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
        }
        SecretSource::File(path) => {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {}", files::plain(&error)))?
        }
        SecretSource::Command(command) => output_of(command)?,
    };
    let value = match from {
        SecretSource::Env(_) => value.as_str(),
        SecretSource::File(_) | SecretSource::Command(_) => {
            value.strip_suffix('\n').map_or(value.as_str(), |line| line.strip_suffix('\r').unwrap_or(line))
        }
    };
    if value.is_empty() { Err("it is empty".into()) } else { Ok(value.to_owned()) }
}

fn output_of(command: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = command.split_first() else { return Err("its command is empty".into()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run {program}: {}", files::plain(&error)))?;
    if !output.status.success() {
        return Err(format!("{program} ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("what {program} printed is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceptra_flow_core::Name;
    use serde_json::json;

    fn secret(from: SecretSource) -> SecretInput {
        SecretInput { name: Name::from("token"), from }
    }

    #[test]
    fn secrets_come_from_their_sources_without_the_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cr3t\n\n").unwrap();
        let read = |from| {
            secrets(&[secret(from)])
                .map(|mut values| values.remove("token").unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(SecretSource::File(path.display().to_string())).unwrap(), "s3cr3t\n");
        assert_eq!(read(SecretSource::Command(vec!["echo".into(), "x y".into()])).unwrap(), "x y");
        assert!(
            read(SecretSource::Env("CEPTRA_FLOW_NO_SUCH".into()))
                .unwrap_err()
                .contains("CEPTRA_FLOW_NO_SUCH is not set")
        );
        assert!(read(SecretSource::Command(vec!["false".into()])).unwrap_err().contains("exit status: 1"));
        assert!(read(SecretSource::File("/no/such/file".into())).unwrap_err().contains("no such file"));
    }

    #[test]
    fn inputs_are_read_from_toml_and_json() {
        let dir = tempfile::tempdir().unwrap();
        for text in [
            "ticket = \"INC-1\"\nsizes = [1, 2.5]\nat = 2026-01-01",
            "{\"ticket\": \"INC-1\", \"sizes\": [1, 2.5], \"at\": \"2026-01-01\"}",
        ] {
            let path = dir.path().join("inputs");
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                Value::Object(read_file(&path).unwrap()),
                json!({"ticket": "INC-1", "sizes": [1, 2.5], "at": "2026-01-01"})
            );
        }
        std::fs::write(dir.path().join("bad"), "= x").unwrap();
        assert_eq!(crate::exit::exit_of(&read_file(&dir.path().join("bad")).unwrap_err()).code(), 2);
    }
}
