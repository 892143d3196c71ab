//! From documents to the parts of a plan. One function per table of the format; each tells everything that is wrong with
//! its table and goes on. Start at [`file::read`].

pub(crate) mod body;
pub(crate) mod declaration;
mod effect;
pub(crate) mod file;
pub(crate) mod head;
pub(crate) mod person;
pub(crate) mod plan;
pub(crate) mod step;
mod timing;

use crate::check::expressions::{Elements, StepUse, Where, template};
use crate::check::shape::bad_duration;
use crate::codes;
use crate::diagnostic::Sink;
use crate::expr::Scope;
use crate::expr::template::is_template;
use crate::inputs::{Declared, InputDecl};
use crate::syntax::node::{Node, shown};
use crate::units::duration_ms;
use ceptra_flow_core::catalog::StepType;
use ceptra_flow_core::{Name, StepIx};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a runbook while its steps are read.
pub(crate) struct Known<'k> {
    pub(crate) inputs: Vec<Declared>,
    input_places: HashMap<String, usize>,
    pub(crate) target: Option<Arc<Value>>,
    pub(crate) env_listed: Vec<String>,
    pub(crate) steps: HashMap<&'k str, StepIx>,
    pub(crate) uses: Vec<StepUse>,
    /// The names that have values before the run.
    pub(crate) values: Option<Scope>,
    /// Whether every input has its value; not so when only the file is checked.
    pub(crate) complete: bool,
    kinds: HashMap<&'static str, (&'k StepType, Name)>,
}

impl<'k> Known<'k> {
    pub(crate) fn new(catalog: &'k [StepType], target: Option<Arc<Value>>) -> Self {
        let kinds = catalog.iter().map(|kind| (kind.name, (kind, Name::from(kind.name)))).collect();
        Self {
            inputs: Vec::new(),
            input_places: HashMap::new(),
            target,
            env_listed: Vec::new(),
            steps: HashMap::new(),
            uses: Vec::new(),
            values: None,
            complete: false,
            kinds,
        }
    }

    pub(crate) fn declare(&mut self, inputs: Vec<Declared>) {
        self.input_places = inputs.iter().enumerate().map(|(at, one)| (one.decl.name.clone(), at)).collect();
        self.inputs = inputs;
    }

    pub(crate) fn input(&self, name: &str) -> Option<&InputDecl> {
        self.input_places.get(name).map(|at| &self.inputs[*at].decl)
    }

    pub(crate) fn has_env(&self, name: &str) -> bool {
        self.values.as_ref().is_some_and(|scope| scope.fixed.env.get(name).is_some())
    }

    /// The step type with this name, and the name that all its steps share.
    pub(crate) fn kind(&self, name: &str) -> Option<(&'k StepType, Name)> {
        self.kinds.get(name).map(|(kind, shared)| (*kind, shared.clone()))
    }

    /// The step that was probably meant, or which there are.
    pub(crate) fn like_step(&self, name: &str) -> String {
        if self.steps.len() > 1000 {
            let close = crate::units::closest(name, self.steps.keys().copied());
            return close
                .map_or_else(|| "no step has an id like it".to_owned(), |close| format!("did you mean `{close}`?"));
        }
        let mut ids: Vec<&str> = self.steps.keys().copied().collect();
        ids.sort_unstable();
        crate::units::did_you_mean(name, ids)
    }

    pub(crate) fn kind_names(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = self.kinds.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

/// Types that the format knows and this version does not.
const LATER_TYPES: [&str; 5] = ["ssh", "object", "kubernetes", "runbook", "notify"];

/// The step type that a node names.
pub(crate) fn kind<'k>(known: &Known<'k>, sink: &mut Sink<'_>, node: Node<'_>) -> Option<(&'k StepType, Name)> {
    let name = node.string(sink)?;
    let found = known.kind(name);
    if found.is_none() {
        if LATER_TYPES.contains(&name) {
            not_available(sink, node, &format!("the step type `{name}`"), "use `exec` or `http` for now");
        } else {
            let help = format!(
                "{}\n`ceptra-flow steps` lists all of them",
                crate::units::did_you_mean(name, known.kind_names())
            );
            sink.error(
                codes::UNKNOWN_TYPE,
                node.span(),
                format!("there is no step type `{}`", shown(name)),
                "unknown type",
                help,
            );
        }
    }
    found
}

/// Says that something belongs to a later version.
pub(crate) fn not_available(sink: &mut Sink<'_>, node: Node<'_>, what: &str, help: &str) {
    sink.error(codes::NOT_AVAILABLE, node.span(), format!("{what} is not available in this version"), "", help);
}

/// The text of a node whose templates must be known before the run.
fn text_now(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, text: &str) -> Option<Value> {
    let what = format!("`{}`", node.key);
    let before = sink.count();
    template(known, sink, node, text, &Where::now(&what))?;
    if sink.count() > before {
        return None;
    }
    let scope = known.values.as_ref()?;
    match scope.value(text, None) {
        Ok(value) => Some(value),
        Err(_) if !known.complete => None,
        Err(why) => {
            sink.error(
                codes::BAD_VALUE,
                node.span(),
                format!("{what} has no value: {why}"),
                "",
                "give the input a value, or write the value here",
            );
            None
        }
    }
}

/// A duration in ms, which may be a template over inputs.
pub(crate) fn duration(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>) -> Option<u64> {
    let Some(text) = node.as_str() else {
        node.wrong_type(sink, "a duration", format!("write  {} = \"10m\"", node.key));
        return None;
    };
    if !is_template(text) {
        let found = duration_ms(text);
        if found.is_none() {
            bad_duration(sink, node, text);
        }
        return found;
    }
    let value = text_now(known, sink, node, text)?;
    let found = value.as_str().and_then(duration_ms);
    if found.is_none() {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        bad_duration(sink, node, &text);
    }
    found
}

/// A number of at least one, which may be a template over inputs.
pub(crate) fn count(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>) -> Option<u32> {
    match node.as_str() {
        Some(text) if is_template(text) => {
            let value = text_now(known, sink, node, text)?;
            let found = value
                .as_u64()
                .or_else(|| value.as_str()?.parse().ok())
                .and_then(|count| u32::try_from(count).ok())
                .filter(|count| *count > 0);
            if found.is_none() {
                node.bad_value(
                    sink,
                    format!("`{}` must be a whole number from 1, not {value}", node.key),
                    "change the input that it comes from",
                );
            }
            found
        }
        _ => node.count(sink, 1),
    }
}

/// Text that may be a template over what is known before the run.
pub(crate) fn text(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>) -> Option<String> {
    let text = node.string(sink)?;
    if !is_template(text) {
        return Some(text.to_owned());
    }
    match text_now(known, sink, node, text)? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// A list of names; they stand in records and views, so they are short and on one line.
pub(crate) fn names(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, of: &str) -> Vec<Name> {
    let Some(list) = node.list(sink, of) else {
        return Vec::new();
    };
    let mut names: Vec<Name> = Vec::new();
    for one in list {
        let Some(text) = text(known, sink, one) else {
            continue;
        };
        if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
            sink.error(
                codes::BAD_NAME,
                one.span(),
                format!("`{}` cannot be a name", shown(&text)),
                "",
                "use 1 to 128 characters on one line",
            );
        } else if !names.iter().any(|name| **name == *text) {
            names.push(Name::from(text));
        }
    }
    names
}

/// Why the instances of a `for_each` cannot be, where that is known before the run.
fn known_instances(known: &Known<'_>, elements: &Elements, key: Option<&str>) -> Option<String> {
    let (list, scope) = (elements.0.as_ref()?, known.values.as_ref()?);
    let why = crate::expr::instances(scope, Value::Array(list.clone()), key).err()?;
    // Anything else may be for want of an input's value, or is found when it is rendered.
    why.contains("keys must be unique").then_some(why)
}
