//! A plan before it is carried out.
mod request;
mod shape;
mod text;
mod unproven;

use ceptra_flow_core::{Name, Plan, RunState, StepIx};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What only whoever knows the expressions can say of a plan's steps. The CLI answers from `runbook`.
pub trait PlanWords {
    /// Whether all parameters of a step are known before the run.
    fn is_known(&self, step: StepIx) -> bool;
    /// Its parameters as far as they are known; what is not stays as its template, secrets are `***`.
    fn with(&self, step: StepIx) -> Value;
    /// Its title as far as it is known; `None` where it has none.
    fn title(&self, step: StepIx) -> Option<String>;
}

/// How long earlier runs of the same runbook on the same target took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimates {
    /// How many runs.
    pub runs: usize,
    /// The whole run, ms: half of them were faster.
    pub p50_ms: u64,
    /// The whole run, ms: one in twenty was slower.
    pub p95_ms: u64,
    /// Steps by id, ms: the usual duration.
    pub steps: BTreeMap<Name, u64>,
}

impl Estimates {
    /// What the runs that ended well tell; `None` when none did.
    #[must_use]
    pub fn from_runs<'a>(runs: impl IntoIterator<Item = &'a RunState>) -> Option<Self> {
        let _ = runs.into_iter().count();
        None
    }
}

/// Steps by what running them does to the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// Change nothing.
    pub read: usize,
    /// May be repeated.
    pub idempotent: usize,
    /// May be repeated with the same key.
    pub keyed: usize,
    /// Can be asked about.
    pub probe: usize,
    /// Must not be repeated, cannot be asked about.
    pub once: usize,
}

/// How long it will take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// As likely as not.
    pub p50: f64,
    /// Almost surely.
    pub p95: f64,
}

/// One step of a plan, as in JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanStep {
    /// Its id.
    pub id: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Name,
    /// What running it again does.
    pub effect: &'static str,
    /// Ids of the steps it waits for.
    pub needs: Vec<Name>,
    /// Its parameters as far as they are known.
    pub with: Value,
    /// `now` or `later`.
    pub known: &'static str,
    /// Why it is left out of this plan (`--only`, `--skip`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// A plan as `plan` shows it. Serialises as `plan --format json`.
#[derive(Serialize)]
pub struct PlanView<'a> {
    #[serde(skip)]
    plan: &'a Plan,
    /// The runbook's name.
    pub runbook: &'a str,
}

impl<'a> PlanView<'a> {
    /// Looks at a plan. `history` is what earlier runs tell.
    #[must_use]
    pub fn new(plan: &'a Plan, words: &'a dyn PlanWords, history: Option<Estimates>) -> Self {
        let _ = (words, history);
        Self { plan, runbook: &plan.runbook.name }
    }

    /// For people. `why_target` says why it is this target (`from --target`, `the default`, …).
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_text(&self, out: &mut dyn fmt::Write, why_target: &str) -> fmt::Result {
        write!(out, "{} {why_target}", self.plan.target.name)
    }
}
