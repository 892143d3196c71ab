//! Evaluates templates over named values.

use super::helpers::{Helper, kind, to_text};
use super::path::{Path, Segment, write_segments};
use super::template::{Expr, Part, Template};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A rendered text's length; a loop over a large output must not eat the memory.
const RENDERED_BYTES_MAX: usize = 64 << 20;

/// The names that templates and conditions read.
pub(crate) trait Names {
    /// The value of a root name; `None` when it is unknown.
    fn root(&self, name: &str) -> Option<Cow<'_, Value>>;
}

/// Names inside a block, from the outermost in.
struct Frame<'v> {
    this: Cow<'v, Value>,
    names: Vec<(&'v str, Cow<'v, Value>)>,
    index: Option<(usize, usize)>,
}

struct Renderer<'n, N: Names> {
    names: &'n N,
    frames: Vec<Frame<'n>>,
}

/// The template's value: what its only reference names, or text.
pub(crate) fn render<N: Names>(template: &Template, names: &N) -> Result<Value, String> {
    let mut renderer = Renderer { names, frames: Vec::new() };
    match template.sole() {
        Some(expr) => renderer.value(expr).map(Cow::into_owned),
        None => {
            let mut text = String::new();
            renderer.parts(&template.parts, &mut text)?;
            Ok(Value::String(text))
        }
    }
}

impl<'n, N: Names> Renderer<'n, N> {
    fn parts(&mut self, parts: &'n [Part], out: &mut String) -> Result<(), String> {
        for part in parts {
            if out.len() > RENDERED_BYTES_MAX {
                return Err("the text becomes too long (over 64 MiB)".to_owned());
            }
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(expr) => {
                    let value = self.value(expr)?;
                    let text = to_text(&value).map_err(|why| match expr {
                        Expr::Path(path) => format!("`{path}`: {why}"),
                        Expr::Literal(_) | Expr::Call { .. } => why,
                    })?;
                    out.push_str(&text);
                }
                Part::If { condition, negated, then, otherwise } => {
                    let holds = truthy(self.value(condition)?.as_ref()) != *negated;
                    self.parts(if holds { then } else { otherwise }, out)?;
                }
                Part::Each { over, names, body, otherwise } => self.each(over, names, body, otherwise, out)?,
                Part::With { value, names, body, otherwise } => {
                    let value = self.value(value)?;
                    if truthy(&value) {
                        let named = names.first().map(|name| (&**name, value.clone()));
                        self.frames.push(Frame { this: value, names: named.into_iter().collect(), index: None });
                        self.parts(body, out)?;
                        self.frames.pop();
                    } else {
                        self.parts(otherwise, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        over: &'n Expr,
        names: &'n [Box<str>],
        body: &'n [Part],
        otherwise: &'n [Part],
        out: &mut String,
    ) -> Result<(), String> {
        let entries: Vec<(Option<String>, Value)> = match self.value(over)?.into_owned() {
            Value::Array(list) => list.into_iter().map(|value| (None, value)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
            Value::Null => Vec::new(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                return Err(format!("`each` takes a list or a table, not {}", kind(&other)));
            }
        };
        if entries.is_empty() {
            return self.parts(otherwise, out);
        }
        let count = entries.len();
        for (at, (key, value)) in entries.into_iter().enumerate() {
            let place = key.map_or_else(|| Value::from(at), Value::String);
            let mut named = Vec::with_capacity(names.len());
            if let Some(name) = names.first() {
                named.push((&**name, Cow::Owned(value.clone())));
            }
            if let Some(name) = names.get(1) {
                named.push((&**name, Cow::Owned(place.clone())));
            }
            named.push(("@key", Cow::Owned(place)));
            self.frames.push(Frame { this: Cow::Owned(value), names: named, index: Some((at, count)) });
            self.parts(body, out)?;
            self.frames.pop();
        }
        Ok(())
    }

    fn value(&mut self, expr: &'n Expr) -> Result<Cow<'n, Value>, String> {
        match expr {
            Expr::Literal(value) => Ok(Cow::Borrowed(value)),
            Expr::Path(path) => self.path(path)?,
            Expr::Call { helper: Helper::Default, arguments } => {
                let [first, second] = arguments.as_slice() else {
                    return Err("`default` takes two values".to_owned());
                };
                let value = match first {
                    Expr::Path(path) => self.path(path)?.ok(),
                    Expr::Literal(_) | Expr::Call { .. } => Some(self.value(first)?),
                };
                match value {
                    Some(value) if !value.is_null() => Ok(value),
                    _ => self.value(second),
                }
            }
            Expr::Call { helper, arguments } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument)?.into_owned());
                }
                let result = helper.call(&values).map_err(|why| match arguments.first() {
                    Some(Expr::Path(path)) => format!("`{path}`: {why}"),
                    _ => why,
                })?;
                Ok(Cow::Owned(result))
            }
        }
    }

    /// What a path names; the inner error says that nothing is there (which `default` forgives).
    fn path(&self, path: &'n Path) -> Result<Result<Cow<'n, Value>, String>, String> {
        let Some(depth) = self.frames.len().checked_sub(path.up) else {
            return Err(format!("`{path}` goes further out than there are blocks"));
        };
        let frames = &self.frames[..depth];
        let root = match &*path.root {
            "this" => frames.last().map(|frame| frame.this.clone()),
            "@index" => frames.iter().rev().find_map(|frame| frame.index).map(|(at, _)| Cow::Owned(Value::from(at))),
            "@first" => {
                frames.iter().rev().find_map(|frame| frame.index).map(|(at, _)| Cow::Owned(Value::Bool(at == 0)))
            }
            "@last" => frames
                .iter()
                .rev()
                .find_map(|frame| frame.index)
                .map(|(at, count)| Cow::Owned(Value::Bool(at + 1 == count))),
            "@root" => None,
            name => frames
                .iter()
                .rev()
                .find_map(|frame| {
                    let named = frame.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
                    named.or_else(|| frame.this.get(name).map(|value| Cow::Owned(value.clone())))
                })
                .or_else(|| self.names.root(name)),
        };
        let Some(root) = root else {
            return Ok(Err(format!("there is no `{}` here", path.root)));
        };
        Ok(follow(root, path))
    }
}

/// The value at the end of a path.
fn follow<'v>(root: Cow<'v, Value>, path: &Path) -> Result<Cow<'v, Value>, String> {
    match root {
        Cow::Borrowed(value) => descend(value, path).map(Cow::Borrowed),
        Cow::Owned(value) if path.segments.is_empty() => Ok(Cow::Owned(value)),
        Cow::Owned(value) => descend(&value, path).map(|value| Cow::Owned(value.clone())),
    }
}

fn descend<'v>(root: &'v Value, path: &Path) -> Result<&'v Value, String> {
    let mut value = root;
    for (at, segment) in path.segments.iter().enumerate() {
        let next = match (segment, value) {
            (Segment::Key(key), Value::Object(map)) => map.get(&**key),
            (Segment::Index(index), Value::Array(list)) => list.get(*index),
            (Segment::Index(index), Value::Object(map)) => map.get(&index.to_string()),
            (Segment::Key(_) | Segment::Index(_), _) => None,
        };
        value = match next {
            Some(next) => next,
            None => return Err(nothing_there(path, at, value)),
        };
    }
    Ok(value)
}

/// Why a path ends before its last segment.
fn nothing_there(path: &Path, at: usize, value: &Value) -> String {
    let mut before = path.root.to_string();
    write_segments(&mut before, &path.segments[..at]).expect("writing to a String cannot fail");
    match (value, &path.segments[at]) {
        (Value::Null, _) => format!("`{path}` is unknown: `{before}` is null (a skipped step's output is)"),
        (Value::Object(map), segment) => {
            let mut name = String::new();
            write_segments(&mut name, std::slice::from_ref(segment)).expect("writing to a String cannot fail");
            let known: Vec<&str> = map.keys().map(String::as_str).take(12).collect();
            format!(
                "`{path}` is unknown: `{before}` has no `{}`, only {}",
                name.trim_start_matches('.'),
                listed(&known)
            )
        }
        (Value::Array(list), Segment::Index(index)) => {
            format!("`{path}` is unknown: `{before}` has {} elements, no [{index}]", list.len())
        }
        (other, _) => format!("`{path}` is unknown: `{before}` is {}", kind(other)),
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// As in Handlebars.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(_) => true,
    }
}

/// Every string of a value with its templates rendered. Keys are taken as they stand.
pub(crate) fn render_value(
    value: Value,
    render: &mut dyn FnMut(&str) -> Result<Value, String>,
) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) if super::template::is_template(&text) => render(&text)?,
        Value::Array(list) => {
            Value::Array(list.into_iter().map(|value| render_value(value, render)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let mut rendered = Map::with_capacity(map.len());
            for (key, value) in map {
                rendered.insert(key, render_value(value, render)?);
            }
            Value::Object(rendered)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    })
}
