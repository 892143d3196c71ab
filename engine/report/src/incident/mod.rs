//! The incident report: what happened, with evidence, for the ticket and for whoever audits it.
//!
//! A fold over every record of a run; nothing is in it that is not in the journal. Start at [`ReportBuilder`].

mod builder;
mod decisions;
mod evidence;
mod markdown;

#[cfg(test)]
mod tests;

pub use builder::ReportBuilder;

use crate::{ErrorView, Head, OutputView, RunOutcome};
use ceptra_flow_core::plan::RunbookInfo;
use ceptra_flow_core::{Json, Name, RunState, Timestamp};
use serde::Serialize;
use serde_json::Value;

/// One try at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptRow {
    /// Its number.
    pub attempt: u32,
    /// `do`, `probe` or `undo`.
    pub purpose: &'static str,
    /// The tenure it began in.
    pub epoch: u64,
    /// RFC 3339; null for what has no intent of its own.
    pub started_at: Option<String>,
    /// RFC 3339; null while it is in the world.
    pub ended_at: Option<String>,
    /// `running`, `done`, `failed`, `unknown`, `not_done`, `lost` (the engine stopped, and it was run again).
    pub result: &'static str,
    /// Why it did not end well.
    pub error: Option<ErrorView>,
}

/// A step's assertions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checks {
    /// As in the runbook.
    pub checks: Vec<String>,
    /// Whether all of them held; null where they were not put to the test.
    pub held: Option<bool>,
}

/// A step or an instance, with everything that shows what it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The step's id.
    pub id: Name,
    /// The instance's key.
    pub key: Option<Name>,
    /// The runbook's title of it; null where it has none, and where it is a template.
    pub title: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Name,
    /// What running it again does.
    pub effect: &'static str,
    /// Where it is.
    pub status: &'static str,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// Seconds.
    pub duration: Option<f64>,
    /// Every try.
    pub attempts: Vec<AttemptRow>,
    /// Its assertions; null where it has none.
    pub verify: Option<Checks>,
    /// Why it was left out.
    pub skipped: Option<String>,
    /// What it gave back.
    pub output: Option<OutputView>,
    /// Why it did not end well.
    pub error: Option<ErrorView>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// RFC 3339.
    pub at: String,
    /// The record's place.
    pub seq: u64,
    /// What, for people.
    pub what: String,
    /// The step or instance (`step` or `step[key]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(skip)]
    when: Timestamp,
    /// Whether it says only that an attempt starts.
    #[serde(skip)]
    begins: bool,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Yes.
    Granted,
    /// No.
    Rejected,
    /// Nobody answered in time.
    Expired,
}

/// A decision, with who took it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The step's id.
    pub step: Name,
    /// The instance's key.
    pub key: Option<Name>,
    /// What was asked.
    pub prompt: String,
    /// What was decided.
    pub decision: DecisionKind,
    /// Who; null when nobody did.
    pub by: Option<String>,
    /// By which way: `terminal`, `command`, `yes`, `approve`, `rehearsal`.
    pub via: Option<Name>,
    /// RFC 3339.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
    /// Which choice.
    pub choice: Option<String>,
    /// Typed answers.
    pub fields: Option<Json>,
    /// What was shown with the question.
    pub evidence: Option<Json>,
}

/// How a doubt was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// The world was asked.
    Probe,
    /// A person said.
    Operator,
    /// It was run again, as its effect allows.
    Rerun,
}

/// An attempt that nobody knew the end of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// The step's id.
    pub step: Name,
    /// The instance's key.
    pub key: Option<Name>,
    /// The attempt's number.
    pub attempt: u32,
    /// RFC 3339.
    pub at: String,
    /// Why nobody knew.
    pub why: String,
    /// How it was settled; null while it is open.
    pub settled_by: Option<SettledBy>,
    /// Who said so.
    pub by: Option<String>,
    /// Why they said so.
    pub reason: Option<String>,
    /// `done`, `not_done`, `skip`, `run_again`; null while it is open.
    pub verdict: Option<&'static str>,
}

/// What happened, with evidence. Serialises as `report --format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where the run stands.
    pub verdict: RunOutcome,
    /// The run's id.
    pub run: Name,
    /// The runbook's name.
    pub runbook: String,
    /// The target's name.
    pub target: String,
    /// The objective, seconds.
    pub rto: Option<f64>,
    /// What it took, seconds; null before the end.
    pub measured: Option<f64>,
    /// Every step, with evidence.
    pub steps: Vec<Evidence>,
    /// Everything that was recorded.
    pub timeline: Vec<TimelineEntry>,
    /// What people decided.
    pub approvals: Vec<Decision>,
    /// What nobody knew, and how it was settled.
    pub doubts: Vec<Doubt>,
    /// What `dr_cutover run` prints; null before the cutover, and where there is none.
    pub cutover: Option<Json>,
    /// The last record.
    pub head: Head,
    /// Put in by the caller: the signature over the head.
    pub signature: Value,
    #[serde(skip)]
    about: About,
}

/// What only the rendering for people says.
#[derive(Clone, Debug, PartialEq)]
struct About {
    runbook: RunbookInfo,
    target_kind: &'static str,
    /// Inputs by name; secret ones are not among them.
    inputs: Vec<(String, String)>,
    digest: String,
    started_at: Timestamp,
    started_by: Option<String>,
    /// Of the end, else of the last record.
    last_at: Timestamp,
    ended: bool,
    epochs: u64,
    steps: String,
    not_well: Vec<String>,
}

impl About {
    fn of(state: &RunState) -> Self {
        let plan = state.plan();
        let is_secret = |name: &str| plan.secrets.iter().any(|secret| &*secret.name == name);
        let inputs = match plan.inputs.value() {
            Value::Object(inputs) => inputs,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                serde_json::Map::new()
            }
        };
        let inputs =
            inputs.into_iter().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name, value.to_string()));
        Self {
            runbook: plan.runbook.clone(),
            target_kind: plan.target.kind.as_str(),
            inputs: inputs.collect(),
            digest: state.digest().to_owned(),
            started_at: state.started_at(),
            started_by: state.started_by().map(crate::phrases::who),
            last_at: state.ended_at().unwrap_or(state.last_at()),
            ended: state.ended_at().is_some(),
            epochs: state.epoch().0,
            steps: crate::ending::steps_in_words(state),
            not_well: crate::ending::not_well(state),
        }
    }
}
