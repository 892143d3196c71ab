//! What a step does to the world, how that is found out, and how it is reversed: `effect`, `probe`, `verify`, `undo`.

use super::Known;
use super::body::{EFFECTS, Raw as RawBody, Typed};
use super::step::{Raw, cel, misplaced};
use crate::check::expressions::{Secrets, Where, template};
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::expr::template::is_template;
use crate::syntax::node::{Node, missing_key, shown, unknown_key};
use ceptra_flow_core::Effect;
use ceptra_flow_core::plan::{Check, More, Probe, StepPlan, Undo};

/// `effect`, `probe`.
pub(super) fn effect(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    raw: &Raw<'_>,
    typed: &Typed<'_>,
    at: &Where<'_>,
    plan: &mut StepPlan,
    more: &mut More,
) {
    let own = (typed.kind.effect)(&typed.with);
    let declared = raw.effect.and_then(|node| node.choice(sink, &EFFECTS));
    plan.effect = declared.unwrap_or(own);
    more.probe = raw.probe.and_then(|node| probe(known, sink, node, at));
    more.type_probes = (typed.kind.probes)(&typed.with);
    if let (Some(declared), Some(node)) = (declared, raw.effect)
        && declared < own
        && declared != Effect::Probe
    {
        sink.warn(
            codes::LAXER_EFFECT,
            node.span(),
            format!(
                "`{}` is `{}` by itself; saying `{}` lets it run twice after a crash",
                typed.kind.name,
                own.as_str(),
                declared.as_str()
            ),
            "laxer than the type's own",
            format!("be sure that running it twice is harmless, or write  effect = \"{}\"", own.as_str()),
        );
    }
    if plan.effect == Effect::Probe && !typed.kind.by_person && !more.type_probes && raw.probe.is_none() {
        let place = raw.effect.or(raw.kind).map_or(Span::default(), Node::span);
        sink.error(
            codes::NO_PROBE,
            place,
            format!("nothing tells whether `{}` happened", plan.id),
            "`probe` needs a probe",
            "add  probe = { type = \"exec\", with = { … }, done = \"…\", not_done = \"…\" }",
        );
    }
}

fn probe(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, at: &Where<'_>) -> Option<Probe> {
    const KEYS: [&str; 5] = ["type", "with", "timeout", "done", "not_done"];
    let fields = node.table(sink)?;
    let (mut raw, mut done, mut not_done) = (RawBody::default(), None, None);
    for node in fields.iter() {
        match node.key {
            "done" => done = Some(node),
            "not_done" => not_done = Some(node),
            "effect" => misplaced(sink, node, "a probe changes nothing; its effect is `read`", "take it out"),
            _ if raw.take(node) => {}
            _ => unknown_key(sink, node, "a probe", &KEYS),
        }
    }
    if done.is_none() && not_done.is_none() {
        missing_key(
            sink,
            fields.span,
            "the probe",
            "done",
            "done = \"output.state == 'restored'\"  and  not_done = \"…\"",
        );
    }
    let type_node = raw.kind;
    let (mut body, typed) = raw.read(known, sink, "the probe", fields.span, at)?;
    // What a program or a request does, only its author knows; other types say it.
    if !body.effect.is_read() && !matches!(typed.kind.name, "exec" | "http") && !typed.kind.by_person {
        let place = type_node.map_or(fields.span, Node::span);
        sink.error(
            codes::NOT_A_READ,
            place,
            format!("a probe may change nothing, and `{}` does", typed.kind.name),
            "",
            "use a type whose effect is `read`, or `exec` with a command that only looks",
        );
    }
    body.effect = Effect::Read;
    let output = (typed.kind.output)(&typed.with);
    let at = Where { output: Some(&output), ..at.clone() };
    Some(Probe { body, done: cel(known, sink, done, &at), not_done: cel(known, sink, not_done, &at) })
}

/// `until`, `verify`, `undo`: what looks at the step's own output.
pub(super) fn outcome(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    raw: &Raw<'_>,
    typed: &Typed<'_>,
    at: &Where<'_>,
    more: &mut More,
) {
    if raw.until.is_none() && raw.verify.is_none() && raw.undo.is_none() {
        more.undo = typed.kind.undoes.then_some(Undo::Auto);
        return;
    }
    let output = (typed.kind.output)(&typed.with);
    let at = Where { output: Some(&output), ..at.clone() };
    more.until = cel(known, sink, raw.until, &at);
    more.verify = raw.verify.map(|node| verify(known, sink, node, &at)).unwrap_or_default();
    more.undo = match raw.undo {
        Some(node) => undo(known, sink, node, typed, &at),
        None => typed.kind.undoes.then_some(Undo::Auto),
    };
}

fn verify(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, at: &Where<'_>) -> Vec<Check> {
    let Some(list) = node.list(sink, "checks") else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    for one in list {
        let Some(fields) = one.table(sink) else {
            continue;
        };
        let (mut check, mut message) = (None, None);
        for field in fields.iter() {
            match field.key {
                "check" => check = Some(field),
                "message" => message = Some(field),
                _ => unknown_key(sink, field, "a check", &["check", "message"]),
            }
        }
        if check.is_none() {
            missing_key(sink, one.span(), "the check", "check", "check = \"output.exit_code == 0\"");
        }
        let message = message.and_then(|node| {
            let text = node.string(sink)?;
            if is_template(text) {
                template(known, sink, node, text, &Where { secrets: Secrets::Stored("the message"), ..at.clone() });
            }
            Some(text.to_owned())
        });
        if let Some(check) = cel(known, sink, check, at) {
            checks.push(Check { check, message });
        }
    }
    checks
}

fn undo(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, typed: &Typed<'_>, at: &Where<'_>) -> Option<Undo> {
    const KEYS: [&str; 4] = ["type", "with", "timeout", "effect"];
    if let Some(text) = node.as_str() {
        if text != "auto" {
            node.bad_value(
                sink,
                format!("`undo` cannot be `{}`", shown(text)),
                "write  undo = \"auto\"  or  undo = { type = \"exec\", with = { … } }",
            );
        } else if !typed.kind.undoes {
            sink.error(
                codes::NO_UNDO,
                node.span(),
                format!("`{}` does not know how to reverse itself", typed.kind.name),
                "",
                "say how:  undo = { type = \"exec\", with = { … } }",
            );
        }
        return Some(Undo::Auto);
    }
    let fields = node.table(sink)?;
    let mut raw = RawBody::default();
    for field in fields.iter() {
        if !raw.take(field) {
            unknown_key(sink, field, "an undo", &KEYS);
        }
    }
    raw.read(known, sink, "the undo", fields.span, at).map(|(body, _)| Undo::Body(body))
}
