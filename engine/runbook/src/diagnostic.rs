//! What is wrong with a file, where, and what to write instead.
//!
//! Plain data: the CLI renders it for people, [`to_json`] for programs. Start at [`Diagnostic`].

use crate::codes;
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

/// Bytes of the source; `u32`, because a file has at most 64 MiB and a large plan has many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(range: Range<usize>) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: clamp(range.start), end: clamp(range.end) }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Findings kept of one file; more help nobody, and a hostile file could ask for millions.
const FOUND_MAX: usize = 500;

/// Where findings of one file are collected.
pub(crate) struct Sink<'a> {
    name: &'a str,
    found: Vec<Diagnostic>,
    dropped: usize,
    failed: bool,
    /// The text could not be read in full, so that what seems to be missing may only be unread.
    pub(crate) partial: bool,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, found: Vec::new(), dropped: 0, failed: false, partial: false }
    }

    /// An error with one label.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Severity::Error, code, message.into(), help.into(), vec![(at, label.into())]);
    }

    /// A warning with one label.
    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Severity::Warning, code, message.into(), help.into(), vec![(at, label.into())]);
    }

    /// An error about no place of the file.
    pub(crate) fn error_elsewhere(&mut self, code: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, code, message.into(), help.into(), Vec::new());
    }

    /// An error with several labels.
    pub(crate) fn error_at(
        &mut self,
        code: &'static str,
        labels: Vec<(Span, String)>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Severity::Error, code, message.into(), help.into(), labels);
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        message: String,
        help: String,
        labels: Vec<(Span, String)>,
    ) {
        debug_assert!(!help.is_empty(), "no finding without a next step: {message}");
        self.failed |= severity == Severity::Error;
        if self.found.len() == FOUND_MAX {
            self.dropped += 1;
            return;
        }
        let labels = labels.into_iter().map(|(span, text)| Label { span: span.range(), text }).collect();
        self.found.push(Diagnostic { code, severity, message, help, labels, source: self.name.to_owned() });
    }

    /// Findings so far, for telling whether something added one.
    pub(crate) fn count(&self) -> usize {
        self.found.len() + self.dropped
    }

    /// Whether further findings are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= FOUND_MAX
    }

    /// Whether there was an error.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Everything, by position; the first says how many were left out, if any were.
    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        if self.partial {
            found.retain(|one| !matches!(one.code, codes::MISSING_KEY | codes::SCHEMA_MISSING | codes::NO_STEPS));
        }
        found.sort_by(|a, b| (a.start(), a.severity, a.code).cmp(&(b.start(), b.severity, b.code)));
        found.dedup();
        if self.dropped > 0
            && let Some(last) = found.last_mut()
        {
            last.help = format!("{}\n(and {} more findings: mend these first)", last.help, self.dropped);
        }
        found
    }
}
