//! How an installation carries out an operation: the target's `[operations.NAME]`, read and rendered.
//!
//! Values only: no request is sent here. `{{ name }}` is replaced by the operation's parameter; a string
//! that is just one `{{ name }}` keeps its type; in a URL everything but a base address is
//! percent-encoded. `done` and `not_done` are CEL over the same names and `output`.

use crate::error::StepError;
use cel::{Context, Program, Value as Cel};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Parameters that hold an address and go into a URL as they are.
const ADDRESSES: [&str; 3] = ["control_plane", "node", "ingress"];

/// Names and values that a binding may use.
pub(super) type Params = Map<String, Value>;

/// One operation, as this target carries it out.
#[derive(Debug)]
pub(super) struct Binding {
    /// The operation's name.
    pub(super) name: String,
    /// The request that has the effect, or that asks.
    pub(super) http: Request,
    /// How to see that it happened.
    pub(super) probe: Option<Probe>,
}

/// A request with templates.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    url: String,
    json: Option<Value>,
}

/// A read-only request, and what its answer means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probe {
    http: Written,
    done: String,
    #[serde(default)]
    not_done: Option<String>,
}

/// A request ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rendered {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) json: Option<Value>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Done,
    NotDone,
    Neither,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBinding {
    #[serde(default)]
    http: Option<Written>,
    #[serde(default)]
    probe: Option<Probe>,
    #[serde(default)]
    exec: Option<Value>,
    #[serde(default)]
    kubernetes: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    json: Option<Value>,
}

impl Binding {
    /// Reads `operations.NAME` of a target.
    pub(super) fn of(target: &Value, name: &str) -> Result<Self, StepError> {
        let Some(written) = target.get("operations").and_then(|operations| operations.get(name)) else {
            return Err(StepError::nothing("binding", missing(target, name)));
        };
        let wrong = |why: String| StepError::nothing("binding", format!("operations.{name}: {why}"));
        let written = WrittenBinding::deserialize(written).map_err(|error| wrong(error.to_string()))?;
        if written.http.is_none() && (written.exec.is_some() || written.kubernetes.is_some()) {
            return Err(wrong("only `http` bindings are carried out by this version".to_owned()));
        }
        let http = Request::of(written.http.unwrap_or_default(), name);
        Ok(Self { name: name.to_owned(), http, probe: written.probe })
    }

    /// The probe, which an operation that changes something must have.
    pub(super) fn probe(&self) -> Result<&Probe, StepError> {
        self.probe.as_ref().ok_or_else(|| {
            let name = &self.name;
            let help = format!("operations.{name} has no `probe`: nobody could tell whether it happened");
            StepError::nothing("binding", help)
        })
    }
}

impl Request {
    /// Fills in what Clustor's conventions give: POST to the operation's name in kebab case below `/admin/`.
    fn of(written: Written, name: &str) -> Self {
        let url = written.url.unwrap_or_else(|| format!("{{{{ control_plane }}}}/admin/{}", name.replace('_', "-")));
        Self { method: written.method.unwrap_or_else(|| "POST".to_owned()), url, json: written.json }
    }

    pub(super) fn render(&self, params: &Params) -> Result<Rendered, StepError> {
        let json = match (&self.json, self.method.as_str()) {
            (Some(json), _) => Some(render_json(json, params)?),
            (None, "GET" | "HEAD") => None,
            (None, _) => {
                Some(Value::Object(params.iter().filter(|(name, _)| !is_address(name)).map(clone_pair).collect()))
            }
        };
        Ok(Rendered { method: self.method.clone(), url: render_url(&self.url, params)?, json })
    }
}

impl Probe {
    pub(super) fn render(&self, params: &Params) -> Result<Rendered, StepError> {
        let url =
            self.http.url.as_deref().ok_or_else(|| StepError::nothing("binding", "a probe's `http` needs a `url`"))?;
        let json = self.http.json.as_ref().map(|json| render_json(json, params)).transpose()?;
        let method = self.http.method.clone().unwrap_or_else(|| "GET".to_owned());
        Ok(Rendered { method, url: render_url(url, params)?, json })
    }

    /// What an answer means for these parameters.
    pub(super) fn meaning(&self, params: &Params, output: &Value) -> Result<Meaning, StepError> {
        if holds(&self.done, params, output)? {
            return Ok(Meaning::Done);
        }
        match &self.not_done {
            Some(not_done) if holds(not_done, params, output)? => Ok(Meaning::NotDone),
            Some(_) => Ok(Meaning::Neither),
            None => Ok(Meaning::NotDone),
        }
    }
}

fn missing(target: &Value, name: &str) -> String {
    let called = target.pointer("/target/name").and_then(Value::as_str).unwrap_or("(none)");
    format!(
        "target `{called}` has no binding for the operation `{name}`; write\n\
         [operations.{name}]\n\
         http  = {{ method = \"POST\", url = \"{{{{ control_plane }}}}/admin/{}\", json = {{ … }} }}\n\
         probe = {{ http = {{ method = \"GET\", url = \"…\" }}, done = \"…\", not_done = \"…\" }}",
        name.replace('_', "-")
    )
}

fn is_address(name: &str) -> bool {
    ADDRESSES.contains(&name)
}

fn clone_pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn render_json(value: &Value, params: &Params) -> Result<Value, StepError> {
    Ok(match value {
        Value::String(text) => match single_reference(text) {
            Some(name) => lookup(name, params)?.clone(),
            None => Value::String(render_text(text, params, |_, text| text)?),
        },
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| render_json(item, params)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let rendered = fields.iter().map(|(key, field)| Ok((key.clone(), render_json(field, params)?)));
            Value::Object(rendered.collect::<Result<_, StepError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

fn render_url(template: &str, params: &Params) -> Result<String, StepError> {
    render_text(template, params, |name, text| if is_address(name) { text } else { percent_encoded(&text) })
}

fn render_text(template: &str, params: &Params, encode: fn(&str, String) -> String) -> Result<String, StepError> {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((name, after)) = from.split_once("}}") else {
            return Err(StepError::nothing("binding", format!("`{{{{` without `}}}}` in `{template}`")));
        };
        let name = name.trim();
        let text = match lookup(name, params)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        rendered.push_str(before);
        rendered.push_str(&encode(name, text));
        rest = after;
    }
    rendered.push_str(rest);
    Ok(rendered)
}

fn single_reference(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.contains('{') && !name.contains('}')).then_some(name)
}

fn lookup<'a>(name: &str, params: &'a Params) -> Result<&'a Value, StepError> {
    params.get(name).ok_or_else(|| {
        let known: Vec<&str> = params.keys().map(String::as_str).collect();
        StepError::nothing("binding", format!("a binding uses `{name}`; the operation has {}", known.join(", ")))
    })
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn holds(condition: &str, params: &Params, output: &Value) -> Result<bool, StepError> {
    let program = Program::compile(condition)
        .map_err(|error| StepError::nothing("binding", format!("condition `{condition}` is no CEL: {error}")))?;
    let mut scope = Context::default();
    for (name, value) in params {
        scope.add_variable_from_value(name.as_str(), cel_value(value));
    }
    scope.add_variable_from_value("output", cel_value(output));
    // An answer without the field that a condition reads is not an answer to it.
    Ok(matches!(program.execute(&scope), Ok(Cel::Bool(true))))
}

fn cel_value(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(small), _) => Cel::Int(small),
            (None, Some(large)) => Cel::UInt(large),
            (None, None) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(cel_value).collect())),
        Value::Object(fields) => {
            let map: HashMap<cel::objects::Key, Cel> =
                fields.iter().map(|(key, field)| (cel::objects::Key::from(key.as_str()), cel_value(field))).collect();
            Cel::Map(cel::objects::Map { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params() -> Params {
        let params = json!({
            "control_plane": "https://cp.example:9443", "group_id": "pg 0/x", "target_epoch": 18_446_744_073_709_551_615_u64,
            "member": "cp-b-3", "idempotency_key": "k1",
        });
        params.as_object().unwrap().clone()
    }

    fn binding(operation: Value) -> Binding {
        Binding::of(&json!({"target": {"name": "lab"}, "operations": {"advance_epoch": operation}}), "advance_epoch")
            .unwrap()
    }

    #[test]
    fn a_single_reference_keeps_its_type_and_urls_are_encoded() {
        let binding = binding(json!({
            "http": {"method": "PUT", "url": "{{ control_plane }}/admin/{{ group_id }}?e={{target_epoch}}",
                "json": {"epoch": "{{ target_epoch }}", "text": "to {{ target_epoch }}", "list": ["{{ member }}", 1]}},
        }));
        assert_eq!(
            binding.http.render(&params()).unwrap(),
            Rendered {
                method: "PUT".into(),
                url: "https://cp.example:9443/admin/pg%200%2Fx?e=18446744073709551615".into(),
                json: Some(json!({"epoch": u64::MAX, "text": "to 18446744073709551615", "list": ["cp-b-3", 1]})),
            }
        );
    }

    #[test]
    fn conventions_fill_in_what_a_binding_leaves_out() {
        let rendered = binding(json!({})).http.render(&params()).unwrap();
        assert_eq!(
            (rendered.method.as_str(), rendered.url.as_str()),
            ("POST", "https://cp.example:9443/admin/advance-epoch")
        );
        assert_eq!(
            rendered.json.unwrap().as_object().unwrap().keys().collect::<Vec<_>>(),
            ["group_id", "target_epoch", "member", "idempotency_key"]
        );
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_write() {
        let error = Binding::of(&json!({"target": {"name": "prod"}}), "freeze_partition_group").unwrap_err();
        assert!(
            error
                .message
                .starts_with("target `prod` has no binding for the operation `freeze_partition_group`; write\n")
        );
        assert!(binding(json!({})).probe().unwrap_err().message.contains("has no `probe`"));
        let error = binding(json!({"http": {"url": "{{ nod }}/x"}})).http.render(&params()).unwrap_err();
        assert!(error.message.starts_with("a binding uses `nod`; the operation has "), "{}", error.message);
        let exec = json!({"operations": {"x": {"exec": ["true"]}}});
        assert!(Binding::of(&exec, "x").unwrap_err().message.contains("only `http`"));
    }

    #[test]
    fn an_answer_means_done_not_done_or_nothing() {
        let binding = binding(json!({"probe": {
            "http": {"url": "{{ control_plane }}/x"},
            "done": "output.epoch == target_epoch && member in output.voters", "not_done": "output.epoch < target_epoch || !(member in output.voters)",
        }}));
        let probe = binding.probe().unwrap();
        let meaning = |output: Value| probe.meaning(&params(), &output).unwrap();
        assert_eq!(meaning(json!({"epoch": u64::MAX, "voters": ["cp-b-3"]})), Meaning::Done);
        assert_eq!(meaning(json!({"epoch": 7, "voters": ["cp-b-3"]})), Meaning::NotDone);
        assert_eq!(meaning(json!({"error": "no quorum", "status": 503})), Meaning::Neither);
        assert_eq!(probe.render(&params()).unwrap().method, "GET");
    }
}
