//! What a step's expressions may read, as an owned snapshot.

use super::cel::Condition;
use super::helpers::to_text;
use super::render::{Names, render, render_value};
use super::template::{Template, is_template};
use ceptra_flow_core::Json;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Parsed texts that are kept; a plan has few distinct ones, a hostile plan may have many.
const CACHED_MAX: usize = 4096;

/// Expressions by their text.
#[derive(Default)]
pub(crate) struct Parsed {
    templates: Mutex<HashMap<Box<str>, Arc<Template>>>,
    conditions: Mutex<HashMap<Box<str>, Arc<Condition>>>,
}

impl Parsed {
    pub(crate) fn template(&self, text: &str) -> Result<Arc<Template>, String> {
        cached(&self.templates, text, || Template::parse(text).map_err(|error| error.message))
    }

    pub(crate) fn condition(&self, text: &str) -> Result<Arc<Condition>, String> {
        cached(&self.conditions, text, || Condition::parse(text).map_err(|error| error.message))
    }
}

fn cached<T>(
    kept: &Mutex<HashMap<Box<str>, Arc<T>>>,
    text: &str,
    parse: impl FnOnce() -> Result<T, String>,
) -> Result<Arc<T>, String> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = kept.get(text) {
        return Ok(found.clone());
    }
    let parsed = Arc::new(parse()?);
    if kept.len() >= CACHED_MAX {
        kept.clear();
    }
    kept.insert(text.into(), parsed.clone());
    Ok(parsed)
}

/// What is the same for every step of a run.
pub(crate) struct Fixed {
    pub(crate) inputs: Value,
    pub(crate) target: Value,
    pub(crate) env: Value,
    pub(crate) parsed: Parsed,
}

/// What a step's expressions may read: an owned snapshot, cheap to clone, that a worker can evaluate later.
#[derive(Clone)]
pub struct Scope {
    pub(crate) fixed: Arc<Fixed>,
    pub(crate) run: Arc<Value>,
    pub(crate) item: Option<Arc<Value>>,
    pub(crate) index: Option<usize>,
    /// The steps that the expressions read, by id.
    pub(crate) steps: Option<Arc<Value>>,
    /// The step's own output, once it has one (for `undo`).
    pub(crate) output: Option<Arc<Value>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Inputs hold secrets.
        out.debug_struct("Scope").field("run", &self.run).field("index", &self.index).finish_non_exhaustive()
    }
}

/// A scope with an output that it does not own.
struct With<'s> {
    scope: &'s Scope,
    output: Option<&'s Value>,
}

impl Names for With<'_> {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        let scope = self.scope;
        Some(match name {
            "inputs" => Cow::Borrowed(&scope.fixed.inputs),
            "target" => Cow::Borrowed(&scope.fixed.target),
            "env" => Cow::Borrowed(&scope.fixed.env),
            "run" => Cow::Borrowed(&*scope.run),
            "steps" => Cow::Borrowed(scope.steps.as_deref()?),
            "item" => Cow::Borrowed(scope.item.as_deref()?),
            "index" => Cow::Owned(Value::from(scope.index?)),
            "output" => Cow::Borrowed(self.output.or(scope.output.as_deref())?),
            _ => return None,
        })
    }
}

impl Scope {
    fn with<'s>(&'s self, output: Option<&'s Value>) -> With<'s> {
        With { scope: self, output }
    }

    pub(crate) fn names(&self) -> impl Names + '_ {
        self.with(None)
    }

    /// Whether a condition holds; `output` is in scope when given (`verify`, `until`, `done`, `not_done`).
    ///
    /// # Errors
    /// Why it cannot be evaluated, for people.
    pub fn check(&self, cel: &str, output: Option<&Value>) -> Result<bool, String> {
        let condition = self.fixed.parsed.condition(cel)?;
        condition.holds(&self.with(output)).map_err(|why| format!("`{cel}`: {why}"))
    }

    /// A template's text; a template that is exactly one reference to a list or a table gives its JSON.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render(&self, template: &str) -> Result<String, String> {
        self.render_about(template, None)
    }

    /// Like [`render`](Self::render), with `output` in scope (a check's `message`).
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_about(&self, template: &str, output: Option<&Value>) -> Result<String, String> {
        let value = self.value(template, output)?;
        to_text(&value).map_err(|why| format!("`{template}`: {why}"))
    }

    /// Parameters with every template rendered; `output` is in scope when given.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_with(&self, with: &Json, output: Option<&Value>) -> Result<Value, String> {
        let value = with.value();
        if !is_template(with.as_str()) {
            return Ok(value);
        }
        self.render_json(value, output)
    }

    /// Any value with every template in it rendered.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_json(&self, value: Value, output: Option<&Value>) -> Result<Value, String> {
        render_value(value, &mut |text| self.value(text, output))
    }

    pub(crate) fn value(&self, template: &str, output: Option<&Value>) -> Result<Value, String> {
        if !is_template(template) {
            return Ok(Value::String(template.to_owned()));
        }
        let parsed = self.fixed.parsed.template(template)?;
        render(&parsed, &self.with(output)).map_err(|why| format!("`{template}`: {why}"))
    }

    /// The value that a path such as `steps.restore.output` names.
    pub(crate) fn named(&self, path: &str) -> Result<Value, String> {
        self.value(&format!("{{{{ {path} }}}}"), None)
    }
}

/// An object with these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<String, Value>>())
}
