//! `[inputs.NAME]`, and the typed answers of approvals, which are declared alike.

use crate::diagnostic::{Sink, Span};
use crate::inputs::{Declared, InputDecl, InputType, compile_pattern};
use crate::syntax::document::Document;
use crate::syntax::node::{Fields, Node, missing_key, shown, unknown_key};
use crate::syntax::scan::{Layout, scan};
use crate::units::duration_ms;
use crate::{codes, syntax};
use ceptra_flow_core::plan::SecretSource;

const KEYS: [&str; 9] = ["type", "description", "default", "pattern", "one_of", "minimum", "maximum", "secret", "from"];

/// The declarations of a file, for prompts.
pub(crate) fn of_file(text: &str, sink: &mut Sink<'_>) -> Vec<InputDecl> {
    if text.len() > syntax::FILE_BYTES_MAX {
        return Vec::new();
    }
    let layout: Layout<'_> = scan(text, sink);
    let fits = if layout.unusual { layout.whole_fits() } else { layout.parts_fit() };
    if layout.refused || !fits {
        return Vec::new();
    }
    let document = if layout.unusual { Document::whole(text) } else { Document::of(text, layout.head.iter().cloned()) };
    let (table, _) = document.parse(sink);
    let Some(inputs) = Fields::root(&table, &document).get("inputs") else {
        return Vec::new();
    };
    all(inputs, sink).into_iter().map(|declared| declared.decl).collect()
}

/// `[inputs]`.
pub(crate) fn all(inputs: Node<'_>, sink: &mut Sink<'_>) -> Vec<Declared> {
    let Some(fields) = inputs.table(sink) else {
        return Vec::new();
    };
    fields.iter().filter_map(|node| one(node, true, sink)).collect()
}

/// One declaration. Typed answers can be no secrets: they become the output.
pub(crate) fn one(node: Node<'_>, secrets: bool, sink: &mut Sink<'_>) -> Option<Declared> {
    let name = node.key;
    if name.is_empty()
        || name.len() > 64
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        || name.as_bytes()[0].is_ascii_digit()
    {
        sink.error(
            codes::BAD_NAME,
            node.key_span(),
            format!("`{}` cannot be an input's name", shown(name)),
            "",
            "use letters, digits and `_`, beginning with a letter, so that expressions can name it",
        );
    }
    let fields = node.table(sink)?;
    let mut kind = None;
    let mut secret = None;
    let mut from = None;
    let mut later: [Option<Node<'_>>; 5] = [None; 5];
    let mut decl = InputDecl {
        name: name.to_owned(),
        kind: InputType::String,
        description: None,
        default: None,
        pattern: None,
        one_of: Vec::new(),
        minimum: None,
        maximum: None,
        secret: None,
    };
    let what = format!("the input `{}`", shown(name));
    for field in fields.iter() {
        match field.key {
            "type" => kind = Some(field.choice(sink, &InputType::NAMED)),
            "description" => decl.description = field.string(sink).map(ToOwned::to_owned),
            "default" => later[0] = Some(field),
            "pattern" => later[1] = Some(field),
            "one_of" => later[2] = Some(field),
            "minimum" => later[3] = Some(field),
            "maximum" => later[4] = Some(field),
            "secret" if secrets => secret = field.boolean(sink).filter(|secret| *secret).map(|_| field),
            "from" if secrets => from = Some(field),
            _ => unknown_key(sink, field, &what, if secrets { &KEYS } else { &KEYS[..7] }),
        }
    }
    match kind {
        Some(Some(kind)) => decl.kind = kind,
        Some(None) => return None,
        None if secret.is_some() => {}
        None => missing_key(sink, node.key_span(), &what, "type", "type = \"string\""),
    }
    let [default, pattern, one_of, minimum, maximum] = later;
    if let Some(field) = pattern {
        decl.pattern = pattern_of(field, &decl, sink);
    }
    if let Some(field) = one_of
        && let Some(list) = field.list(sink, "values")
    {
        decl.one_of = list.map(|value| value.json(sink)).collect();
    }
    decl.minimum = minimum.and_then(|field| bound(field, decl.kind, sink));
    decl.maximum = maximum.and_then(|field| bound(field, decl.kind, sink));
    if secret.is_some() || from.is_some() {
        decl.secret = secret_of(&decl, secret, from, default, node.key_span(), sink);
    } else if let Some(field) = default {
        let value = field.json(sink);
        match decl.accept(value.clone()) {
            Ok(value) => decl.default = Some(value),
            Err(why) => {
                sink.error(
                    codes::INPUT_DEFAULT,
                    field.span(),
                    format!("the default of `{}` is not allowed: {why}", shown(name)),
                    "refused by the input's own declaration",
                    "change the default, or what the input allows",
                );
                decl.default = Some(value);
            }
        }
    }
    Some(Declared { decl, span: node.key_span() })
}

fn pattern_of(field: Node<'_>, decl: &InputDecl, sink: &mut Sink<'_>) -> Option<String> {
    let text = field.string(sink)?;
    if !matches!(decl.kind, InputType::String | InputType::Duration) {
        sink.error(
            codes::MISPLACED_KEY,
            field.key_span(),
            format!("`pattern` is for text, and `{}` is of type {}", shown(&decl.name), decl.kind.as_str()),
            "",
            "use `minimum`, `maximum` or `one_of`, or take it out",
        );
        return None;
    }
    match compile_pattern(text) {
        Ok(_) => Some(text.to_owned()),
        Err(why) => {
            sink.error(
                codes::BAD_PATTERN,
                field.span(),
                format!("the pattern cannot be read: {why}"),
                "",
                "write a regular expression such as '^INC-[0-9]+$', in single quotes",
            );
            None
        }
    }
}

fn bound(field: Node<'_>, kind: InputType, sink: &mut Sink<'_>) -> Option<f64> {
    let found = match kind {
        InputType::Integer | InputType::Number => field.json(sink).as_f64(),
        #[expect(clippy::cast_precision_loss, reason = "a bound that people type")]
        InputType::Duration => field.as_str().and_then(duration_ms).map(|ms| ms as f64),
        InputType::String | InputType::Boolean | InputType::List | InputType::Table => {
            sink.error(
                codes::MISPLACED_KEY,
                field.key_span(),
                format!("`{}` is for numbers and durations, not for {}", field.key, kind.as_str()),
                "",
                "use `pattern` or `one_of`, or take it out",
            );
            return None;
        }
    };
    if found.is_none() {
        let expected = if kind == InputType::Duration { "a duration" } else { "a number" };
        field.wrong_type(
            sink,
            expected,
            format!("write  {} = {}", field.key, if kind == InputType::Duration { "\"10m\"" } else { "1" }),
        );
    }
    found
}

fn secret_of(
    decl: &InputDecl,
    secret: Option<Node<'_>>,
    from: Option<Node<'_>>,
    default: Option<Node<'_>>,
    at: Span,
    sink: &mut Sink<'_>,
) -> Option<SecretSource> {
    let name = shown(&decl.name);
    // Whatever is wrong with it, it is treated as a secret from here on.
    let fallback = Some(SecretSource::Env(String::new()));
    if decl.kind != InputType::String {
        sink.error(
            codes::SECRET_SOURCE,
            at,
            format!("the secret `{name}` must be of type string"),
            "",
            "write  type = \"string\"",
        );
    }
    if let Some(field) = default {
        sink.error(
            codes::SECRET_SOURCE,
            field.span(),
            format!("the secret `{name}` has a default, which everybody can read here"),
            "a value in the file is no secret",
            "take the default out and change the secret; say where it comes from with `from`",
        );
    }
    let Some(field) = from else {
        let at = secret.map_or(at, Node::key_span);
        sink.error(
            codes::SECRET_SOURCE,
            at,
            format!("nothing says where the secret `{name}` comes from"),
            "a secret is never typed or stored",
            "add  from = { env = \"NAME\" },  { file = \"path\" }  or  { command = [\"program\", \"argument\"] }",
        );
        return fallback;
    };
    if secret.is_none() {
        sink.error(
            codes::SECRET_SOURCE,
            field.key_span(),
            format!("`{name}` has `from` but is no secret"),
            "",
            "add  secret = true",
        );
    }
    let fields = field.table(sink)?;
    let mut source = None;
    for one in fields.iter() {
        let found = match one.key {
            "env" => one.string(sink).filter(|text| !text.is_empty()).map(|text| SecretSource::Env(text.to_owned())),
            "file" => one.string(sink).filter(|text| !text.is_empty()).map(|text| SecretSource::File(text.to_owned())),
            "command" => {
                Some(one.strings(sink, "texts").into_iter().map(|(text, _)| text.to_owned()).collect::<Vec<_>>())
                    .filter(|argv| !argv.is_empty())
                    .map(SecretSource::Command)
            }
            _ => {
                unknown_key(sink, one, "`from`", &["env", "file", "command"]);
                continue;
            }
        };
        if source.is_some() || found.is_none() {
            sink.error(
                codes::SECRET_SOURCE,
                one.span(),
                format!("the secret `{name}` must come from one place"),
                "",
                "keep one of `env`, `file` and `command`, with a value",
            );
        }
        source = source.or(found);
    }
    if source.is_none() {
        sink.error(
            codes::SECRET_SOURCE,
            field.span(),
            format!("`from` of `{name}` names no place"),
            "",
            "write  from = { env = \"NAME\" }",
        );
    }
    source.or(fallback)
}
