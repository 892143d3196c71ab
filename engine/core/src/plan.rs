//! A plan: runbook, target and inputs, checked and closed. No choice is left in it.
//!
//! Made by `runbook::compile`, stored whole in a run's first record, never changed after. Templates and conditions
//! that read outputs stay in it as text; what they read is fixed.

use crate::effect::Effect;
use crate::ids::{Name, StepIx};
use crate::json::Json;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the decisions that [`Scheduler`](crate::Scheduler) takes; a plan made for another is refused.
pub const SEMANTICS: u32 = 1;

/// What a run carries out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// See [`SEMANTICS`].
    pub semantics: u32,
    /// The runbook's head.
    pub runbook: RunbookInfo,
    /// Where it acts.
    pub target: TargetInfo,
    /// Values of the inputs by name, secrets left out; an object.
    pub inputs: Json,
    /// Inputs whose values are asked for at every start and never stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretInput>,
    /// Values of the environment variables that `[runbook] env` names; an object.
    pub env: Json,
    /// Run-wide limits.
    #[serde(default)]
    pub limits: Limits,
    /// `[guard]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// The main steps in the file's order, then the `finally` steps in the file's order.
    pub steps: Vec<StepPlan>,
    /// How many of `steps` are main steps.
    pub main_count: u32,
    /// Run only these steps' ancestors and themselves, then wait for `resume` (`--until`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StepIx>,
}

/// `[runbook]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunbookInfo {
    /// `[a-z0-9-]+`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Recovery time objective in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_ms: Option<u64>,
    /// Recovery point objective in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_ms: Option<u64>,
    /// Who answers for the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Named links, in the file's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
}

/// The target a plan was made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetInfo {
    /// `[target] name`.
    pub name: String,
    /// `production`, `staging` or `lab`.
    pub kind: TargetKind,
    /// The whole target file as JSON: what `target` names in templates.
    pub value: Json,
}

/// How careful to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The name must be typed; approvals cannot be waved through.
    Production,
    /// Real, but nobody depends on it.
    Staging,
    /// The rehearsal cluster.
    Lab,
}

impl TargetKind {
    /// As written in target files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Lab => "lab",
        }
    }
}

/// An input that is never stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretInput {
    /// The input's name.
    pub name: Name,
    /// Where its value comes from.
    pub from: SecretSource,
}

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file's content, without its last newline.
    File(String),
    /// A command's standard output, without its last newline.
    Command(Vec<String>),
}

/// `[limits]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Attempts at the same time, all steps together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// For the whole run, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Named mutexes held for the whole run, across runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Name>,
}

/// `[guard]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// What the live target must answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What the operator must type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Its id.
    pub id: Name,
    /// Its type's name.
    #[serde(rename = "type")]
    pub kind: Name,
    /// The steps it waits for, by place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepIx>,
    /// Its parameters, templates unrendered.
    pub with: Json,
    /// What running it again does.
    pub effect: Effect,
    /// Of one attempt, in ms.
    pub timeout_ms: u64,
    /// The keys that few steps have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Box<More>>,
}

/// The keys that few steps have; kept apart so that a plain step stays small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct More {
    /// Shown to people; a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Shown to people; a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// CEL; false skips the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it is repeated over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// Of all attempts together, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// When and how often it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// CEL on `output`: ask again until it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Between two askings of `until`, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// How to find out whether the effect happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Whether the type answers a probe by itself.
    #[serde(skip_serializing_if = "is_false")]
    pub type_probes: bool,
    /// What must hold of `output`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Check>,
    /// How it is reversed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What a failure does to the run.
    #[serde(skip_serializing_if = "OnFailure::is_halt")]
    pub on_failure: OnFailure,
    /// What a person decides before it starts, or, for `approval` steps, what the step is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What a person carries out (`manual` steps).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual: Option<Manual>,
    /// After it, nothing is undone unless forced.
    #[serde(skip_serializing_if = "is_false")]
    pub point_of_no_return: bool,
    /// Named mutexes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Name>,
    /// Where it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Name>,
    /// For `--only`, `--skip` and views.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Name>,
    /// Why it is left out of this plan (`--only`, `--skip`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// `for_each`, `key`, `max_parallel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// A template that is exactly one reference to a list, or a literal list (as JSON text).
    pub over: Json,
    /// A template for the instance's key; the index when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Instances at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
}

/// `retry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// All tries together; 1 is no retry.
    pub attempts_max: u32,
    /// Whether the pause doubles after every try.
    pub exponential: bool,
    /// The first pause, in ms.
    pub backoff_ms_min: u64,
    /// The longest pause, in ms.
    pub backoff_ms_max: u64,
    /// Whether the pause is spread over its upper half.
    pub jitter: bool,
    /// Only these error classes (`timeout`, `connect`, …) and exit codes (as text); empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Name>,
}

/// `probe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What is run; its effect is `read`.
    pub body: Body,
    /// CEL on `output`: the effect happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// CEL on `output`: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_done: Option<String>,
}

/// A step's body inside another step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// Its type's name.
    #[serde(rename = "type")]
    pub kind: Name,
    /// Its parameters, templates unrendered.
    pub with: Json,
    /// What running it again does.
    pub effect: Effect,
    /// Of one attempt, in ms.
    pub timeout_ms: u64,
}

/// `undo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// The type knows its own inverse.
    Auto,
    /// This body reverses it.
    Body(Body),
}

/// One assertion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// CEL.
    pub check: String,
    /// What is said when it does not hold; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `on_failure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Start nothing new, let running steps finish.
    #[default]
    Halt,
    /// Dependents are blocked, the rest goes on.
    Continue,
    /// Undo what was done, in reverse order.
    Undo,
}

impl OnFailure {
    fn is_halt(&self) -> bool {
        match self {
            Self::Halt => true,
            Self::Continue | Self::Undo => false,
        }
    }
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// What is asked; a template.
    pub prompt: String,
    /// What may be answered; empty is yes or no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// How many different people must agree.
    pub approvers: u32,
    /// Whether whoever started the run does not count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_initiator: bool,
    /// How long the question stands, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Paths (`steps.restore.output`) whose values are shown and recorded with the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Typed answers that become the output: an object of input declarations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Json>,
    /// Whether a rehearsal (a target of kind `lab`) grants it by itself and says so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rehearsal_grants: bool,
}

/// Instructions a person carries out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manual {
    /// Markdown; a template.
    pub instructions: String,
    /// Typed answers that become the output: an object of input declarations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Json>,
}

impl Plan {
    /// SHA-256 of the plan's canonical JSON: 64 lower-case hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256_hex(Json::of(self).as_str().as_bytes())
    }

    /// The step at a place.
    #[must_use]
    pub fn step(&self, at: StepIx) -> &StepPlan {
        &self.steps[at.at()]
    }

    /// Whether the step at this place runs at the end of the run, whatever happened.
    #[must_use]
    pub fn is_finally(&self, at: StepIx) -> bool {
        at.0 >= self.main_count
    }

    /// Every step with its place.
    pub fn places(&self) -> impl Iterator<Item = (StepIx, &StepPlan)> {
        self.steps.iter().enumerate().map(|(at, step)| (place(at), step))
    }
}

/// A slice index as a place.
///
/// # Panics
/// When there are more than `u32::MAX` steps; `runbook` refuses such files.
#[must_use]
pub fn place(at: usize) -> StepIx {
    StepIx(u32::try_from(at).expect("runbook refuses more steps than u32::MAX"))
}

impl StepPlan {
    /// What a failure does to the run.
    #[must_use]
    pub fn on_failure(&self) -> OnFailure {
        self.more.as_ref().map_or(OnFailure::Halt, |more| more.on_failure)
    }

    /// The approval asked before it starts, or that it is.
    #[must_use]
    pub fn approval(&self) -> Option<&Approval> {
        self.more.as_ref()?.approval.as_ref()
    }

    /// Whether the step is nothing but a person's decision.
    #[must_use]
    pub fn is_approval(&self) -> bool {
        &*self.kind == "approval"
    }

    /// What a person carries out.
    #[must_use]
    pub fn manual(&self) -> Option<&Manual> {
        self.more.as_ref()?.manual.as_ref()
    }

    /// What it is repeated over.
    #[must_use]
    pub fn for_each(&self) -> Option<&ForEach> {
        self.more.as_ref()?.for_each.as_ref()
    }

    /// The condition under which it runs.
    #[must_use]
    pub fn when(&self) -> Option<&str> {
        self.more.as_ref()?.when.as_deref()
    }

    /// When and how often it is tried again.
    #[must_use]
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.more.as_ref()?.retry.as_ref()
    }

    /// How it is reversed.
    #[must_use]
    pub fn undo(&self) -> Option<&Undo> {
        self.more.as_ref()?.undo.as_ref()
    }

    /// Its mutexes.
    #[must_use]
    pub fn locks(&self) -> &[Name] {
        self.more.as_ref().map_or(&[], |more| &more.locks)
    }

    /// Whether somebody can tell if its effect happened.
    #[must_use]
    pub fn can_probe(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.probe.is_some() || more.type_probes)
    }

    /// Whether undo is refused once it is done.
    #[must_use]
    pub fn is_point_of_no_return(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.point_of_no_return)
    }

    /// Why it is left out of this plan.
    #[must_use]
    pub fn left_out(&self) -> Option<&str> {
        self.more.as_ref()?.left_out.as_deref()
    }
}

/// SHA-256 as 64 lower-case hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}
