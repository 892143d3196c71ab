//! Everything of a file that is no step.

use super::{Known, count, duration, names, not_available, text};
use crate::codes;
use crate::diagnostic::Sink;
use crate::lower::timing::retry;
use crate::syntax::node::{Fields, Node, missing_key, shown, unknown_key};
use ceptra_flow_core::plan::{Guard, Limits, OnFailure, RetryPolicy, RunbookInfo};

/// The format's version that is known here.
const SCHEMA: i64 = 1;

const KEYS: [&str; 9] = ["schema", "runbook", "inputs", "defaults", "limits", "guard", "watch", "steps", "finally"];

/// What a file says before its steps.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) runbook: RunbookInfo,
    pub(crate) defaults: Defaults,
    pub(crate) limits: Limits,
    pub(crate) guard: Option<Guard>,
}

/// `[defaults]`.
#[derive(Default)]
pub(crate) struct Defaults {
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) max_parallel: Option<u32>,
}

/// The declarations, which must be known before anything that may use them.
pub(crate) fn declarations(known: &mut Known<'_>, sink: &mut Sink<'_>, root: Fields<'_>) {
    if let Some(inputs) = root.get("inputs") {
        known.declare(super::declaration::all(inputs, sink));
    }
    if let Some(env) = root.get("runbook").and_then(|runbook| match runbook.value() {
        toml::de::DeValue::Table(_) => runbook.table(sink)?.get("env"),
        _ => None,
    }) {
        known.env_listed =
            env.strings(sink, "names of environment variables").into_iter().map(|(name, _)| name.to_owned()).collect();
    }
}

/// The rest, once inputs have their values.
pub(crate) fn read(known: &mut Known<'_>, sink: &mut Sink<'_>, root: Fields<'_>) -> Head {
    let mut head = Head::default();
    let mut seen_schema = false;
    let mut seen_runbook = false;
    for node in root.iter() {
        match node.key {
            "schema" => {
                seen_schema = true;
                schema(sink, node);
            }
            "runbook" => {
                seen_runbook = true;
                if let Some(fields) = node.table(sink) {
                    head.runbook = runbook(known, sink, fields);
                }
            }
            "defaults" => {
                if let Some(fields) = node.table(sink) {
                    head.defaults = defaults(known, sink, fields);
                }
            }
            "limits" => {
                if let Some(fields) = node.table(sink) {
                    head.limits = limits(known, sink, fields);
                }
            }
            "guard" => {
                if let Some(fields) = node.table(sink) {
                    head.guard = Some(guard(known, sink, fields));
                }
            }
            "watch" => {
                not_available(sink, node, "[watch.NAME]", "repeat a read-only step with `until` and `interval` for now")
            }
            "inputs" | "steps" | "finally" => {}
            _ => unknown_key(sink, node, "a runbook", &KEYS),
        }
    }
    if !seen_schema {
        sink.error(
            codes::SCHEMA_MISSING,
            root.span,
            "the file does not say which version of the format it is in",
            "",
            "add  schema = 1  as the first line",
        );
    }
    if !seen_runbook {
        missing_key(sink, root.span, "the file", "[runbook]", "[runbook]  name = \"…\"  title = \"…\"");
    }
    head
}

fn schema(sink: &mut Sink<'_>, node: Node<'_>) {
    match node.as_integer() {
        Some(SCHEMA) => {}
        Some(newer) if newer > SCHEMA => sink.error(
            codes::SCHEMA_UNKNOWN,
            node.span(),
            format!("the file is in version {newer} of the format; this program knows version {SCHEMA}"),
            "a newer version",
            "use a newer ceptra-flow, or write the file for  schema = 1",
        ),
        Some(_) => sink.error(
            codes::SCHEMA_UNKNOWN,
            node.span(),
            "there is no such version of the format",
            "",
            "write  schema = 1",
        ),
        None => node.wrong_type(sink, "a whole number", "write  schema = 1"),
    }
}

fn runbook(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>) -> RunbookInfo {
    const KEYS: [&str; 8] = ["name", "title", "description", "rto", "rpo", "owner", "links", "env"];
    let mut info = RunbookInfo::default();
    let (mut named, mut titled) = (false, false);
    for node in fields.iter() {
        match node.key {
            "name" => {
                named = true;
                if let Some(name) = node.string(sink) {
                    if name.is_empty()
                        || name.len() > 64
                        || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                    {
                        sink.error(
                            codes::BAD_NAME,
                            node.span(),
                            format!("`{}` cannot be a runbook's name", shown(name)),
                            "",
                            "use small letters, digits and `-`: pvc-loss",
                        );
                    }
                    info.name = name.to_owned();
                }
            }
            "title" => {
                titled = true;
                info.title = node.string(sink).unwrap_or_default().to_owned();
            }
            "description" => info.description = node.string(sink).unwrap_or_default().to_owned(),
            "rto" => info.rto_ms = duration(known, sink, node),
            "rpo" => info.rpo_ms = duration(known, sink, node),
            "owner" => info.owner = node.string(sink).map(ToOwned::to_owned),
            "links" => {
                if let Some(links) = node.table(sink) {
                    info.links = links
                        .iter()
                        .filter_map(|link| Some((link.key.to_owned(), link.string(sink)?.to_owned())))
                        .collect();
                }
            }
            "env" => {}
            _ => unknown_key(sink, node, "[runbook]", &KEYS),
        }
    }
    if !named {
        missing_key(sink, fields.span, "[runbook]", "name", "name = \"pvc-loss\"");
    }
    if !titled {
        missing_key(sink, fields.span, "[runbook]", "title", "title = \"What it recovers\"");
    }
    info
}

fn defaults(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>) -> Defaults {
    const KEYS: [&str; 4] = ["timeout", "retry", "on_failure", "max_parallel"];
    let mut defaults = Defaults::default();
    for node in fields.iter() {
        match node.key {
            "timeout" => defaults.timeout_ms = duration(known, sink, node),
            "retry" => defaults.retry = retry(known, sink, node),
            "on_failure" => defaults.on_failure = node.choice(sink, &super::step::ON_FAILURE),
            "max_parallel" => defaults.max_parallel = count(known, sink, node),
            _ => unknown_key(sink, node, "[defaults]", &KEYS),
        }
    }
    defaults
}

fn limits(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>) -> Limits {
    const KEYS: [&str; 3] = ["max_parallel", "timeout", "locks"];
    let mut limits = Limits::default();
    for node in fields.iter() {
        match node.key {
            "max_parallel" => limits.max_parallel = count(known, sink, node),
            "timeout" => limits.timeout_ms = duration(known, sink, node),
            "locks" => limits.locks = names(known, sink, node, "names"),
            _ => unknown_key(sink, node, "[limits]", &KEYS),
        }
    }
    limits
}

fn guard(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>) -> Guard {
    const KEYS: [&str; 3] = ["fingerprint", "confirm", "max_drill_age"];
    let mut guard = Guard::default();
    for node in fields.iter() {
        match node.key {
            "fingerprint" => guard.fingerprint = text(known, sink, node),
            "confirm" => guard.confirm = text(known, sink, node),
            "max_drill_age" => not_available(
                sink,
                node,
                "[guard] max_drill_age",
                "take it out for now; `fingerprint` and `confirm` work",
            ),
            _ => unknown_key(sink, node, "[guard]", &KEYS),
        }
    }
    guard
}
