//! What a step sees of the engine: its run, its attempt, its target, its log, and when to stop.

use crate::endpoints;
use crate::error::StepError;
use crate::log::LogSink;
use crate::redact::Redactor;
use ceptra_flow_core::ids::{self, Epoch, Name, Purpose};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The run that a step belongs to.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// Its id.
    pub id: String,
    /// Its runbook's name.
    pub name: String,
    /// The tenure of the engine that drives it.
    pub epoch: Epoch,
    /// Its directory; logs go to `logs/` in it.
    pub dir: PathBuf,
}

/// What a step is given for one attempt.
#[derive(Clone)]
pub struct StepContext {
    /// The run.
    pub run: Arc<RunInfo>,
    /// The step's id.
    pub step: Name,
    /// The instance's key.
    pub key: Option<Name>,
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The attempt's number, 1 for the first.
    pub attempt: u32,
    /// The same for every attempt of one intent; a target that keeps it refuses a repetition.
    pub idempotency_key: String,
    /// The target as the plan has it, `lab://` names unresolved ([`StepContext::resolve`]); `null` without one.
    pub target: Arc<Value>,
    /// What `lab://NAME` stands for, now.
    pub endpoints: Arc<BTreeMap<String, String>>,
    /// Where its output goes.
    pub log: LogSink,
    /// Cancelled when the step has to stop.
    pub cancel: CancellationToken,
    /// How long this attempt may take.
    pub timeout: Duration,
    /// The directory in which the run was started; relative paths begin there.
    pub started_from: PathBuf,
    /// The secrets of the run, for whatever a step shows to anyone.
    pub secrets: Arc<Redactor>,
}

impl StepContext {
    /// A path as the operator meant it: relative ones begin where the run was started.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.started_from.join(path)
    }

    /// A part of the target (or anything else) with its `lab://` names resolved.
    ///
    /// # Errors
    /// Class `endpoint`, when a name is not among the endpoints.
    pub fn resolve(&self, value: Value) -> Result<Value, StepError> {
        endpoints::resolve(value, &self.endpoints)
    }

    /// `step` or `step[key]`.
    #[must_use]
    pub fn label(&self) -> String {
        ids::label(&self.step, self.key.as_ref())
    }
}
