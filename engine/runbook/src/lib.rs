//! Turns a runbook's TOML into a plan, or into everything that is wrong with it; and evaluates what a plan leaves open.
//!
//! Reads text, returns values: opens no file, asks no clock, knows no step's code. Step types and targets arrive as data.
//! Start at [`compile`]; expressions of a running plan at [`Evaluator`].

pub mod codes;
pub mod diagnostic;
pub mod expr;
pub mod inputs;
mod syntax;
pub mod target;
pub mod units;

pub use diagnostic::{Diagnostic, Label, Severity, line_column};
pub use expr::{BlobLoader, Evaluator, Known, Preview, Scope, known, render_known};
pub use inputs::{Given, InputDecl, InputType, inputs};
pub use target::Target;

use ceptra_flow_core::Plan;
use ceptra_flow_core::catalog::StepType;
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
pub fn compile(source: &Source<'_>, catalog: &Catalog<'_>, target: &Target, options: &Options) -> (Option<Plan>, Vec<Diagnostic>) {
    let _ = (source, catalog, target, options);
    unimplemented!()
}

/// Everything there is to say of a file by itself, ordered by position; an input without a value is no error.
#[must_use]
pub fn check(source: &Source<'_>, catalog: &Catalog<'_>, target: Option<&Target>) -> Vec<Diagnostic> {
    let _ = (source, catalog, target);
    unimplemented!()
}

/// A file's bytes as text.
///
/// # Errors
/// When they are not UTF-8 or too many; says where.
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Box<Diagnostic>> {
    let _ = (name, bytes);
    unimplemented!()
}
