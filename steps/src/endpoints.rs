//! Symbolic addresses of the rehearsal lab: `lab://NAME/rest` → what the lab listens on now.
//!
//! A plan must not change with the ports that a lab happened to get, so it holds names; they
//! are resolved when a step runs.

use crate::error::StepError;
use serde_json::Value;
use std::collections::BTreeMap;

const SCHEME: &str = "lab://";

/// The value with every string in it that begins with `lab://NAME` resolved, at any depth. Keys are left alone.
///
/// # Errors
/// Class `endpoint`, when a name is not among the endpoints.
pub fn resolve(value: Value, endpoints: &BTreeMap<String, String>) -> Result<Value, StepError> {
    match value {
        Value::String(text) => resolve_text(text, endpoints).map(Value::String),
        Value::Array(items) => {
            items.into_iter().map(|item| resolve(item, endpoints)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, field)| Ok((key, resolve(field, endpoints)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value),
    }
}

/// One string, resolved if it begins with `lab://NAME`.
///
/// # Errors
/// Class `endpoint`, when the name is not among the endpoints.
pub fn resolve_text(text: String, endpoints: &BTreeMap<String, String>) -> Result<String, StepError> {
    let Some(symbolic) = text.strip_prefix(SCHEME) else {
        return Ok(text);
    };
    let (name, rest) = symbolic.find('/').map_or((symbolic, ""), |at| symbolic.split_at(at));
    match endpoints.get(name) {
        Some(place) => Ok(format!("{}{rest}", place.trim_end_matches('/'))),
        None => Err(StepError::nothing("endpoint", unknown_name(name, endpoints))),
    }
}

fn unknown_name(name: &str, endpoints: &BTreeMap<String, String>) -> String {
    if endpoints.is_empty() {
        return format!("`{SCHEME}{name}` is an address in the rehearsal lab, but no lab runs for this run");
    }
    let known: Vec<&str> = endpoints.keys().map(String::as_str).collect();
    format!("the rehearsal lab has nothing called `{name}`; it has {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn endpoints() -> BTreeMap<String, String> {
        BTreeMap::from([
            ("cluster-a.control-plane".to_owned(), "https://127.0.0.1:4001".to_owned()),
            ("objects".to_owned(), "/state/labs/7/objects/".to_owned()),
        ])
    }

    #[test]
    fn names_are_replaced_at_any_depth_and_only_at_the_beginning() {
        let value = json!({
            "url": "lab://cluster-a.control-plane/admin/freeze",
            "plain": ["see lab://objects", 7, null],
            "dir": { "lab://objects": "lab://objects" },
        });
        let expected = json!({
            "url": "https://127.0.0.1:4001/admin/freeze",
            "plain": ["see lab://objects", 7, null],
            "dir": { "lab://objects": "/state/labs/7/objects" },
        });
        assert_eq!(resolve(value, &endpoints()), Ok(expected));
    }

    #[test]
    fn an_unknown_name_is_said_with_the_known_ones() {
        let error = resolve(json!("lab://objekts/x"), &endpoints()).unwrap_err();
        assert_eq!((error.class, error.is_unknown()), ("endpoint", false));
        assert_eq!(
            error.message,
            "the rehearsal lab has nothing called `objekts`; it has cluster-a.control-plane, objects"
        );
        let error = resolve(json!("lab://objects"), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.message, "`lab://objects` is an address in the rehearsal lab, but no lab runs for this run");
    }
}
