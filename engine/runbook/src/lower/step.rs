//! `[steps.ID]` and `[finally.ID]`.

use super::body::{Typed, typed};
use super::effect::{effect, outcome};
use super::head::Defaults;
use super::timing::timing;
use super::{Known, count, names, person};
use crate::check::expressions::{Elements, Secrets, Where, condition, template};
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::expr::known::is_known_now;
use crate::expr::reads::paths;
use crate::expr::template::is_template;
use crate::lower::known_instances;
use crate::syntax::node::{Fields, Node, missing_key, shown, unknown_key};
use crate::syntax::scan::Section;
use ceptra_flow_core::catalog::Shape;
use ceptra_flow_core::plan::{ForEach, More, OnFailure, StepPlan};
use ceptra_flow_core::{Effect, Json, Name, StepIx};
use std::collections::HashSet;

/// Of one attempt, where nothing else is said.
pub(crate) const TIMEOUT_MS: u64 = 600_000;

pub(crate) const ON_FAILURE: [(&str, OnFailure); 3] =
    [("halt", OnFailure::Halt), ("continue", OnFailure::Continue), ("undo", OnFailure::Undo)];

const KEYS: [&str; 24] = [
    "type",
    "with",
    "title",
    "description",
    "needs",
    "when",
    "for_each",
    "key",
    "max_parallel",
    "timeout",
    "deadline",
    "retry",
    "until",
    "interval",
    "effect",
    "probe",
    "verify",
    "undo",
    "on_failure",
    "approval",
    "point_of_no_return",
    "locks",
    "queue",
    "tags",
];

/// A step as read, with what later checks need.
pub(crate) struct Read {
    pub(crate) plan: StepPlan,
    /// One place for each of `plan.needs`.
    pub(crate) need_spans: Vec<Span>,
}

/// What a step's table says, key by key.
#[derive(Default)]
pub(super) struct Raw<'d> {
    pub(super) kind: Option<Node<'d>>,
    pub(super) with: Option<Node<'d>>,
    pub(super) title: Option<Node<'d>>,
    pub(super) description: Option<Node<'d>>,
    pub(super) needs: Option<Node<'d>>,
    pub(super) when: Option<Node<'d>>,
    pub(super) for_each: Option<Node<'d>>,
    pub(super) key: Option<Node<'d>>,
    pub(super) max_parallel: Option<Node<'d>>,
    pub(super) timeout: Option<Node<'d>>,
    pub(super) deadline: Option<Node<'d>>,
    pub(super) retry: Option<Node<'d>>,
    pub(super) until: Option<Node<'d>>,
    pub(super) interval: Option<Node<'d>>,
    pub(super) effect: Option<Node<'d>>,
    pub(super) probe: Option<Node<'d>>,
    pub(super) verify: Option<Node<'d>>,
    pub(super) undo: Option<Node<'d>>,
    pub(super) on_failure: Option<Node<'d>>,
    pub(super) approval: Option<Node<'d>>,
    pub(super) point_of_no_return: Option<Node<'d>>,
    pub(super) locks: Option<Node<'d>>,
    pub(super) queue: Option<Node<'d>>,
    pub(super) tags: Option<Node<'d>>,
}

impl<'d> Raw<'d> {
    fn of(fields: Fields<'d>, id: &str, sink: &mut Sink<'_>) -> Self {
        let mut raw = Self::default();
        for node in fields.iter() {
            let slot = match node.key {
                "type" => &mut raw.kind,
                "with" => &mut raw.with,
                "title" => &mut raw.title,
                "description" => &mut raw.description,
                "needs" => &mut raw.needs,
                "when" => &mut raw.when,
                "for_each" => &mut raw.for_each,
                "key" => &mut raw.key,
                "max_parallel" => &mut raw.max_parallel,
                "timeout" => &mut raw.timeout,
                "deadline" => &mut raw.deadline,
                "retry" => &mut raw.retry,
                "until" => &mut raw.until,
                "interval" => &mut raw.interval,
                "effect" => &mut raw.effect,
                "probe" => &mut raw.probe,
                "verify" => &mut raw.verify,
                "undo" => &mut raw.undo,
                "on_failure" => &mut raw.on_failure,
                "approval" => &mut raw.approval,
                "point_of_no_return" => &mut raw.point_of_no_return,
                "locks" => &mut raw.locks,
                "queue" => &mut raw.queue,
                "tags" => &mut raw.tags,
                _ => {
                    unknown_key(sink, node, &format!("the step `{}`", shown(id)), &KEYS);
                    continue;
                }
            };
            *slot = Some(node);
        }
        raw
    }
}

/// A step's place in the file and in the plan.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'i> {
    pub(crate) section: Section,
    pub(crate) id: &'i str,
    pub(crate) at: StepIx,
    pub(crate) main_count: usize,
}

/// Reads one step. There is always a result, so that the other steps can be checked against it.
pub(crate) fn read(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    node: Node<'_>,
    identity: Identity<'_>,
    defaults: &Defaults,
) -> Read {
    let id = identity.id;
    let mut read = Read {
        plan: StepPlan {
            id: Name::from(id),
            kind: Name::from(""),
            needs: Vec::new(),
            with: Json::null(),
            effect: Effect::Read,
            timeout_ms: defaults.timeout_ms.unwrap_or(TIMEOUT_MS),
            more: None,
        },
        need_spans: Vec::new(),
    };
    check_id(sink, node, id);
    let Some(fields) = node.table(sink) else {
        return read;
    };
    let raw = Raw::of(fields, id, sink);
    if let Some(needs) = raw.needs {
        needs_of(known, sink, needs, identity, &mut read);
    }
    let mut more = More::default();
    let elements = raw.for_each.map(|node| for_each(known, sink, node, identity, &mut more));
    let at = Where {
        step: Some(identity.at),
        item: elements.as_ref(),
        output: None,
        finally: identity.section == Section::Finally,
        secrets: Secrets::Allowed,
        now: None,
    };
    instances(known, sink, &raw, defaults, &at, &mut more);
    let Some(type_node) = raw.kind else {
        missing_key(sink, fields.span, &format!("the step `{}`", shown(id)), "type", "type = \"exec\"");
        words(known, sink, &raw, &at, &mut more);
        return read;
    };
    words(known, sink, &raw, &at, &mut more);
    let Some(typed) = typed(known, sink, type_node, raw.with, fields.span, &at) else {
        return read;
    };
    read.plan.kind = typed.name.clone();
    read.plan.with = Json::of(&typed.with);
    effect(known, sink, &raw, &typed, &at, &mut read.plan, &mut more);
    timing(known, sink, &raw, &typed, defaults, &mut read.plan, &mut more);
    outcome(known, sink, &raw, &typed, &at, &mut more);
    people(known, sink, &raw, &typed, &at, &mut more);
    more.on_failure =
        raw.on_failure.and_then(|node| node.choice(sink, &ON_FAILURE)).or(defaults.on_failure).unwrap_or_default();
    more.locks = raw.locks.map(|node| names(known, sink, node, "names")).unwrap_or_default();
    more.tags = raw.tags.map(|node| names(known, sink, node, "tags")).unwrap_or_default();
    more.queue = raw.queue.and_then(|node| node.string(sink)).map(Name::from);
    if let Some(node) = raw.point_of_no_return {
        more.point_of_no_return = node.boolean(sink).unwrap_or_default();
        if more.point_of_no_return && identity.section == Section::Finally {
            misplaced(sink, node, "a `finally` step runs after everything; it is no point of no return", "take it out");
        }
    }
    if more != More::default() {
        read.plan.more = Some(Box::new(more));
    }
    read
}

fn check_id(sink: &mut Sink<'_>, node: Node<'_>, id: &str) {
    let fine = id.len() <= 128
        && id.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !fine {
        sink.error(
            codes::BAD_NAME,
            node.key_span(),
            format!("`{}` cannot be a step's id", shown(id)),
            "",
            "use small letters, digits and `_`, beginning with a letter: restore_volumes",
        );
    }
}

pub(crate) fn misplaced(sink: &mut Sink<'_>, node: Node<'_>, message: &str, help: &str) {
    sink.error(codes::MISPLACED_KEY, node.key_span(), message, "", help);
}

fn needs_of(known: &Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, identity: Identity<'_>, read: &mut Read) {
    let mut seen = HashSet::new();
    for (name, span) in node.strings(sink, "step ids") {
        let Some(need) = known.steps.get(name).copied() else {
            if !sink.is_full() {
                let help = known.like_step(name);
                sink.error(
                    codes::UNKNOWN_NEED,
                    span,
                    format!("`{}` needs `{}`, but no step has that id", identity.id, shown(name)),
                    "needed here",
                    help,
                );
            }
            continue;
        };
        let is_main = |step: StepIx| step.at() < identity.main_count;
        if need == identity.at {
            sink.error(
                codes::NEEDS_ITSELF,
                span,
                format!("`{name}` needs itself"),
                "its own id",
                "take it out of `needs`",
            );
        } else if is_main(identity.at) && !is_main(need) {
            sink.error(
                codes::NEEDS_ACROSS,
                span,
                format!("`{}` needs `{name}`, which runs only at the end", identity.id),
                "a `finally` step",
                "move one of the two, so that both are in [steps] or both in [finally]",
            );
        } else if !is_main(identity.at) && is_main(need) {
            sink.error(
                codes::NEEDS_ACROSS,
                span,
                format!("`{}` runs after all steps anyway; it cannot need `{name}`", identity.id),
                "not a `finally` step",
                "take it out of `needs`; `finally` steps may read the outputs of all steps",
            );
        } else if is_known(&read.plan.needs, &mut seen, need) {
            sink.warn(
                codes::NEEDS_TWICE,
                span,
                format!("`{name}` is needed twice"),
                "again here",
                "take one of the two out",
            );
        } else {
            read.plan.needs.push(need);
            read.need_spans.push(span);
        }
    }
}

/// Whether a need was named before. A hash is made only for the few steps that need very many.
fn is_known(needs: &[StepIx], seen: &mut HashSet<StepIx>, need: StepIx) -> bool {
    if needs.len() < 32 {
        return needs.contains(&need);
    }
    if seen.is_empty() {
        seen.extend(needs);
    }
    !seen.insert(need)
}

/// What a step is repeated over.
fn for_each(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    node: Node<'_>,
    identity: Identity<'_>,
    more: &mut More,
) -> Elements {
    let at = Where {
        step: Some(identity.at),
        item: None,
        output: None,
        finally: identity.section == Section::Finally,
        secrets: Secrets::Stored("the instances"),
        now: None,
    };
    let mut elements = Elements(None);
    if let Some(text) = node.as_str() {
        let read = if is_template(text) { template(known, sink, node, text, &at) } else { None };
        let sole = read.as_ref().is_some_and(|template| template.sole().is_some());
        if !sole && (read.is_some() || !is_template(text)) {
            sink.error(
                codes::NOT_ONE_REFERENCE,
                node.span(),
                "`for_each` must be a list, or exactly one reference to one",
                "this is text",
                "write  for_each = \"{{ target.partition_groups }}\"  or  for_each = [\"a\", \"b\"]",
            );
        }
        if let (Some(template), Some(scope)) = (read, &known.values) {
            let mut now = true;
            paths(&template, &mut |path| now &= is_known_now(path));
            if now
                && sole
                && let Ok(value) = scope.value(text, None)
            {
                match value {
                    serde_json::Value::Array(list) => elements.0 = Some(list),
                    other => {
                        let found = crate::expr::helpers::kind(&other);
                        node.bad_value(sink, format!("`for_each` names {found}, not a list"), "name a list");
                    }
                }
            }
        }
    } else if let Some(list) = node.list(sink, "elements") {
        for element in list {
            crate::check::shape::value(known, sink, element, &Shape::Any, &at);
        }
        if let serde_json::Value::Array(list) = node.json(sink) {
            elements.0 = Some(list);
        }
    }
    more.for_each = Some(ForEach { over: Json::from(node.json(sink)), key: None, max_parallel: None });
    elements
}

/// `key`, `max_parallel`.
fn instances(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    raw: &Raw<'_>,
    defaults: &Defaults,
    at: &Where<'_>,
    more: &mut More,
) {
    let Some(for_each) = &mut more.for_each else {
        for node in [raw.key, raw.max_parallel].into_iter().flatten() {
            misplaced(
                sink,
                node,
                &format!("`{}` is for steps with `for_each`", node.key),
                "add `for_each`, or take it out",
            );
        }
        return;
    };
    for_each.max_parallel = raw.max_parallel.and_then(|node| count(known, sink, node)).or(defaults.max_parallel);
    for_each.key = raw.key.and_then(|node| {
        let text = node.string(sink)?;
        if is_template(text) {
            template(known, sink, node, text, &Where { secrets: Secrets::Stored("the instances"), ..at.clone() });
        }
        Some(text.to_owned())
    });
    if let Some(place) = raw.key.or(raw.for_each)
        && let Some(why) = at.item.and_then(|elements| known_instances(known, elements, for_each.key.as_deref()))
    {
        sink.error(
            codes::KEYS_NOT_UNIQUE,
            place.span(),
            why,
            "",
            "use a field that is different in every element:  key = \"{{ item.id }}\"",
        );
    }
}

/// `title`, `description`, `when`.
fn words(known: &mut Known<'_>, sink: &mut Sink<'_>, raw: &Raw<'_>, at: &Where<'_>, more: &mut More) {
    let shown_text = |node: Option<Node<'_>>, what: &str, known: &mut Known<'_>, sink: &mut Sink<'_>| {
        let node = node?;
        let text = node.string(sink)?;
        if is_template(text) {
            template(known, sink, node, text, &Where { secrets: Secrets::Stored(what), ..at.clone() });
        }
        Some(text.to_owned())
    };
    more.title = shown_text(raw.title, "the title", known, sink);
    more.description = shown_text(raw.description, "the description", known, sink);
    // Asked once, before there are instances.
    more.when = cel(known, sink, raw.when, &Where { item: None, ..at.clone() });
}

/// A condition's text, checked.
pub(super) fn cel(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    node: Option<Node<'_>>,
    at: &Where<'_>,
) -> Option<String> {
    let node = node?;
    let text = node.string(sink)?;
    condition(known, sink, node, text, at);
    Some(text.to_owned())
}

/// `approval`, and the parameters of a person's step.
fn people(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    raw: &Raw<'_>,
    typed: &Typed<'_>,
    at: &Where<'_>,
    more: &mut More,
) {
    if let Some(fields) = raw.approval.and_then(|node| node.table(sink)) {
        more.approval = Some(person::approval(known, sink, fields, at));
    }
    if !typed.kind.by_person {
        return;
    }
    let with = match raw.with.map(Node::value) {
        Some(toml::de::DeValue::Table(_)) => raw.with.and_then(|node| node.table(sink)),
        _ => None,
    };
    let is_approval = typed.kind.name == "approval";
    if let Some(fields) = with {
        if is_approval {
            more.approval = Some(person::approval(known, sink, fields, at));
        } else {
            more.manual = Some(person::manual(known, sink, fields, at));
        }
    }
    let refused: &[Option<Node<'_>>] = if is_approval {
        &[
            raw.retry,
            raw.until,
            raw.interval,
            raw.timeout,
            raw.deadline,
            raw.probe,
            raw.effect,
            raw.verify,
            raw.undo,
            raw.approval,
        ]
    } else {
        &[raw.retry, raw.until, raw.interval]
    };
    for node in refused.iter().flatten() {
        let help = if is_approval && matches!(node.key, "timeout" | "deadline") {
            "say how long the question stands with  with = { expires = \"30m\" }"
        } else {
            "take it out"
        };
        // Only said, not refused: the step does what it says without the key.
        sink.warn(
            codes::BY_PERSON,
            node.key_span(),
            format!("`{}` means nothing where a person decides or acts", node.key),
            "",
            help,
        );
    }
}
