//! The environment that a runbook acts on: a TOML file, kept whole as JSON.

use crate::Source;
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink};
use crate::expr::cel::Condition;
use crate::expr::template::{Template, is_template};
use crate::syntax::document::Document;
use crate::syntax::node::{Fields, Node, missing_key, shown, unknown_key};
use crate::syntax::scan::scan;
use crate::syntax::{DOCUMENT_TOKENS_MAX, FILE_BYTES_MAX};
use ceptra_flow_core::Json;
use ceptra_flow_core::plan::{TargetInfo, TargetKind};
use serde_json::Value;
use std::sync::Arc;

/// A checked target file.
#[derive(Clone, Debug)]
pub struct Target {
    /// What a plan keeps of it.
    pub info: TargetInfo,
    /// The whole file as JSON, the same as `info.value`.
    pub value: Arc<Value>,
}

const KINDS: [(&str, TargetKind); 3] =
    [("production", TargetKind::Production), ("staging", TargetKind::Staging), ("lab", TargetKind::Lab)];

impl Target {
    /// Reads a target file: the target, if there is no error, and everything there is to say.
    #[must_use]
    pub fn parse(source: &Source<'_>) -> (Option<Self>, Vec<Diagnostic>) {
        let mut sink = Sink::new(source.name);
        let target = read(source.text, &mut sink);
        let target = if sink.failed() { None } else { target };
        (target, sink.into_found())
    }
}

fn read(text: &str, sink: &mut Sink<'_>) -> Option<Target> {
    if text.len() > FILE_BYTES_MAX {
        sink.error_elsewhere(
            codes::TOO_LARGE,
            "the target file is too large",
            format!("{} MiB is the most", FILE_BYTES_MAX >> 20),
        );
        return None;
    }
    let layout = scan(text, sink);
    if layout.refused {
        return None;
    }
    if !layout.whole_fits() {
        sink.error_elsewhere(
            codes::TOO_LARGE,
            format!("a target has at most {DOCUMENT_TOKENS_MAX} values and keys"),
            "keep large values in files that steps read",
        );
        return None;
    }
    let document = Document::whole(text);
    let (table, _) = document.parse(sink);
    let root = Fields::root(&table, &document);
    let head = head(root, sink);
    if let Some(operations) = root.get("operations").and_then(|node| node.table(sink)) {
        operations.iter().for_each(|node| operation(node, sink));
    }
    let (name, kind) = head?;
    let value = Value::Object(root.iter().map(|node| (node.key.to_owned(), node.json(sink))).collect());
    Some(Target { info: TargetInfo { name, kind, value: Json::from(value.clone()) }, value: Arc::new(value) })
}

/// `[target]`.
fn head(root: Fields<'_>, sink: &mut Sink<'_>) -> Option<(String, TargetKind)> {
    let Some(node) = root.get("target") else {
        missing_key(
            sink,
            root.span,
            "the target file",
            "[target]",
            "[target]  name = \"prod-eu\"  kind = \"production\"",
        );
        return None;
    };
    let fields = node.table(sink)?;
    let (mut name, mut kind) = (None, None);
    let (mut named, mut of_kind) = (false, false);
    for field in fields.iter() {
        match field.key {
            "name" => {
                named = true;
                name = field.string(sink);
                if let Some(text) = name
                    && (text.trim().is_empty() || text.len() > 128 || text.chars().any(char::is_control))
                {
                    sink.error(
                        codes::BAD_NAME,
                        field.span(),
                        format!("`{}` cannot be a target's name", shown(text)),
                        "",
                        "use 1 to 128 characters on one line: people type it to confirm",
                    );
                }
            }
            "kind" => {
                of_kind = true;
                kind = kind_of(field, sink);
            }
            "description" | "owner" => {
                field.string(sink);
            }
            _ => unknown_key(sink, field, "[target]", &["name", "kind", "description", "owner"]),
        }
    }
    if !named {
        missing_key(sink, fields.span, "[target]", "name", "name = \"prod-eu\"");
    }
    if !of_kind {
        missing_key(sink, fields.span, "[target]", "kind", "kind = \"production\",  \"staging\"  or  \"lab\"");
    }
    Some((name?.to_owned(), kind?))
}

fn kind_of(field: Node<'_>, sink: &mut Sink<'_>) -> Option<TargetKind> {
    let text = field.string(sink)?;
    let found = KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    if found.is_none() {
        let help = crate::units::did_you_mean(text, KINDS.map(|(name, _)| name));
        sink.error(
            codes::TARGET_KIND,
            field.span(),
            format!("there is no kind of target `{}`", shown(text)),
            "",
            format!("{help}; take `production` when people depend on it"),
        );
    }
    found
}

/// `[operations.NAME]`: the templates and conditions must at least be readable; what they name is the step type's business.
fn operation(node: Node<'_>, sink: &mut Sink<'_>) {
    let Some(fields) = node.table(sink) else {
        return;
    };
    for field in fields.iter() {
        if !["http", "exec", "kubernetes", "probe", "description", "timeout"].contains(&field.key) {
            unknown_key(
                sink,
                field,
                &format!("[operations.{}]", shown(node.key)),
                &["http", "exec", "kubernetes", "probe", "description", "timeout"],
            );
        }
    }
    texts(node, sink);
}

fn texts(node: Node<'_>, sink: &mut Sink<'_>) {
    match node.as_str() {
        Some(text) if matches!(node.key, "done" | "not_done") => {
            if let Err(error) = Condition::parse(text) {
                sink.error(
                    codes::CEL_SYNTAX,
                    node.span_within(text, error.span),
                    format!("the condition cannot be read: {}", error.message),
                    "here",
                    "conditions are CEL:  output.frozen == true",
                );
            }
        }
        Some(text) if is_template(text) => {
            if let Err(error) = Template::parse(text) {
                sink.error(
                    codes::TEMPLATE_SYNTAX,
                    node.span_within(text, error.span),
                    format!("the template cannot be read: {}", error.message),
                    "here",
                    error.help,
                );
            }
        }
        Some(_) => {}
        None => node.children().into_iter().for_each(|child| texts(child, sink)),
    }
}
