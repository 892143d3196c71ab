//! JSON where `serde_json` alone is too forgiving: duplicate keys, exact places, canonical bytes.
//!
//! [`Node`] keeps what a [`serde_json::Value`] loses (a key written twice), and [`Reader`] walks it
//! and collects every problem with the field's path, so that whoever wrote the file mends it once.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::hash::Sha256Digest;

/// Sorted, compact JSON: the bytes over which manifests are hashed and signed.
pub fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

/// SHA-256 of the canonical form of an object without the named fields.
pub fn content_hash(object: &serde_json::Map<String, Value>, without: &[&str]) -> Sha256Digest {
    let kept = object.iter().filter(|(key, _)| !without.contains(&key.as_str()));
    let kept = Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect());
    Sha256Digest::of(canonical(&kept).as_bytes())
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A JSON value that keeps duplicate keys and their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// An object, keys as written.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads one JSON document.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// What is wrong at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct Problem {
    /// Path of the field, `wal_shipments[0].verified`.
    pub field: String,
    /// What is wrong and what is wanted, continuing the field's name.
    pub message: String,
}

/// Every problem of a document, in the document's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for Problems {}

/// Collects problems and warnings while a document is walked.
#[derive(Debug, Default)]
pub struct Reader {
    /// What makes the document unusable.
    pub problems: Vec<Problem>,
    /// What is odd and harmless: fields that nobody reads.
    pub warnings: Vec<Problem>,
}

impl Reader {
    /// Notes that a field is wrong.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { field: field.into(), message: message.into() });
    }

    /// The fields of an object, each exactly once; `known` are the ones that somebody reads.
    pub fn object<'n>(&mut self, path: &str, node: &'n Node, known: &[&str]) -> Option<&'n [(String, Node)]> {
        let Node::Object(fields) = node else {
            self.refuse(display(path), format!("must be an object, not {}", node.name()));
            return None;
        };
        for (at, (key, _)) in fields.iter().enumerate() {
            if fields[..at].iter().any(|(earlier, _)| earlier == key) {
                self.refuse(join(path, key), "is written twice");
            } else if !known.contains(&key.as_str()) {
                self.warnings.push(Problem { field: join(path, key), message: "is not a known field".into() });
            }
        }
        Some(fields)
    }

    /// A field that must be there.
    pub fn field<'n>(&mut self, path: &str, fields: &'n [(String, Node)], key: &str) -> Option<&'n Node> {
        let found = fields.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        if found.is_none() {
            self.refuse(join(path, key), "is missing");
        }
        found
    }

    /// Text that is not blank.
    pub fn text(&mut self, path: &str, fields: &[(String, Node)], key: &str) -> Option<String> {
        let node = self.field(path, fields, key)?;
        self.as_text(&join(path, key), node)
    }

    /// The same for a value in a list.
    pub fn as_text(&mut self, path: &str, node: &Node) -> Option<String> {
        match node {
            Node::String(text) if text.trim().is_empty() => self.refuse(path, "must not be empty"),
            Node::String(text) => return Some(text.clone()),
            other => self.refuse(path, format!("must be a string, not {}", other.name())),
        }
        None
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, path: &str, fields: &[(String, Node)], key: &str) -> Option<bool> {
        match self.field(path, fields, key)? {
            Node::Bool(value) => return Some(*value),
            other => self.refuse(join(path, key), format!("must be true or false, not {}", other.name())),
        }
        None
    }

    /// A whole number from 0 to 2^64 - 1.
    pub fn number(&mut self, path: &str, fields: &[(String, Node)], key: &str) -> Option<u64> {
        match self.field(path, fields, key)? {
            Node::Number(number) if number.as_u64().is_some() => return number.as_u64(),
            Node::Number(number) => {
                self.refuse(join(path, key), format!("must be a whole number from 0 to {}, not {number}", u64::MAX));
            }
            other => self.refuse(join(path, key), format!("must be a whole number, not {}", other.name())),
        }
        None
    }

    /// A list.
    pub fn list<'n>(&mut self, path: &str, fields: &'n [(String, Node)], key: &str) -> Option<&'n [Node]> {
        match self.field(path, fields, key)? {
            Node::Array(items) => return Some(items),
            other => self.refuse(join(path, key), format!("must be a list, not {}", other.name())),
        }
        None
    }

    /// The value if nothing was wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<Problem>), Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok((value, self.warnings)),
            _ => Err(Problems(self.problems)),
        }
    }
}

/// `path.key`, or `key` at the top.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

fn display(path: &str) -> String {
    if path.is_empty() { "(document)".to_string() } else { path.to_string() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }
}
