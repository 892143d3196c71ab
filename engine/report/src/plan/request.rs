//! A step's parameters as the command or request that they are.

use crate::text::{shell_word, shortened};
use ceptra_flow_core::plan::StepPlan;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Longer ones are cut: `--format json` has all of it.
const REQUEST_CHARS_MAX: usize = 400;

/// What a step will do, on one line.
pub(super) fn request(step: &StepPlan, with: &Value) -> String {
    let kind = &*step.kind;
    let Value::Object(fields) = with else { return format!("{kind} {with}") };
    let text = match kind {
        "exec" => exec(fields),
        "http" => http(fields),
        "wait" => rest("wait", fields, &[]),
        "approval" => {
            let asked = step.approval().map_or("", |approval| &approval.prompt);
            format!("ask: {}", fields.get("prompt").map_or_else(|| asked.to_owned(), plain))
        }
        "manual" => {
            let asked = step.manual().map_or("", |manual| &manual.instructions);
            format!("by hand: {}", fields.get("instructions").map_or_else(|| asked.to_owned(), plain))
        }
        _ => rest(kind, fields, &[]),
    };
    shortened(&text.trim().replace('\n', " ⏎ "), REQUEST_CHARS_MAX).into_owned()
}

fn exec(fields: &Map<String, Value>) -> String {
    let command = match (fields.get("command"), fields.get("script")) {
        (Some(Value::Array(words)), _) => {
            let words: Vec<String> = words.iter().map(|word| quoted(&plain(word))).collect();
            words.join(" ")
        }
        (Some(other), _) => plain(other),
        (None, Some(script)) => {
            let shell = fields.get("shell").map_or_else(|| "shell".to_owned(), plain);
            format!("{shell}: {}", plain(script).trim_end())
        }
        (None, None) => String::new(),
    };
    rest(&format!("$ {command}"), fields, &["command", "script", "shell", "parse"])
}

fn http(fields: &Map<String, Value>) -> String {
    let method = fields.get("method").map_or_else(|| "GET".to_owned(), plain);
    let url = fields.get("url").map_or(String::new(), plain);
    rest(&format!("{method} {url}"), fields, &["method", "url", "expect", "parse"])
}

/// The fields that were not said yet.
fn rest(start: &str, fields: &Map<String, Value>, said: &[&str]) -> String {
    let mut text = start.to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| !said.contains(&name.as_str())) {
        write!(text, " {name}={}", short_value(value)).expect("writing to a String cannot fail");
    }
    text
}

/// A template stays readable: it is not a word of the command yet.
fn quoted(word: &str) -> String {
    if word.contains("{{") { word.to_owned() } else { shell_word(word).into_owned() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn short_value(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains("{{") => text.clone(),
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
