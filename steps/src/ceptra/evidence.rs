//! What a step saw, sealed so that a later one knows who saw it.
//!
//! A DR plan's flags come from steps that checked, never from what somebody typed. The output of such a
//! step carries `evidence`: which type, step and run it is from, and a hash over all of it. A runbook that
//! writes the same fields by hand has no seal that fits. It guards against convenience at 3 a.m., not
//! against somebody who computes hashes to deceive: the cutover therefore asks the world again.

use crate::context::StepContext;
use crate::error::StepError;
use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::json::canonical;
use serde_json::{Map, Value, json};

/// The output with its evidence.
pub(super) fn seal(cx: &StepContext, kind: &str, output: Value) -> Value {
    let mut fields = match output {
        Value::Object(fields) => fields,
        other => Map::from_iter([("output".to_owned(), other)]),
    };
    fields.remove("evidence");
    let seal = seal_of(&cx.run.id, kind, &fields);
    fields.insert("evidence".to_owned(), json!({"by": kind, "step": cx.label(), "run": cx.run.id, "seal": seal}));
    Value::Object(fields)
}

/// Checks that `value` is the output of a step of this type in this run.
pub(super) fn open<'v>(
    cx: &StepContext,
    kind: &str,
    field: &str,
    value: &'v Value,
) -> Result<&'v Map<String, Value>, StepError> {
    let refuse = |why: &str| {
        let message = format!("`{field}` must be the output of a `{kind}` step of this run: {why}");
        Err(StepError::nothing("evidence", message))
    };
    let Some(fields) = value.as_object() else { return refuse("it is no object") };
    let Some(evidence) = fields.get("evidence") else { return refuse("it carries no evidence") };
    let says = |key: &str| evidence.get(key).and_then(Value::as_str).unwrap_or_default();
    if says("by") != kind {
        return refuse(&format!("it is from `{}`", says("by")));
    }
    if says("run") != cx.run.id {
        return refuse("it is from another run");
    }
    let mut content = fields.clone();
    content.remove("evidence");
    if says("seal") != seal_of(&cx.run.id, kind, &content) {
        return refuse("it was changed after it was recorded");
    }
    Ok(fields)
}

/// The same for `steps.ID.items` (of a `for_each` step) or one output: every output there is.
pub(super) fn open_all<'v>(
    cx: &StepContext,
    kind: &str,
    field: &str,
    value: &'v Value,
) -> Result<Vec<&'v Map<String, Value>>, StepError> {
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    // An instance that was skipped has no output; what it should have shown is then not shown.
    let outputs = items.into_iter().map(output_of).filter(|output| !output.is_null());
    outputs.map(|output| open(cx, kind, field, output)).collect()
}

/// An element of `items` may be the output itself or hold it.
fn output_of(item: &Value) -> &Value {
    match item.get("output") {
        Some(output) if item.get("evidence").is_none() => output,
        _ => item,
    }
}

fn seal_of(run: &str, kind: &str, content: &Map<String, Value>) -> String {
    let text = format!("ceptra-flow evidence 1\n{run}\n{kind}\n{}", canonical(&Value::Object(content.clone())));
    Sha256Digest::of(text.as_bytes()).prefixed()
}
