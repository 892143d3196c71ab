//! Typed parameters of a runbook.

use crate::Source;
use ceptra_flow_core::plan::SecretSource;
use serde_json::Value;

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `30s`, `1h30m`.
    Duration,
    /// A list.
    List,
    /// A table.
    Table,
}

/// A value from outside the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `--set name=text`, or typed at a prompt: read by the input's type.
    Text(String),
    /// From `--inputs FILE`: already typed.
    Value(Value),
}

/// One `[inputs.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDecl {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: InputType,
    /// For prompts.
    pub description: Option<String>,
    /// Used when nothing is given; durations as text.
    pub default: Option<Value>,
    /// A regular expression for text.
    pub pattern: Option<String>,
    /// The only values allowed.
    pub one_of: Vec<Value>,
    /// The least number (durations in ms).
    pub minimum: Option<f64>,
    /// The greatest number (durations in ms).
    pub maximum: Option<f64>,
    /// Where its value comes from, for a secret.
    pub secret: Option<SecretSource>,
}

impl InputDecl {
    /// Whether a run needs a value from outside.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default.is_none() && self.secret.is_none()
    }

    /// The typed value of a text (from `--set` or a prompt).
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let _ = text;
        unimplemented!()
    }
}

/// The inputs that a file declares, as far as they can be read; findings are `check`'s business.
#[must_use]
pub fn inputs(source: &Source<'_>) -> Vec<InputDecl> {
    let _ = source;
    unimplemented!()
}

