//! What the tests of the core share: plans from a compact notation, expressions from tables, records as short text.
//!
//! Nothing here decides anything. Start at [`plan`].
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod notation;
pub(crate) mod shapes;
mod show;

use ceptra_flow_core::event::{Item, RunStarted};
use ceptra_flow_core::input::{Actor, Engine, Failure, Left};
use ceptra_flow_core::{Expressions, Json, Name, Output, Place, Plan, Prompt};
pub(crate) use notation::plan;
pub(crate) use show::record;
#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use show::{attempt, command};

/// Expressions that say what the plan's own text says: `true`, `false`, `error`, a list of keys.
pub(crate) struct Table;

impl Expressions for Table {
    fn when(&self, at: Place<'_>) -> Result<bool, String> {
        match at.state.plan().step(at.step).when() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            other => Err(format!("{other:?} is not a condition")),
        }
    }

    fn items(&self, at: Place<'_>) -> Result<Vec<Item>, String> {
        let each = at.state.plan().step(at.step).for_each().expect("only asked for `for_each` steps");
        let keys: Vec<String> = each.over.parse().map_err(|_| "not a list".to_owned())?;
        Ok(keys.iter().map(|key| Item { key: Name::from(key.as_str()), item: Json::of(key) }).collect())
    }

    fn prompt(&self, at: Place<'_>) -> Result<Prompt, String> {
        let step = at.state.plan().step(at.step);
        match step.approval() {
            Some(approval) if approval.prompt == "error" => Err("the prompt reads a name that is not there".to_owned()),
            Some(_) | None => Ok(Prompt { prompt: format!("{}?", step.id), evidence: None }),
        }
    }
}

/// The first record of a run of this plan.
pub(crate) fn started(plan: &Plan) -> RunStarted {
    let plan_json = Json::of(plan);
    RunStarted {
        run: Name::from("run-1"),
        digest: plan.digest(),
        by: person("ada", "terminal"),
        path: None,
        plan: plan_json,
    }
}

/// A person, and the way by which they speak.
pub(crate) fn person(name: &str, via: &str) -> Actor {
    Actor { name: name.to_owned(), via: Name::from(via), host: None }
}

/// A process.
pub(crate) fn engine() -> Engine {
    Engine { version: "0".to_owned(), host: "here".to_owned(), pid: 1, boot_id: None }
}

/// A failure of a class; `exit 2` has an exit code.
pub(crate) fn failure(class: &str, left: Left) -> Failure {
    let (class, code) = match class.split_once(' ') {
        Some((class, code)) => (class, code.parse().ok()),
        None => (class, None),
    };
    Failure { class: Name::from(class), message: format!("it failed: {class}"), left, exit_code: code, detail: None }
}

/// An output.
pub(crate) fn output(text: &str) -> Output {
    Output::Inline(Json::of(text))
}
