//! Checks a step's parameters against its type's declaration.

use super::expressions::{Secrets, Where, condition, template};
use crate::codes;
use crate::diagnostic::Sink;
use crate::expr::template::is_template;
use crate::lower::Known;
use crate::syntax::node::{Fields, Node, missing_key, shown, unknown_key};
use crate::units::{did_you_mean, duration_ms, size_bytes};
use ceptra_flow_core::catalog::{Field, Shape, Table};
use toml::de::DeValue;

/// Checks `with` of a step type.
pub(crate) fn parameters(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    fields: Fields<'_>,
    table: &Table,
    kind: &str,
    at: &Where<'_>,
) {
    check_table(known, sink, fields, table, &format!("`{kind}`"), at);
}

fn check_table(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    fields: Fields<'_>,
    table: &Table,
    what: &str,
    at: &Where<'_>,
) {
    for node in fields.iter() {
        match table.fields.iter().find(|field| field.name == node.key) {
            Some(field) => check_field(known, sink, node, field, at),
            None if table.open => any(known, sink, node, at),
            None => {
                let names: Vec<&'static str> = table.fields.iter().map(|field| field.name).collect();
                unknown_key(sink, node, what, &names);
            }
        }
    }
    for field in table.fields.iter().filter(|field| field.required) {
        if fields.get(field.name).is_none() {
            missing_key(sink, fields.span, what, field.name, &format!("{} = {}", field.name, example(&field.shape)));
        }
    }
}

fn check_field(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, field: &Field, at: &Where<'_>) {
    if field.exposed && at.secrets == Secrets::Allowed {
        let exposed = Where { secrets: Secrets::Exposed(field.name), ..at.clone() };
        value(known, sink, node, &field.shape, &exposed);
    } else {
        value(known, sink, node, &field.shape, at);
    }
}

/// Checks one value.
pub(crate) fn value(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, shape: &Shape, at: &Where<'_>) {
    if *shape == Shape::Cel {
        if let Some(text) = node.string(sink) {
            condition(known, sink, node, text, at);
        }
        return;
    }
    if let Some(text) = node.as_str()
        && is_template(text)
    {
        // What one reference gives is known only when it is rendered; text with a hole in it is text.
        if let Some(template) = template(known, sink, node, text, at)
            && template.sole().is_none()
            && !takes_text(shape)
        {
            node.wrong_type(
                sink,
                described(shape),
                format!(
                    "write  {} = {},  or exactly one reference:  \"{{{{ inputs.name }}}}\"",
                    node.key,
                    example(shape)
                ),
            );
        }
        return;
    }
    match shape {
        Shape::Any => any(known, sink, node, at),
        Shape::List(element) => {
            if let Some(list) = node.list(sink, plural(element)) {
                list.for_each(|node| value(known, sink, node, element, at));
            }
        }
        Shape::Table(table) => {
            if let Some(fields) = node.table(sink) {
                check_table(known, sink, fields, table, &format!("`{}`", node.key), at);
            }
        }
        Shape::Map(element) => {
            if let Some(fields) = node.table(sink) {
                fields.iter().for_each(|node| value(known, sink, node, element, at));
            }
        }
        Shape::Either(shapes) => {
            let fitting: Vec<&Shape> = shapes.iter().filter(|shape| fits(node.value(), shape)).collect();
            match fitting.as_slice() {
                [] => {
                    let ways: Vec<&str> = shapes.iter().map(described).collect();
                    node.wrong_type(
                        sink,
                        &ways.join(" or "),
                        format!("write  {} = {}", node.key, shapes.first().map_or("…".to_owned(), example)),
                    );
                }
                [one, ..] => value(known, sink, node, one, at),
            }
        }
        Shape::Null
        | Shape::Boolean
        | Shape::Integer
        | Shape::Number
        | Shape::String
        | Shape::Duration
        | Shape::Size
        | Shape::OneOf(_)
        | Shape::Cel => {
            scalar(sink, node, shape);
        }
    }
}

/// A value of any shape: only the templates in it can be wrong.
fn any(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, at: &Where<'_>) {
    match node.as_str() {
        Some(text) if is_template(text) => {
            template(known, sink, node, text, at);
        }
        Some(_) => {}
        None => node.children().into_iter().for_each(|child| any(known, sink, child, at)),
    }
}

fn scalar(sink: &mut Sink<'_>, node: Node<'_>, shape: &Shape) {
    let text = node.as_str();
    match (shape, text) {
        (Shape::Duration, Some(text)) if duration_ms(text).is_none() => bad_duration(sink, node, text),
        (Shape::Size, Some(text)) if size_bytes(text).is_none() => {
            sink.error(
                codes::BAD_SIZE,
                node.span(),
                format!("`{}` is not a size", shown(text)),
                "",
                "write a whole number and a unit: 512B, 64KiB, 10MiB, 1GiB",
            );
        }
        (Shape::OneOf(words), Some(text)) if !words.contains(&text) => {
            node.bad_value(
                sink,
                format!("`{}` cannot be `{}`", node.key, shown(text)),
                did_you_mean(text, words.iter().copied()),
            );
        }
        _ if !fits(node.value(), shape) => {
            node.wrong_type(sink, described(shape), format!("write  {} = {}", node.key, example(shape)))
        }
        _ => {}
    }
}

/// Says that a text is no duration.
pub(crate) fn bad_duration(sink: &mut Sink<'_>, node: Node<'_>, text: &str) {
    sink.error(
        codes::BAD_DURATION,
        node.span(),
        format!("`{}` is not a duration", shown(text)),
        "",
        "write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d",
    );
}

fn takes_text(shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::String | Shape::Duration | Shape::Size | Shape::Cel | Shape::OneOf(_) => true,
        Shape::Either(shapes) => shapes.iter().any(takes_text),
        Shape::Null
        | Shape::Boolean
        | Shape::Integer
        | Shape::Number
        | Shape::List(_)
        | Shape::Table(_)
        | Shape::Map(_) => false,
    }
}

/// Whether a value is of the shape's kind; its inside is looked at later.
fn fits(value: &DeValue<'_>, shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Null => false,
        Shape::Boolean => matches!(value, DeValue::Boolean(_)),
        Shape::Integer => matches!(value, DeValue::Integer(_)),
        Shape::Number => matches!(value, DeValue::Integer(_) | DeValue::Float(_)),
        Shape::Size => matches!(value, DeValue::Integer(_) | DeValue::String(_)),
        // A date written without quotes is taken for its text.
        Shape::String => matches!(value, DeValue::String(_) | DeValue::Datetime(_)),
        Shape::Duration | Shape::Cel | Shape::OneOf(_) => matches!(value, DeValue::String(_)),
        Shape::List(element) => match value {
            DeValue::Array(list) => {
                list.iter().all(|value| is_template_text(value.get_ref()) || fits(value.get_ref(), element))
            }
            _ => false,
        },
        Shape::Table(table) => match value {
            DeValue::Table(found) => {
                table.open
                    || found.keys().all(|key| table.fields.iter().any(|field| field.name == key.get_ref().as_ref()))
            }
            _ => false,
        },
        Shape::Map(_) => matches!(value, DeValue::Table(_)),
        Shape::Either(shapes) => shapes.iter().any(|shape| fits(value, shape)),
    }
}

fn is_template_text(value: &DeValue<'_>) -> bool {
    matches!(value, DeValue::String(text) if is_template(text))
}

fn described(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "anything",
        Shape::Null => "null",
        Shape::Boolean => "true or false",
        Shape::Integer => "a whole number",
        Shape::Number => "a number",
        Shape::String => "text",
        Shape::Duration => "a duration",
        Shape::Size => "a size",
        Shape::Cel => "a condition",
        Shape::OneOf(_) => "one of a few words",
        Shape::List(_) => "a list",
        Shape::Table(_) | Shape::Map(_) => "a table",
        Shape::Either(_) => "something else",
    }
}

fn plural(shape: &Shape) -> &'static str {
    match shape {
        Shape::String | Shape::OneOf(_) => "texts",
        Shape::Integer | Shape::Number => "numbers",
        Shape::Table(_) | Shape::Map(_) => "tables",
        Shape::Cel => "conditions",
        Shape::Any
        | Shape::Null
        | Shape::Boolean
        | Shape::Duration
        | Shape::Size
        | Shape::List(_)
        | Shape::Either(_) => "values",
    }
}

fn example(shape: &Shape) -> String {
    match shape {
        Shape::Any | Shape::Null => "…".to_owned(),
        Shape::Boolean => "true".to_owned(),
        Shape::Integer | Shape::Number => "1".to_owned(),
        Shape::String => "\"…\"".to_owned(),
        Shape::Duration => "\"30s\"".to_owned(),
        Shape::Size => "\"64KiB\"".to_owned(),
        Shape::Cel => "\"output.exit_code == 0\"".to_owned(),
        Shape::OneOf(words) => format!("\"{}\"", words.first().unwrap_or(&"…")),
        Shape::List(element) => format!("[{}]", example(element)),
        Shape::Table(_) | Shape::Map(_) => "{ … }".to_owned(),
        Shape::Either(shapes) => shapes.first().map_or("…".to_owned(), example),
    }
}
