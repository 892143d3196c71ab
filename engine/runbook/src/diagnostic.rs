//! What is wrong with a file, where, and what to write instead.
//!
//! Plain data: the CLI renders it for people, [`to_json`] for programs. Start at [`Diagnostic`].

use serde::Serialize;
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// It works, but probably not as meant.
    Warning,
    /// It works; it could be safer.
    Advice,
}

impl Severity {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// A place in the source, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// A lowercase fragment; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `CF0102`; each has a page in `docs/errors/`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to do about it; never empty.
    pub help: String,
    /// Where, the main place first; empty when it is about no place of a file (an option, a missing file part).
    pub labels: Vec<Label>,
    /// The name of the source that the labels are in.
    pub source: String,
}

impl Diagnostic {
    /// Whether nothing may be started because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        match self.severity {
            Severity::Error => true,
            Severity::Warning | Severity::Advice => false,
        }
    }

    /// Where it begins, for ordering.
    #[must_use]
    pub fn start(&self) -> usize {
        self.labels.first().map_or(0, |label| label.span.start)
    }
}

/// Line and column of a byte offset, both from 1; columns count characters.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// A finding as `check --format json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// See [`Diagnostic::code`].
    pub code: &'static str,
    /// See [`Diagnostic::severity`].
    pub severity: Severity,
    /// See [`Diagnostic::message`].
    pub message: String,
    /// See [`Diagnostic::source`].
    pub file: String,
    /// Of the main place, from 1.
    pub line: usize,
    /// Of the main place, from 1.
    pub column: usize,
    /// See [`Diagnostic::help`].
    pub help: String,
    /// See [`Diagnostic::labels`].
    pub labels: Vec<JsonLabel>,
}

/// A label as `check --format json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonLabel {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Of the first character after it, from 1.
    pub end_line: usize,
    /// Of the first character after it, from 1.
    pub end_column: usize,
    /// See [`Label::text`].
    pub text: String,
}

/// A finding with lines and columns; `text` is the source that it is about.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic, text: &str) -> JsonDiagnostic {
    let labels = diagnostic.labels.iter().map(|label| {
        let (line, column) = line_column(text, label.span.start);
        let (end_line, end_column) = line_column(text, label.span.end);
        JsonLabel { line, column, end_line, end_column, text: label.text.clone() }
    });
    let (line, column) = line_column(text, diagnostic.start());
    JsonDiagnostic {
        code: diagnostic.code,
        severity: diagnostic.severity,
        message: diagnostic.message.clone(),
        file: diagnostic.source.clone(),
        line,
        column,
        help: diagnostic.help.clone(),
        labels: labels.collect(),
    }
}
