//! A plan before it is carried out: what would happen, in which order, how long, how sure.
//!
//! Linear in the plan's steps and edges. Knows no templates: whoever does answers as [`PlanWords`].

mod estimates;
mod request;
mod shape;
mod text;
mod unproven;

#[cfg(test)]
mod tests;

pub use estimates::Estimates;

use crate::time::seconds;
use ceptra_flow_core::{Effect, Name, Plan, StepIx};
use serde::Serialize;
use serde_json::Value;
use shape::Shape;

/// What only whoever knows the expressions can say of a plan's steps. The CLI answers from `runbook`.
pub trait PlanWords {
    /// Whether all parameters of a step are known before the run.
    fn is_known(&self, step: StepIx) -> bool;
    /// Its parameters as far as they are known; what is not stays as its template, secrets are `***`.
    fn with(&self, step: StepIx) -> Value;
    /// Its title as far as it is known; `None` where it has none.
    fn title(&self, step: StepIx) -> Option<String>;
    /// The requests that its type makes of the target, where whoever answers knows them: one line each, for people.
    fn requests(&self, step: StepIx) -> Vec<String> {
        let _ = step;
        Vec::new()
    }
}

/// Steps by what running them does to the world: main and `finally` steps, without those that are left out.
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

impl Effects {
    fn of(plan: &Plan) -> Self {
        let mut effects = Self::default();
        for step in plan.steps.iter().filter(|step| step.left_out().is_none()) {
            match step.effect {
                Effect::Read => effects.read += 1,
                Effect::Idempotent => effects.idempotent += 1,
                Effect::Keyed => effects.keyed += 1,
                Effect::Probe => effects.probe += 1,
                Effect::Once => effects.once += 1,
            }
        }
        effects
    }
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
    /// The runbook's name.
    pub runbook: &'a str,
    /// The target's name.
    pub target: &'a str,
    /// SHA-256 of the plan, hex.
    pub digest: String,
    /// Steps by what they do.
    pub effects: Effects,
    /// Ids of the steps that a person decides about.
    pub approvals: Vec<Name>,
    /// The first step after which nothing is undone unless forced.
    pub point_of_no_return: Option<Name>,
    /// From earlier runs.
    pub estimate: Option<Estimate>,
    /// The chain of steps that takes longest: by usual duration, by number of steps where none is known.
    pub critical_path: Vec<Name>,
    /// Main steps that can run side by side, in the file's order.
    pub waves: Vec<Vec<Name>>,
    /// Main steps in the file's order.
    pub steps: Vec<PlanStep>,
    /// `finally` steps in the file's order.
    pub finally: Vec<PlanStep>,
    #[serde(skip)]
    plan: &'a Plan,
    #[serde(skip)]
    words: &'a dyn PlanWords,
    #[serde(skip)]
    shape: Shape,
    #[serde(skip)]
    runs: usize,
}

impl<'a> PlanView<'a> {
    /// Looks at a plan. `history` is what earlier runs tell.
    #[must_use]
    pub fn new(plan: &'a Plan, words: &'a dyn PlanWords, history: Option<Estimates>) -> Self {
        let history = history.unwrap_or_default();
        let shape = Shape::of(plan, |step| history.steps.get(&plan.step(step).id).copied().unwrap_or(0));
        let ids = |steps: &[StepIx]| -> Vec<Name> { steps.iter().map(|step| plan.step(*step).id.clone()).collect() };
        let here = || plan.steps.iter().filter(|step| step.left_out().is_none());
        let mut steps: Vec<PlanStep> = plan.places().map(|(at, _)| PlanStep::of(plan, words, at)).collect();
        let finally = steps.split_off(plan.main_count as usize);
        let estimate = Estimate { p50: seconds(history.p50_ms), p95: seconds(history.p95_ms) };
        Self {
            runbook: &plan.runbook.name,
            target: &plan.target.name,
            digest: plan.digest(),
            effects: Effects::of(plan),
            approvals: here().filter(|step| step.approval().is_some()).map(|step| step.id.clone()).collect(),
            point_of_no_return: here().find(|step| step.is_point_of_no_return()).map(|step| step.id.clone()),
            estimate: (history.runs > 0).then_some(estimate),
            critical_path: ids(&shape.critical),
            waves: shape.waves.iter().map(|wave| ids(wave)).collect(),
            steps,
            finally,
            plan,
            words,
            shape,
            runs: history.runs,
        }
    }
}

impl PlanStep {
    fn of(plan: &Plan, words: &dyn PlanWords, at: StepIx) -> Self {
        let step = plan.step(at);
        Self {
            id: step.id.clone(),
            kind: step.kind.clone(),
            effect: step.effect.as_str(),
            needs: step.needs.iter().map(|need| plan.step(*need).id.clone()).collect(),
            with: words.with(at),
            known: if words.is_known(at) { "now" } else { "later" },
            left_out: step.left_out().map(str::to_owned),
        }
    }
}
