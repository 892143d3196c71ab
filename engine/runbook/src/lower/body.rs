//! A step's type and parameters, in a step, a probe or an undo.

use super::{Known, duration, kind};
use crate::check::expressions::{Secrets, Where};
use crate::check::shape::parameters;
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::lower::step::TIMEOUT_MS;
use crate::syntax::node::{Node, missing_key, shown};
use ceptra_flow_core::catalog::StepType;
use ceptra_flow_core::plan::Body;
use ceptra_flow_core::{Effect, Json, Name};
use serde_json::{Map, Value};

/// A type with its parameters.
pub(crate) struct Typed<'k> {
    pub(crate) kind: &'k StepType,
    pub(crate) name: Name,
    pub(crate) with: Value,
}

/// Reads `type` and `with`. `at` is where the parameters stand.
pub(crate) fn typed<'k>(
    known: &mut Known<'k>,
    sink: &mut Sink<'_>,
    type_node: Node<'_>,
    with_node: Option<Node<'_>>,
    at_key: Span,
    at: &Where<'_>,
) -> Option<Typed<'k>> {
    let (kind, name) = kind(known, sink, type_node)?;
    let with = parameters_of(known, sink, kind, with_node, at_key, at);
    Some(Typed { kind, name, with })
}

/// Checks the parameters of a known type. A person's are read by [`person`](super::person), which knows more of them.
fn parameters_of(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    kind: &StepType,
    node: Option<Node<'_>>,
    at_key: Span,
    at: &Where<'_>,
) -> Value {
    let Some(node) = node else {
        let with = Value::Object(Map::new());
        for field in kind.params.fields.iter().filter(|field| field.required) {
            missing_key(
                sink,
                at_key,
                &format!("`{}`", kind.name),
                field.name,
                &format!("with = {{ {} = … }};  `ceptra-flow steps {}` shows all", field.name, kind.name),
            );
        }
        operations(known, sink, kind, &with, at_key);
        return with;
    };
    let Some(fields) = node.table(sink) else {
        return Value::Object(Map::new());
    };
    if kind.by_person {
        return node.json(sink);
    }
    // What `set` and `assert` are given is what they give back, so it is recorded.
    let stored = format!("the output of `{}`", kind.name);
    let at = if kind.inline { Where { secrets: Secrets::Stored(&stored), ..at.clone() } } else { at.clone() };
    parameters(known, sink, fields, &kind.params, kind.name, &at);
    let with = node.json(sink);
    for problem in (kind.check)(&with) {
        let at = fields.get(problem.field).map_or(node.span(), Node::span);
        sink.error(codes::PARAMETERS, at, format!("`{}`: {}", kind.name, problem.message), "", problem.help);
    }
    operations(known, sink, kind, &with, node.key_span());
    with
}

/// Refuses a binding of the target that cannot work; an operation without one has the default.
fn operations(known: &Known<'_>, sink: &mut Sink<'_>, kind: &StepType, with: &Value, at: Span) {
    let Some(target) = known.target.as_deref() else {
        return;
    };
    for operation in (kind.operations)(with) {
        let Some(binding) = target.get("operations").and_then(|all| all.get(operation)) else {
            continue;
        };
        let ways = ["http", "exec", "kubernetes"];
        if binding.get("kubernetes").is_some() {
            sink.error(
                codes::BINDING,
                at,
                format!("`{}` calls `{operation}`, which the target binds to kubernetes; that is not available in this version", kind.name),
                "",
                format!("bind it with http or exec in the target:  [operations.{operation}]"),
            );
        } else if !ways.iter().any(|way| binding.get(way).is_some()) {
            sink.error(
                codes::BINDING,
                at,
                format!("`{}` calls `{operation}`, and the target's binding of it says not how", kind.name),
                "",
                format!("add  http = {{ … }}  or  exec = [ … ]  to [operations.{operation}] in the target, or take the table out for the default"),
            );
        }
    }
}

/// What a body says, key by key.
#[derive(Default)]
pub(crate) struct Raw<'d> {
    pub(crate) kind: Option<Node<'d>>,
    pub(crate) with: Option<Node<'d>>,
    pub(crate) timeout: Option<Node<'d>>,
    pub(crate) effect: Option<Node<'d>>,
}

impl<'d> Raw<'d> {
    /// Takes a key that every body has.
    pub(crate) fn take(&mut self, node: Node<'d>) -> bool {
        match node.key {
            "type" => self.kind = Some(node),
            "with" => self.with = Some(node),
            "timeout" => self.timeout = Some(node),
            "effect" => self.effect = Some(node),
            _ => return false,
        }
        true
    }

    /// The body, with the type's declaration.
    pub(crate) fn read<'k>(
        self,
        known: &mut Known<'k>,
        sink: &mut Sink<'_>,
        what: &str,
        span: Span,
        at: &Where<'_>,
    ) -> Option<(Body, Typed<'k>)> {
        let timeout_ms = self.timeout.and_then(|node| duration(known, sink, node)).unwrap_or(TIMEOUT_MS);
        let declared = self.effect.and_then(|node| node.choice(sink, &EFFECTS));
        let Some(type_node) = self.kind else {
            missing_key(sink, span, what, "type", "type = \"exec\"");
            return None;
        };
        let typed = typed(known, sink, type_node, self.with, span, at)?;
        if typed.kind.by_person {
            sink.error(
                codes::BY_PERSON,
                type_node.span(),
                format!("{what} cannot be a `{}`", shown(typed.kind.name)),
                "a person's step",
                "use a step that runs by itself, such as `exec`",
            );
        }
        let effect = declared.unwrap_or_else(|| (typed.kind.effect)(&typed.with));
        let with = Json::of(&typed.with);
        Some((Body { kind: typed.name.clone(), with, effect, timeout_ms }, typed))
    }
}

/// The words for effects.
pub(crate) const EFFECTS: [(&str, Effect); 5] = [
    ("read", Effect::Read),
    ("idempotent", Effect::Idempotent),
    ("keyed", Effect::Keyed),
    ("probe", Effect::Probe),
    ("once", Effect::Once),
];
