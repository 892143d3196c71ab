//! Helpers of template files: those that runbooks have, as Handlebars helpers. None reads a file, the
//! network or the clock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};
use serde_json::Value;
use sha2::{Digest, Sha256};

type Function = fn(&[Value]) -> Result<Value, String>;

const HELPERS: [(&str, usize, Function); 10] = [
    ("json", 1, |at| Ok(Value::String(at[0].to_string()))),
    ("join", 2, join),
    ("size", 1, size),
    ("default", 2, |at| Ok(at[usize::from(at[0].is_null())].clone())),
    ("lower", 1, |at| text(&at[0]).map(|text| Value::String(text.to_lowercase()))),
    ("upper", 1, |at| text(&at[0]).map(|text| Value::String(text.to_uppercase()))),
    ("base64", 1, |at| text(&at[0]).map(|text| Value::String(STANDARD.encode(text)))),
    ("sha256", 1, |at| text(&at[0]).map(|text| Value::String(sha256(&text)))),
    ("basename", 1, |at| text(&at[0]).map(|text| Value::String(basename(&text)))),
    ("shell", 1, |at| text(&at[0]).map(|text| Value::String(quoted(&text)))),
];

/// Strict, unescaped Handlebars with the helpers.
pub(super) fn handlebars() -> Handlebars<'static> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    for (name, arguments, function) in HELPERS {
        handlebars.register_helper(name, Box::new(Pure { name, arguments, function }));
    }
    handlebars
}

struct Pure {
    name: &'static str,
    arguments: usize,
    function: Function,
}

impl HelperDef for Pure {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let given: Vec<Value> = helper.params().iter().map(|param| param.value().clone()).collect();
        let wrong = |why: String| RenderError::from(RenderErrorReason::Other(format!("`{}`: {why}", self.name)));
        if given.len() != self.arguments {
            return Err(wrong(format!("takes {}, not {} arguments", self.arguments, given.len())));
        }
        (self.function)(&given).map(ScopedJson::Derived).map_err(wrong)
    }
}

fn join(at: &[Value]) -> Result<Value, String> {
    let Value::Array(items) = &at[0] else { return Err("takes a list".to_owned()) };
    let texts: Vec<String> = items.iter().map(text).collect::<Result<_, _>>()?;
    Ok(Value::String(texts.join(&text(&at[1])?)))
}

fn size(at: &[Value]) -> Result<Value, String> {
    match &at[0] {
        Value::Array(items) => Ok(items.len().into()),
        Value::Object(fields) => Ok(fields.len().into()),
        Value::String(text) => Ok(text.chars().count().into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Err("takes a list, a table or a text".to_owned()),
    }
}

/// A hole in a configuration file is worse than an error, so null has no text.
fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err("the value is null; give another with `default`".to_owned()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Ok(value.to_string()),
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn basename(path: &str) -> String {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

fn quoted(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_helper() {
        let data = json!({ "name": "It's <X>", "list": ["a", 1], "none": null, "path": "/var/lib/x/" });
        let render = |template: &str| handlebars().render_template(template, &data);
        for (template, expected) in [
            ("{{name}}", "It's <X>"),
            ("{{json list}}", r#"["a",1]"#),
            ("{{join list \"-\"}}", "a-1"),
            ("{{size list}}{{size name}}", "28"),
            ("{{default none \"x\"}}{{default path \"y\"}}", "x/var/lib/x/"),
            ("{{lower name}}{{upper name}}", "it's <x>IT'S <X>"),
            ("{{base64 \"abc\"}}", "YWJj"),
            ("{{basename path}}", "x"),
            ("{{shell name}} {{shell path}}", r"'It'\''s <X>' /var/lib/x/"),
            ("{{#each list}}{{@index}}={{this}};{{/each}}", "0=a;1=1;"),
            ("{{sha256 \"abc\"}}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(render(template).unwrap(), expected, "{template}");
        }
        for wrong in ["{{nam}}", "{{upper none}}", "{{size 7}}", "{{join name \",\"}}", "{{upper}}", "{{nosuch name}}"]
        {
            assert!(render(wrong).is_err(), "{wrong}");
        }
    }
}
