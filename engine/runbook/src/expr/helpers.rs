//! Template helpers: pure functions of their arguments. None reads a file, the network or the clock.

use base64::Engine as _;
use ceptra_flow_core::plan::sha256_hex;
use serde_json::Value;

/// A function that templates may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helper {
    Json,
    Join,
    Size,
    Default,
    Lower,
    Upper,
    Base64,
    Sha256,
    Basename,
    Shell,
}

impl Helper {
    pub(crate) const NAMES: [&'static str; 10] =
        ["json", "join", "size", "default", "lower", "upper", "base64", "sha256", "basename", "shell"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "join" => Self::Join,
            "size" => Self::Size,
            "default" => Self::Default,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "base64" => Self::Base64,
            "sha256" => Self::Sha256,
            "basename" => Self::Basename,
            "shell" => Self::Shell,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Join => "join",
            Self::Size => "size",
            Self::Default => "default",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Base64 => "base64",
            Self::Sha256 => "sha256",
            Self::Basename => "basename",
            Self::Shell => "shell",
        }
    }

    /// The least and the most arguments.
    pub(crate) fn arguments(self) -> (usize, usize) {
        match self {
            Self::Join => (1, 2),
            Self::Default => (2, 2),
            Self::Json
            | Self::Size
            | Self::Lower
            | Self::Upper
            | Self::Base64
            | Self::Sha256
            | Self::Basename
            | Self::Shell => (1, 1),
        }
    }

    /// For help lines.
    pub(crate) fn example(self) -> String {
        match self {
            Self::Join => "write  {{ names | join \", \" }}".to_owned(),
            Self::Default => "write  {{ name | default \"text\" }}".to_owned(),
            Self::Json
            | Self::Size
            | Self::Lower
            | Self::Upper
            | Self::Base64
            | Self::Sha256
            | Self::Basename
            | Self::Shell => {
                format!("write  {{{{ name | {} }}}}", self.name())
            }
        }
    }

    /// The result. `Default` is the evaluator's business, for its first argument may be unknown.
    pub(crate) fn call(self, arguments: &[Value]) -> Result<Value, String> {
        let first = arguments.first().unwrap_or(&Value::Null);
        Ok(Value::String(match self {
            Self::Json => first.to_string(),
            Self::Join => {
                let Value::Array(list) = first else {
                    return Err(format!("`join` takes a list, not {}", kind(first)));
                };
                let separator = match arguments.get(1) {
                    None => ",",
                    Some(Value::String(separator)) => separator,
                    Some(other) => return Err(format!("`join` separates by a text, not {}", kind(other))),
                };
                let texts: Result<Vec<String>, String> = list.iter().map(to_text).collect();
                texts?.join(separator)
            }
            Self::Size => {
                let size = match first {
                    Value::Array(list) => list.len(),
                    Value::Object(map) => map.len(),
                    Value::String(text) => text.chars().count(),
                    Value::Null | Value::Bool(_) | Value::Number(_) => {
                        return Err(format!("`size` takes a list, a table or a text, not {}", kind(first)));
                    }
                };
                return Ok(Value::from(size));
            }
            Self::Default => {
                return Ok(if first.is_null() { arguments.get(1).cloned().unwrap_or_default() } else { first.clone() });
            }
            Self::Lower => to_text(first)?.to_lowercase(),
            Self::Upper => to_text(first)?.to_uppercase(),
            Self::Base64 => base64::engine::general_purpose::STANDARD.encode(to_text(first)?),
            Self::Sha256 => sha256_hex(to_text(first)?.as_bytes()),
            Self::Basename => {
                let text = to_text(first)?;
                text.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
            }
            Self::Shell => shell_quoted(&to_text(first)?),
        }))
    }
}

/// One argument of a POSIX shell.
fn shell_quoted(text: &str) -> String {
    let plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A value inside text: a text as it is, numbers and flags as written, lists and tables as JSON. `null` is refused,
/// for a path or a command with a hole in it is worse than an error.
pub(crate) fn to_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err("the value is null, which has no text; give another with `| default \"…\"`".to_owned()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Ok(value.to_string()),
    }
}

/// How people call a value's type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
