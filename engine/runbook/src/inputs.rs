//! Typed parameters of a runbook: declarations, and the values given for them.
//!
//! A secret's value never comes here: a plan keeps only where it comes from. Start at [`InputDecl`].

use crate::diagnostic::{Sink, Span};
use crate::expr::helpers::kind;
use crate::lower::declaration;
use crate::units::duration_ms;
use crate::{Source, codes};
use ceptra_flow_core::plan::SecretSource;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `30s`, `1h30m`.
    Duration,
    /// A list.
    List,
    /// A table.
    Table,
}

impl InputType {
    pub(crate) const NAMED: [(&'static str, Self); 7] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("duration", Self::Duration),
        ("list", Self::List),
        ("table", Self::Table),
    ];

    /// As in `type = "…"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Table => "table",
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Duration => "a duration such as 30s or 1h30m",
            Self::List => "a list such as [\"a\", \"b\"]",
            Self::Table => "a table such as { a = 1 }",
        }
    }
}

/// A value from outside the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `--set name=text`, or typed at a prompt: read by the input's type.
    Text(String),
    /// From `--inputs FILE`: already typed.
    Value(Value),
}

/// One `[inputs.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDecl {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: InputType,
    /// For prompts.
    pub description: Option<String>,
    /// Used when nothing is given; durations as text.
    pub default: Option<Value>,
    /// A regular expression for text.
    pub pattern: Option<String>,
    /// The only values allowed; empty is any.
    pub one_of: Vec<Value>,
    /// The least number (durations in ms).
    pub minimum: Option<f64>,
    /// The greatest number (durations in ms).
    pub maximum: Option<f64>,
    /// Where its value comes from, for a secret.
    pub secret: Option<SecretSource>,
}

/// Memory of a compiled pattern; patterns come from files that anybody may have written.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(crate) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

impl InputDecl {
    /// Whether a run needs a value from outside.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default.is_none() && self.secret.is_none()
    }

    /// The typed value of a text (from `--set` or a prompt).
    ///
    /// # Errors
    /// What is wrong with it, a lowercase fragment.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let wrong = || format!("`{}` is not {}", crate::expr::shown(text), self.kind.described());
        let value = match self.kind {
            InputType::String | InputType::Duration => Value::String(text.to_owned()),
            InputType::Integer => text
                .trim()
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_| text.trim().parse::<u64>().map(Value::from))
                .map_err(|_| wrong())?,
            InputType::Number => {
                serde_json::from_str::<serde_json::Number>(text.trim()).map(Value::Number).map_err(|_| wrong())?
            }
            InputType::Boolean => match text.trim() {
                "true" | "yes" => Value::Bool(true),
                "false" | "no" => Value::Bool(false),
                _ => return Err(wrong()),
            },
            InputType::List | InputType::Table => document(text).ok_or_else(wrong)?,
        };
        self.accept(value)
    }

    /// The value, when the declaration allows it.
    ///
    /// # Errors
    /// What is wrong with it, a lowercase fragment.
    pub fn accept(&self, value: Value) -> Result<Value, String> {
        let number = match (self.kind, &value) {
            (InputType::String, Value::String(_))
            | (InputType::Boolean, Value::Bool(_))
            | (InputType::List, Value::Array(_))
            | (InputType::Table, Value::Object(_)) => None,
            (InputType::Number, Value::Number(number)) => number.as_f64(),
            (InputType::Integer, Value::Number(number)) if !number.is_f64() => number.as_f64(),
            (InputType::Duration, Value::String(text)) => match duration_ms(text) {
                #[expect(clippy::cast_precision_loss, reason = "compared with bounds that people type")]
                Some(ms) => Some(ms as f64),
                None => return Err(format!("`{}` is not {}", crate::expr::shown(text), self.kind.described())),
            },
            (_, other) => return Err(format!("it must be {}, not {}", self.kind.described(), kind(other))),
        };
        if let (Some(pattern), Value::String(text)) = (&self.pattern, &value)
            && compile_pattern(pattern).is_ok_and(|pattern| !pattern.is_match(text))
        {
            return Err(format!("`{}` does not match `{pattern}`", crate::expr::shown(text)));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            let allowed: Vec<String> = self.one_of.iter().map(ToString::to_string).collect();
            return Err(format!("{value} is not one of {}", allowed.join(", ")));
        }
        if let (Some(number), Some(minimum)) = (number, self.minimum)
            && number < minimum
        {
            return Err(format!("{value} is less than {}", self.bound(minimum)));
        }
        if let (Some(number), Some(maximum)) = (number, self.maximum)
            && number > maximum
        {
            return Err(format!("{value} is more than {}", self.bound(maximum)));
        }
        Ok(value)
    }

    fn bound(&self, bound: f64) -> String {
        match self.kind {
            InputType::Duration => format!("{bound}ms"),
            InputType::String
            | InputType::Integer
            | InputType::Number
            | InputType::Boolean
            | InputType::List
            | InputType::Table => bound.to_string(),
        }
    }
}

/// A list or a table typed as JSON or as a TOML value; deep ones are refused before anything recursive sees them.
fn document(text: &str) -> Option<Value> {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > 10_000 {
        return None;
    }
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let line = format!("value = {text}");
    let mut sink = Sink::new("");
    let layout = crate::syntax::scan::scan(&line, &mut sink);
    if sink.failed() || !layout.whole_fits() {
        return None;
    }
    let document = crate::syntax::document::Document::whole(&line);
    let (table, failed) = document.parse(&mut sink);
    let node = crate::syntax::node::Fields::root(&table, &document).get("value")?;
    let value = node.json(&mut sink);
    (!failed && !sink.failed()).then_some(value)
}

/// The inputs that a file declares, as far as they can be read; findings are [`check`](crate::check)'s business.
#[must_use]
pub fn inputs(source: &Source<'_>) -> Vec<InputDecl> {
    let mut sink = Sink::new(source.name);
    declaration::of_file(source.text, &mut sink)
}

/// A declaration with its place in the file.
pub(crate) struct Declared {
    pub(crate) decl: InputDecl,
    pub(crate) span: Span,
}

/// The values for a plan: given ones, else defaults. Secrets and what has no value are left out.
pub(crate) fn values(
    declared: &[Declared],
    given: &BTreeMap<String, Given>,
    sink: &mut Sink<'_>,
) -> Map<String, Value> {
    let mut values = Map::new();
    for name in given.keys() {
        if !declared.iter().any(|one| one.decl.name == *name) {
            let names: Vec<&str> = declared.iter().map(|one| one.decl.name.as_str()).collect();
            sink.error_elsewhere(
                codes::INPUT_UNKNOWN,
                format!("the runbook has no input `{}`", crate::expr::shown(name)),
                crate::units::did_you_mean(name, names),
            );
        }
    }
    for Declared { decl, span } in declared {
        let name = &decl.name;
        if decl.secret.is_some() {
            if given.contains_key(name) {
                sink.error(
                    codes::SECRET_GIVEN,
                    *span,
                    format!("`{name}` is a secret and cannot be given as text"),
                    "declared here",
                    "command lines and files are seen by others: put the value where `from` says",
                );
            }
            continue;
        }
        let value = match given.get(name) {
            Some(Given::Text(text)) => decl.read(text),
            Some(Given::Value(value)) => decl.accept(value.clone()),
            None => match &decl.default {
                Some(default) => Ok(default.clone()),
                None => {
                    let about = decl.description.as_deref().map(|about| format!(" ({about})")).unwrap_or_default();
                    sink.error(
                        codes::INPUT_MISSING,
                        *span,
                        format!("the input `{name}` has no value{about}"),
                        "declared here, without a default",
                        format!(
                            "give it with  --set {name}=…  or in a file with  --inputs FILE;  it must be {}",
                            decl.kind.described()
                        ),
                    );
                    continue;
                }
            },
        };
        match value {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(why) => sink.error(
                codes::INPUT_BAD,
                *span,
                format!("the value given for `{name}` is not allowed: {why}"),
                "declared here",
                format!("give {} with  --set {name}=…", decl.kind.described()),
            ),
        }
    }
    values
}
