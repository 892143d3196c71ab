//! What is known of a step type without its code: parameters, output, effect.
//!
//! Plain data that `steps` publishes, the CLI hands over and `runbook` checks files against. No step is run here.

use crate::effect::Effect;
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde_json::Value;

/// The shape of a value: enough to check a file with exact places, and to render as JSON Schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Anything.
    Any,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Text.
    String,
    /// Text such as `250ms`, `30s`, `1h30m`, `2d`.
    Duration,
    /// Text such as `64KiB`, or a number of bytes.
    Size,
    /// Text that is a CEL condition; checked as strictly as a step's own conditions.
    Cel,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list whose elements all have this shape.
    List(Box<Shape>),
    /// A table with known fields.
    Table(Table),
    /// A table with any keys whose values all have this shape.
    Map(Box<Shape>),
    /// Any of these.
    Either(Vec<Shape>),
}

/// A table's fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The fields known by name, in the order in which they are shown.
    pub fields: Vec<Field>,
    /// Whether other keys may be there too (outputs of unknown programs, free-form tables).
    pub open: bool,
}

/// One field of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// One sentence, for `steps TYPE` and editors; says the unit and the default.
    pub doc: &'static str,
    /// Whether others on the machine can see the value (an argv, a URL): a secret may not be used in it.
    pub exposed: bool,
}

impl Field {
    /// A field that must be there.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, doc, exposed: false }
    }

    /// A field that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, doc, exposed: false }
    }

    /// The same field, in which no secret may appear.
    #[must_use]
    pub fn exposed(mut self) -> Self {
        self.exposed = true;
        self
    }
}

/// A step type as its author declares it.
#[derive(Clone)]
pub struct StepType {
    /// The name written in `type = "…"`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The parameters, checked against `with`.
    pub params: Table,
    /// A complete `[steps.x]` table in TOML that checks.
    pub example: &'static str,
    /// What the effect is for these parameters (templates unrendered).
    pub effect: fn(with: &Value) -> Effect,
    /// What the output looks like for these parameters (templates unrendered).
    pub output: fn(with: &Value) -> Shape,
    /// Whether the type can answer a probe by itself for these parameters.
    pub probes: fn(with: &Value) -> bool,
    /// Whether `undo = "auto"` works, and an undo is done without one being declared.
    pub undoes: bool,
    /// Operations of the target it calls with these parameters (`freeze_partition_group`, …).
    pub operations: fn(with: &Value) -> Vec<&'static str>,
    /// Parameter combinations that the shapes cannot express; each message names the field.
    pub check: fn(with: &Value) -> Vec<ParamProblem>,
    /// Whether a person carries it out (`approval`, `manual`): the core asks, no worker runs.
    pub by_person: bool,
    /// Whether it is quick and touches nothing outside the engine (`set`, `assert`): may run in the engine's own turn.
    pub inline: bool,
}

/// What is wrong with a combination of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamProblem {
    /// The key under `with` that the message is about.
    pub field: &'static str,
    /// What is wrong, a lowercase fragment.
    pub message: alloc::string::String,
    /// What to write instead.
    pub help: alloc::string::String,
}
