//! What a person decides or carries out: `approval` and `manual`.

use super::{Known, declaration, duration};
use crate::check::expressions::{Secrets, Where, template};
use crate::codes;
use crate::diagnostic::Sink;
use crate::expr::template::is_template;
use crate::syntax::node::{Fields, Node, missing_key, unknown_key};
use ceptra_flow_core::Json;
use ceptra_flow_core::plan::{Approval, Manual};

/// People that may be asked for one decision.
const APPROVERS_MAX: u32 = 100;

/// The parameters of an `approval` step, or the key `approval` of any step.
pub(crate) fn approval(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>, at: &Where<'_>) -> Approval {
    const KEYS: [&str; 8] =
        ["prompt", "choices", "approvers", "not_initiator", "expires", "evidence", "fields", "rehearsal"];
    let mut approval = Approval {
        prompt: String::new(),
        choices: Vec::new(),
        approvers: 1,
        not_initiator: false,
        expires_ms: None,
        evidence: Vec::new(),
        fields: None,
        rehearsal_grants: false,
    };
    let mut prompted = false;
    for node in fields.iter() {
        match node.key {
            "prompt" => {
                prompted = true;
                approval.prompt = words(known, sink, node, "the question", at);
            }
            "choices" => {
                approval.choices = node.strings(sink, "texts").into_iter().map(|(text, _)| text.to_owned()).collect();
                if matches!(node.value(), toml::de::DeValue::Array(list) if list.is_empty()) {
                    node.bad_value(
                        sink,
                        "`choices` is empty, so nothing could be answered",
                        "name the answers, or leave it out for yes or no",
                    );
                }
            }
            "approvers" => {
                approval.approvers = node.count(sink, 1).unwrap_or(1);
                if approval.approvers > APPROVERS_MAX {
                    node.bad_value(
                        sink,
                        format!("nobody finds {} people at night", approval.approvers),
                        format!("write a number from 1 to {APPROVERS_MAX}"),
                    );
                }
            }
            "not_initiator" => approval.not_initiator = node.boolean(sink).unwrap_or_default(),
            "expires" => approval.expires_ms = duration(known, sink, node),
            "evidence" => approval.evidence = evidence(known, sink, node, at),
            "fields" => approval.fields = answers(sink, node),
            "rehearsal" => {
                approval.rehearsal_grants = node.choice(sink, &[("grant", true), ("ask", false)]).unwrap_or_default()
            }
            _ => unknown_key(sink, node, "an approval", &KEYS),
        }
    }
    if !prompted {
        missing_key(sink, fields.span, "an approval", "prompt", "prompt = \"May it go on?\"");
    }
    approval
}

/// The parameters of a `manual` step.
pub(crate) fn manual(known: &mut Known<'_>, sink: &mut Sink<'_>, fields: Fields<'_>, at: &Where<'_>) -> Manual {
    const KEYS: [&str; 2] = ["instructions", "fields"];
    let mut manual = Manual { instructions: String::new(), fields: None };
    let mut instructed = false;
    for node in fields.iter() {
        match node.key {
            "instructions" => {
                instructed = true;
                manual.instructions = words(known, sink, node, "the instructions", at);
            }
            "fields" => manual.fields = answers(sink, node),
            _ => unknown_key(sink, node, "a manual step", &KEYS),
        }
    }
    if !instructed {
        missing_key(sink, fields.span, "a manual step", "instructions", "instructions = \"What to do\"");
    }
    manual
}

/// Text for people, kept in the journal.
fn words(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, what: &str, at: &Where<'_>) -> String {
    let Some(text) = node.string(sink) else {
        return String::new();
    };
    if is_template(text) {
        template(known, sink, node, text, &Where { secrets: Secrets::Stored(what), ..at.clone() });
    }
    text.to_owned()
}

/// Paths whose values are shown with a question.
fn evidence(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, at: &Where<'_>) -> Vec<String> {
    let Some(list) = node.list(sink, "paths") else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    for one in list {
        let Some(text) = one.string(sink) else {
            continue;
        };
        if is_template(text) || text.trim().contains(char::is_whitespace) {
            sink.error(
                codes::NOT_ONE_REFERENCE,
                one.span(),
                "evidence is a path",
                "not a path",
                "write the name alone, without braces:  \"steps.restore.output\"",
            );
            continue;
        }
        let path = text.trim();
        template(
            known,
            sink,
            one,
            &format!("{{{{ {path} }}}}"),
            &Where { secrets: Secrets::Stored("the evidence"), ..at.clone() },
        );
        paths.push(path.to_owned());
    }
    paths
}

/// Declarations of typed answers, as they stand.
fn answers(sink: &mut Sink<'_>, node: Node<'_>) -> Option<Json> {
    let fields = node.table(sink)?;
    for field in fields.iter() {
        declaration::one(field, false, sink);
    }
    Some(Json::from(node.json(sink)))
}
