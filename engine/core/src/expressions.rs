//! What the core needs evaluated, as pure functions of plan and state.
//!
//! The core knows neither Handlebars nor CEL; `runbook` implements this. An implementation may keep parsed
//! expressions, but its answers depend on nothing but the plan and the state that it is given.

use crate::event::Item;
use crate::ids::{StepIx, Timestamp};
use crate::json::Json;
use crate::state::RunState;
use alloc::string::String;
use alloc::vec::Vec;

/// Which step, and which of its instances, an expression is evaluated for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The run so far; it holds the plan.
    pub state: &'a RunState,
    /// The step.
    pub step: StepIx,
    /// Which instance, as an index into [`RunState::instances`]; 0 where there is no `for_each`.
    pub instance: usize,
    /// The driver's clock.
    pub now: Timestamp,
}

/// What is put before a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The question or the instructions.
    pub prompt: String,
    /// Values shown with it, an object by path.
    pub evidence: Option<Json>,
}

/// Evaluates what a plan leaves to be known later.
pub trait Expressions {
    /// Whether the step is to run. Asked once per step, before `for_each`, when all that it needs is settled.
    ///
    /// # Errors
    /// A message for people, when the condition cannot be evaluated; the step then fails.
    fn when(&self, at: Place<'_>) -> Result<bool, String>;

    /// The instances of a `for_each` step, in order, with unique keys.
    ///
    /// # Errors
    /// A message for people: not a list, a key that is not unique; the step then fails.
    fn items(&self, at: Place<'_>) -> Result<Vec<Item>, String>;

    /// What a person is asked.
    ///
    /// # Errors
    /// A message for people; the step then fails.
    fn prompt(&self, at: Place<'_>) -> Result<Prompt, String>;
}
