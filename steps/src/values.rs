//! Reading rendered parameters: durations, sizes, modes, scalars, and a check against a type's description.
//!
//! `runbook` checks what is written in a file; this checks what templates have made of it by the time the
//! step runs, when there is no line to point at any more. The field's path names the place instead.

use crate::error::StepError;
use ceptra_flow_core::catalog::{Field, Shape, Table};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Text such as `250ms`, `30s`, `1h30m`, `2d`: units from large to small, each at most once.
///
/// # Errors
/// What is wrong with it, for people.
pub fn duration(text: &str) -> Result<Duration, String> {
    duration_ms(text)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no duration; write one like `250ms`, `30s`, `10m`, `1h30m` or `2d`"))
}

fn duration_ms(text: &str) -> Option<u64> {
    let mut units = [("d", 86_400_000_u64), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)].into_iter();
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|at: char| !at.is_ascii_digit())?);
        let letters = after.find(|at: char| !at.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit_ms)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A duration as people write it: `1h30m`, `250ms`. Less than a millisecond is rounded up.
#[must_use]
pub fn shown(duration: Duration) -> String {
    let mut ms = duration.as_nanos().div_ceil(1_000_000);
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        let count = ms / unit_ms;
        ms %= unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}

/// Text such as `64KiB`, or a number of bytes.
///
/// # Errors
/// What is wrong with it, for people.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is no size; write bytes, or a number with `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`");
    let text = text.trim();
    let digits = text.find(|at: char| !at.is_ascii_digit()).unwrap_or(text.len());
    let count: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    count.checked_mul(unit).ok_or_else(wrong)
}

/// Permission bits, written as octal text: `0644`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn mode(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no file mode; write octal digits in quotes, such as \"0644\"");
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = (3..=4).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_octal {
        return Err(wrong());
    }
    u32::from_str_radix(digits, 8).map_err(|_| wrong())
}

/// Text, number or truth value as text; nothing else has one obvious form.
#[must_use]
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The shape of what [`scalar_text`] accepts. A lone `{{ path }}` keeps its type, so text alone would be too strict.
#[must_use]
pub fn scalar() -> Shape {
    Shape::Either(vec![Shape::String, Shape::Integer, Shape::Number, Shape::Boolean])
}

/// Whether a value holds a template that is not rendered yet: `check` functions see such values.
#[must_use]
pub fn is_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        Value::Array(items) => items.iter().any(is_template),
        Value::Object(fields) => fields.values().any(is_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The parameters as a type of the step's own.
///
/// # Errors
/// Class `parameter`.
pub fn params<T: DeserializeOwned>(with: Value) -> Result<T, StepError> {
    serde_json::from_value(with).map_err(|error| StepError::parameter(format!("the parameters do not fit: {error}")))
}

/// What in rendered parameters does not fit the description; empty when everything does.
#[must_use]
pub fn misfits(with: &Value, params: &Table) -> Vec<String> {
    let mut found = Vec::new();
    table("with", with, params, &mut found);
    found
}

fn table(path: &str, value: &Value, table: &Table, found: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        found.push(format!("`{path}` is {}, but should be a table", kind(value)));
        return;
    };
    for field in &table.fields {
        match fields.get(field.name) {
            Some(value) => shape(&format!("{path}.{}", field.name), value, &field.shape, found),
            None if field.required => found.push(format!("`{path}.{}` is missing", field.name)),
            None => {}
        }
    }
    if !table.open {
        let is_known = |key: &str| table.fields.iter().any(|field: &Field| field.name == key);
        let unknown = fields.keys().filter(|key| !is_known(key));
        found.extend(unknown.map(|key| format!("`{path}.{key}` is not a parameter of this type")));
    }
}

fn shape(path: &str, value: &Value, shape_of: &Shape, found: &mut Vec<String>) {
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("`{path}` is {}, but should be {what}", kind(value)));
        }
    };
    match shape_of {
        Shape::Any => {}
        Shape::Null => expect(value.is_null(), "null"),
        Shape::Boolean => expect(value.is_boolean(), "true or false"),
        Shape::Integer => expect(value.is_i64() || value.is_u64(), "a whole number"),
        Shape::Number => expect(value.is_number(), "a number"),
        Shape::String | Shape::Cel => expect(value.is_string(), "text"),
        Shape::Duration => match value.as_str().map(duration) {
            Some(Err(wrong)) => found.push(format!("`{path}`: {wrong}")),
            Some(Ok(_)) => {}
            None => expect(false, "a duration such as `30s`"),
        },
        Shape::Size => match value.as_str().map(size) {
            Some(Err(wrong)) => found.push(format!("`{path}`: {wrong}")),
            Some(Ok(_)) => {}
            None => expect(value.is_u64(), "a size such as `64KiB`"),
        },
        Shape::OneOf(choices) => match value.as_str() {
            Some(text) if choices.contains(&text) => {}
            Some(text) => found.push(format!("`{path}` is `{text}`, but should be one of {}", choices.join(", "))),
            None => expect(false, &format!("one of {}", choices.join(", "))),
        },
        Shape::List(element) => match value.as_array() {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    shape(&format!("{path}[{index}]"), item, element, found);
                }
            }
            None => expect(false, "a list"),
        },
        Shape::Table(fields) => table(path, value, fields, found),
        Shape::Map(element) => match value.as_object() {
            Some(fields) => {
                for (key, field) in fields {
                    shape(&format!("{path}.{key}"), field, element, found);
                }
            }
            None => expect(false, "a table"),
        },
        Shape::Either(shapes) => {
            let fits = shapes.iter().any(|one| {
                let mut misfits = Vec::new();
                shape(path, value, one, &mut misfits);
                misfits.is_empty()
            });
            expect(fits, &shapes.iter().map(named).collect::<Vec<_>>().join(" or "));
        }
    }
}

fn named(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Integer => "a whole number".to_owned(),
        Shape::Number => "a number".to_owned(),
        Shape::String | Shape::Cel => "text".to_owned(),
        Shape::Duration => "a duration".to_owned(),
        Shape::Size => "a size".to_owned(),
        Shape::OneOf(choices) => format!("one of {}", choices.join(", ")),
        Shape::List(element) => format!("a list ({} each)", named(element)),
        Shape::Table(_) | Shape::Map(_) => "a table".to_owned(),
        Shape::Either(shapes) => shapes.iter().map(named).collect::<Vec<_>>().join(" or "),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5h",
            "5y",
            "99999999999999999999s",
            "999999999999999999d",
            "5s!",
            "1m1h",
            "1s1s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "250ms", "1h30m", "2d", "1d1h1m1s1ms"] {
            assert_eq!(shown(duration(text).unwrap()), text);
        }
        assert_eq!(shown(Duration::from_nanos(7_199_999_999_920)), "2h");
    }

    #[test]
    fn sizes_and_modes() {
        assert_eq!((size("64KiB"), size("10"), size("2 MB")), (Ok(65_536), Ok(10), Ok(2_000_000)));
        assert_eq!((mode("0644"), mode("0o755"), mode("600")), (Ok(0o644), Ok(0o755), Ok(0o600)));
        assert!(size("64kib").is_err() && size("").is_err() && size("99999999999GiB").is_err());
        assert!(mode("888").is_err() && mode("rw").is_err() && mode("+644").is_err() && mode("77777").is_err());
    }

    #[test]
    fn every_misfit_is_named_with_its_place() {
        let params = Table {
            fields: vec![
                Field::required("url", Shape::String, ""),
                Field::optional("grace", Shape::Duration, ""),
                Field::optional("method", Shape::OneOf(&["GET", "PUT"]), ""),
                Field::optional("env", Shape::Map(Box::new(scalar())), ""),
                Field::optional("codes", Shape::List(Box::new(Shape::Integer)), ""),
            ],
            open: false,
        };
        let with = json!({ "grace": "soon", "method": "POST", "env": { "A": 1, "B": [] }, "codes": [0, "1"], "colour": "red" });
        expect_test::expect![[r#"
            `with.url` is missing
            `with.grace`: `soon` is no duration; write one like `250ms`, `30s`, `10m`, `1h30m` or `2d`
            `with.method` is `POST`, but should be one of GET, PUT
            `with.env.B` is a list, but should be text or a whole number or a number or true or false
            `with.codes[1]` is text, but should be a whole number
            `with.colour` is not a parameter of this type"#]]
        .assert_eq(&misfits(&with, &params).join("\n"));
        assert_eq!(misfits(&json!({ "url": "x", "grace": "5s", "env": { "A": true } }), &params), Vec::<String>::new());
        assert_eq!(misfits(&json!(7), &params), ["`with` is a number, but should be a table"]);
    }
}
