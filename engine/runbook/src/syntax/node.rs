//! A value of a document with its place, and getters that say what is wrong.

use super::document::Document;
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::units;
use serde_json::{Map, Number, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

/// A value under a key.
#[derive(Clone, Copy)]
pub(crate) struct Node<'d> {
    /// For messages: the key it stands under.
    pub(crate) key: &'d str,
    key_range: (usize, usize),
    value: &'d Spanned<DeValue<'d>>,
    pub(crate) document: &'d Document<'d>,
    /// Whether it is an element of the list under the key.
    is_element: bool,
}

/// A table with its place.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'d> {
    pub(crate) table: &'d DeTable<'d>,
    pub(crate) document: &'d Document<'d>,
    pub(crate) span: Span,
}

impl<'d> Fields<'d> {
    /// A document's top level.
    pub(crate) fn root(table: &'d DeTable<'d>, document: &'d Document<'d>) -> Self {
        Self { table, document, span: Span::default() }
    }

    /// Its entries, in the file's order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Node<'d>> {
        self.table.iter().map(move |(key, value)| self.node(key, value))
    }

    fn node(self, key: &'d Spanned<DeString<'d>>, value: &'d Spanned<DeValue<'d>>) -> Node<'d> {
        let range = key.span();
        Node {
            key: key.get_ref(),
            key_range: (range.start, range.end),
            value,
            document: self.document,
            is_element: false,
        }
    }

    /// The entry with this key.
    pub(crate) fn get(self, key: &str) -> Option<Node<'d>> {
        self.iter().find(|node| node.key == key)
    }
}

/// Says that a key does not exist.
pub(crate) fn unknown_key(sink: &mut Sink<'_>, node: Node<'_>, what: &str, known: &[&'static str]) {
    let help = units::did_you_mean(node.key, known.iter().copied());
    sink.error(
        codes::UNKNOWN_KEY,
        node.key_span(),
        format!("{what} has no key `{}`", shown(node.key)),
        "not known here",
        help,
    );
}

/// Says that a required key is not there.
pub(crate) fn missing_key(sink: &mut Sink<'_>, at: Span, what: &str, key: &str, example: &str) {
    sink.error(
        codes::MISSING_KEY,
        at,
        format!("{what} has no `{key}`"),
        "it is required here",
        format!("add  {example}"),
    );
}

/// A name from a file, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text[..end].escape_debug()),
        None if text.chars().any(char::is_control) => text.escape_debug().to_string(),
        None => text.to_owned(),
    }
}

impl<'d> Node<'d> {
    pub(crate) fn value(self) -> &'d DeValue<'d> {
        self.value.get_ref()
    }

    /// Where the value stands; the key, where the value is a table written as `[a.b]`.
    pub(crate) fn span(self) -> Span {
        self.document.place(self.range())
    }

    fn range(self) -> Range<usize> {
        let range = self.value.span();
        if range.is_empty() { self.key_range.0..self.key_range.1 } else { range }
    }

    pub(crate) fn key_span(self) -> Span {
        self.document.place(self.key_range.0..self.key_range.1)
    }

    /// Where a part of this string's content stands.
    pub(crate) fn span_within(self, decoded: &str, part: Range<usize>) -> Span {
        self.document.place_within(self.range(), decoded, part)
    }

    /// A child of the same place, for lists: named like its parent.
    fn element(self, value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { value, is_element: true, ..self }
    }

    pub(crate) fn wrong_type(self, sink: &mut Sink<'_>, expected: &str, help: impl Into<String>) {
        let found = type_name(self.value());
        let what = if self.is_element { "an element of " } else { "" };
        sink.error(
            codes::WRONG_TYPE,
            self.span(),
            format!("{what}`{}` must be {expected}, not {found}", shown(self.key)),
            format!("this is {found}"),
            help,
        );
    }

    pub(crate) fn bad_value(self, sink: &mut Sink<'_>, message: impl Into<String>, help: impl Into<String>) {
        sink.error(codes::BAD_VALUE, self.span(), message, "", help);
    }

    pub(crate) fn as_str(self) -> Option<&'d str> {
        match self.value() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn string(self, sink: &mut Sink<'_>) -> Option<&'d str> {
        let text = self.as_str();
        if text.is_none() {
            let help = if self.is_element {
                "write it in quotes:  \"…\"".to_owned()
            } else {
                format!("write  {} = \"…\"", self.key)
            };
            self.wrong_type(sink, "text", help);
        }
        text
    }

    pub(crate) fn boolean(self, sink: &mut Sink<'_>) -> Option<bool> {
        match self.value() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(sink, "true or false", format!("write  {} = true  or leave it out", self.key));
                None
            }
        }
    }

    pub(crate) fn table(self, sink: &mut Sink<'_>) -> Option<Fields<'d>> {
        match self.value() {
            DeValue::Table(table) => Some(Fields { table, document: self.document, span: self.key_span() }),
            _ => {
                let help = if self.is_element {
                    "write  { … }".to_owned()
                } else {
                    format!("write  {} = {{ … }}", shown(self.key))
                };
                self.wrong_type(sink, "a table", help);
                None
            }
        }
    }

    /// A list's elements; a single value is not taken for a list of one.
    pub(crate) fn list(self, sink: &mut Sink<'_>, of: &str) -> Option<impl Iterator<Item = Node<'d>> + use<'d>> {
        match self.value() {
            DeValue::Array(list) => Some(list.iter().map(move |value| self.element(value))),
            _ => {
                let one = self
                    .as_str()
                    .filter(|text| text.len() < 40)
                    .map_or_else(|| " … ".to_owned(), |text| format!("{text:?}"));
                self.wrong_type(sink, &format!("a list of {of}"), format!("write  {} = [{one}]", self.key));
                None
            }
        }
    }

    pub(crate) fn strings(self, sink: &mut Sink<'_>, of: &str) -> Vec<(&'d str, Span)> {
        let Some(list) = self.list(sink, of) else {
            return Vec::new();
        };
        list.filter_map(|node| node.string(sink).map(|text| (text, node.span()))).collect()
    }

    pub(crate) fn as_integer(self) -> Option<i64> {
        match self.value() {
            DeValue::Integer(number) => integer(number),
            _ => None,
        }
    }

    /// A whole number of at least `minimum`.
    pub(crate) fn count(self, sink: &mut Sink<'_>, minimum: u32) -> Option<u32> {
        match self.value() {
            DeValue::Integer(number) => {
                let count =
                    integer(number).and_then(|number| u32::try_from(number).ok()).filter(|count| *count >= minimum);
                if count.is_none() {
                    self.bad_value(
                        sink,
                        format!("`{}` must be a whole number from {minimum} to {}", self.key, u32::MAX),
                        format!("write  {} = {}", self.key, minimum.max(1)),
                    );
                }
                count
            }
            _ => {
                self.wrong_type(sink, "a whole number", format!("write  {} = {}", self.key, minimum.max(1)));
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(self, sink: &mut Sink<'_>, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.string(sink)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.bad_value(
                sink,
                format!("`{}` cannot be `{}`", self.key, shown(text)),
                units::did_you_mean(text, names),
            );
        }
        found
    }

    /// The value as JSON. Dates and times become their text.
    pub(crate) fn json(self, sink: &mut Sink<'_>) -> Value {
        json(self.value, self.document, sink)
    }

    /// The children of a list or a table, for walks that need places.
    pub(crate) fn children(self) -> Vec<Node<'d>> {
        match self.value() {
            DeValue::Array(list) => list.iter().map(|value| self.element(value)).collect(),
            DeValue::Table(table) => Fields { table, document: self.document, span: self.key_span() }.iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// How people call a value's type.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn json(value: &Spanned<DeValue<'_>>, document: &Document<'_>, sink: &mut Sink<'_>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match (integer(number), u64::from_str_radix(number.as_str(), number.radix())) {
            (Some(number), _) => Value::Number(number.into()),
            (None, Ok(number)) => Value::Number(number.into()),
            (None, Err(_)) => {
                sink.error(
                    codes::BAD_VALUE,
                    document.place(value.span()),
                    "this number is too large",
                    "",
                    "whole numbers reach from -2^63 to 2^64 - 1; write a larger one as text",
                );
                Value::Null
            }
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => {
                sink.error(
                    codes::BAD_VALUE,
                    document.place(value.span()),
                    "`inf` and `nan` cannot be stored",
                    "",
                    "write a finite number, or text",
                );
                Value::Null
            }
        },
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(list) => Value::Array(list.iter().map(|value| json(value, document, sink)).collect()),
        DeValue::Table(table) => {
            let mut map = Map::with_capacity(table.len());
            for (key, value) in table {
                map.insert(key.get_ref().to_string(), json(value, document, sink));
            }
            Value::Object(map)
        }
    }
}
