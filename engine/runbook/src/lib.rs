//! Turns a runbook's TOML into a plan, or into everything that is wrong with it; and evaluates what a plan leaves open.
//!
//! Reads text, returns values: opens no file, asks no clock, knows no step's code. Step types and targets arrive as data.
//! Start at [`compile`]; expressions of a running plan at [`Evaluator`].

mod check;
pub mod codes;
pub mod diagnostic;
pub mod expr;
pub mod inputs;
mod lower;
mod syntax;
pub mod target;
pub mod units;

pub use diagnostic::{Diagnostic, Label, Severity, line_column};
pub use expr::{BlobLoader, Evaluator, Known, Preview, Scope, known, render_known};
pub use inputs::{Given, InputDecl, InputType, inputs};
pub use target::Target;

use ceptra_flow_core::Plan;
use ceptra_flow_core::catalog::StepType;
use lower::file::{self, Job, Way};
use std::collections::BTreeMap;

/// A file's text with the name that findings are to carry.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Shown to people, as they typed it.
    pub name: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// The step types that an installation has.
#[derive(Clone, Copy)]
pub struct Catalog<'a>(pub &'a [StepType]);

/// What is said beside the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values of inputs, by name.
    pub given: BTreeMap<String, Given>,
    /// The process's environment; only what `[runbook] env` lists is taken.
    pub env: BTreeMap<String, String>,
    /// Tags and step ids: leave out all others.
    pub only: Vec<String>,
    /// Tags and step ids: leave these out.
    pub skip: Vec<String>,
    /// Run up to this step.
    pub until: Option<String>,
    /// In place of `[limits] max_parallel`.
    pub max_parallel: Option<u32>,
}

/// The plan, if there is no error, and everything there is to say, ordered by position.
#[must_use]
pub fn compile(
    source: &Source<'_>,
    catalog: &Catalog<'_>,
    target: &Target,
    options: &Options,
) -> (Option<Plan>, Vec<Diagnostic>) {
    file::read(&Job { source, catalog: catalog.0, target: Some(target), options: Some(options), way: Way::Auto })
}

/// Everything there is to say of a file by itself, ordered by position; an input without a value is no error.
#[must_use]
pub fn check(source: &Source<'_>, catalog: &Catalog<'_>, target: Option<&Target>) -> Vec<Diagnostic> {
    file::read(&Job { source, catalog: catalog.0, target, options: None, way: Way::Auto }).1
}

/// A file's bytes as text.
///
/// # Errors
/// When they are not UTF-8 or too many; says where.
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Box<Diagnostic>> {
    let refuse = |code, message: String, help: &str| {
        Box::new(Diagnostic {
            code,
            severity: Severity::Error,
            message,
            help: help.to_owned(),
            labels: Vec::new(),
            source: name.to_owned(),
        })
    };
    if bytes.len() > syntax::FILE_BYTES_MAX {
        let message =
            format!("the file has {} MiB; {} MiB is the most", bytes.len() >> 20, syntax::FILE_BYTES_MAX >> 20);
        return Err(refuse(codes::TOO_LARGE, message, "split it into several runbooks"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        refuse(
            codes::NOT_UTF8,
            format!("line {line} is not UTF-8 text"),
            "save the file as UTF-8; TOML knows no other encoding",
        )
    })
}

#[cfg(test)]
mod tests;
