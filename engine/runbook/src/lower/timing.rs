//! How long and how often: `timeout`, `deadline`, `retry`, `until`, `interval`.

use super::body::Typed;
use super::head::Defaults;
use super::step::{Raw, misplaced};
use super::{Known, count, duration};
use crate::codes;
use crate::diagnostic::Sink;
use crate::syntax::node::{Node, unknown_key};
use ceptra_flow_core::Name;
use ceptra_flow_core::plan::{More, RetryPolicy, StepPlan};

/// The pause between two askings of `until`, where nothing else is said.
const INTERVAL_MS: u64 = 1000;

/// `timeout`, `deadline`, `retry`, `until`, `interval`.
pub(super) fn timing(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    raw: &Raw<'_>,
    typed: &Typed<'_>,
    defaults: &Defaults,
    plan: &mut StepPlan,
    more: &mut More,
) {
    if let Some(timeout) = raw.timeout.and_then(|node| duration(known, sink, node)) {
        plan.timeout_ms = timeout;
    }
    more.deadline_ms = raw.deadline.and_then(|node| duration(known, sink, node));
    let declared = raw.retry.and_then(|node| retry(known, sink, node));
    more.retry = match raw.retry {
        Some(_) => declared,
        None if typed.kind.by_person => None,
        None => defaults.retry.clone(),
    };
    more.interval_ms = raw.interval.and_then(|node| duration(known, sink, node));
    match (raw.until, raw.interval) {
        (Some(node), _) if !plan.effect.is_read() => sink.error(
            codes::UNTIL_NOT_READ,
            node.key_span(),
            format!("`until` repeats a step, and `{}` is `{}`", plan.id, plan.effect.as_str()),
            "only a `read` step may be repeated",
            "use `retry` to try again after a failure, or wait in a `read` step of its own",
        ),
        (None, Some(node)) => {
            misplaced(sink, node, "`interval` is the pause of `until`, which is not there", "add  until = \"output.…\"")
        }
        (Some(_), None) => more.interval_ms = Some(INTERVAL_MS),
        (Some(_), Some(_)) | (None, None) => {}
    }
}

/// `retry`.
pub(crate) fn retry(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>) -> Option<RetryPolicy> {
    const KEYS: [&str; 6] = ["attempts", "backoff", "initial", "max", "jitter", "on"];
    let fields = node.table(sink)?;
    let mut policy = RetryPolicy {
        attempts_max: 3,
        exponential: true,
        backoff_ms_min: 1000,
        backoff_ms_max: 30_000,
        jitter: true,
        on: Vec::new(),
    };
    let mut longest = None;
    for field in fields.iter() {
        match field.key {
            "attempts" => policy.attempts_max = count(known, sink, field).unwrap_or(1),
            "backoff" => {
                policy.exponential = field.choice(sink, &[("exponential", true), ("fixed", false)]).unwrap_or(true)
            }
            "initial" => policy.backoff_ms_min = duration(known, sink, field).unwrap_or(1000),
            "max" => longest = Some((field, duration(known, sink, field).unwrap_or(30_000))),
            "jitter" => policy.jitter = field.boolean(sink).unwrap_or(true),
            "on" => policy.on = reasons(sink, field),
            _ => unknown_key(sink, field, "`retry`", &KEYS),
        }
    }
    policy.backoff_ms_max = longest.map_or(policy.backoff_ms_max.max(policy.backoff_ms_min), |(_, max)| max);
    if let Some((field, max)) = longest
        && max < policy.backoff_ms_min
    {
        field.bad_value(
            sink,
            "`max` is shorter than `initial`",
            "the first pause is `initial`, no pause is longer than `max`",
        );
    }
    Some(policy)
}

/// Error classes, and exit codes.
fn reasons(sink: &mut Sink<'_>, node: Node<'_>) -> Vec<Name> {
    let Some(list) = node.list(sink, "error classes and exit codes") else {
        return Vec::new();
    };
    list.filter_map(|one| match one.as_integer() {
        Some(code) => Some(Name::from(code.to_string())),
        None => one.string(sink).map(Name::from),
    })
    .collect()
}
