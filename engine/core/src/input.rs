//! What the world reports, and what the engine asks for. Neither is recorded as such.

use crate::ids::{Attempt, Epoch, Name};
use crate::json::{Json, Output};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Who did something, and by which way it reached the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person's name.
    pub name: String,
    /// `terminal`, `command`, `yes` (waved through with `--yes`), `approve` (`--approve STEP`), `rehearsal`, `engine`.
    pub via: Name,
    /// The host they were on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The process that drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// Its version.
    pub version: String,
    /// Its host's name.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// Which boot of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

/// A report about the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A process has taken the run and read its journal.
    Opened {
        /// Its tenure.
        epoch: Epoch,
        /// Who started it.
        by: Actor,
        /// The process.
        engine: Engine,
        /// Whether a pause ends, and `--until` with it where that was what paused the run: the operator said `resume`.
        go_on: bool,
    },
    /// An attempt came to its end, one way or another.
    Finished {
        /// Which.
        attempt: Attempt,
        /// How.
        result: Result,
    },
    /// The mutexes of a step are held now.
    Locked {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
    },
    /// Time passed: [`wake_at`](crate::Scheduler::wake_at) was reached.
    Tick,
    /// A person asks for something.
    Operator(Request),
    /// The process was asked to stop: start nothing new.
    Interrupted {
        /// `SIGINT`, `SIGTERM`.
        signal: Name,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Result {
    /// The effect is there and every `verify` held. For [`Purpose::Probe`](crate::ids::Purpose): the effect happened.
    Done(Output),
    /// It is known not to have succeeded.
    Failed(Failure),
    /// Nobody knows: a timeout, a lost connection, a stopped process.
    Unknown(Failure),
    /// Only for a probe: the effect did not happen.
    NotDone(Output),
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `exit`, `timeout`, `spawn`, `connect`, `status`, `parse`, `verify`, `template`, `rejected`, `expired`, …
    pub class: Name,
    /// What happened, for people; one or a few lines.
    pub message: String,
    /// What it left behind.
    pub left: Left,
    /// The exit code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// More for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
}

/// What a failed attempt left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Nothing: the effect is known not to have happened.
    Nothing,
    /// Something, perhaps all of it.
    Partial,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Who.
    pub by: Actor,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What.
    pub what: Operation,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Yes, or one of the choices.
    Approve {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
        /// One of the choices.
        choice: Option<String>,
        /// Typed answers, an object.
        fields: Option<Json>,
    },
    /// No.
    Reject {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
    },
    /// How a step in doubt, a manual step or a stuck undo really ended.
    Resolve {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
        /// How.
        verdict: Verdict,
        /// Typed answers of a manual step, an object.
        fields: Option<Json>,
    },
    /// Words for the record.
    Note {
        /// The words.
        text: String,
    },
    /// Start nothing new until told to go on.
    Pause,
    /// Go on.
    Unpause,
    /// Give up: stop what runs, run the `finally` steps, end.
    Cancel,
    /// Reverse what was done, latest first.
    Undo {
        /// Down to this step, itself included; everything when left out.
        to: Option<Name>,
        /// Even past the point of no return.
        past_point_of_no_return: bool,
    },
    /// Try a failed step again.
    Retry {
        /// The step's id.
        step: Name,
        /// The instance's key; every failed instance when left out.
        key: Option<Name>,
    },
}

/// A person's answer to "how did this really end?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It happened.
    Done,
    /// It did not; do it again.
    NotDone,
    /// Go on without it.
    Skip,
}

/// A request of the engine: it may be lost, so nothing relies on it alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Carry out an attempt, for the purpose that it names.
    Run {
        /// Which.
        attempt: Attempt,
        /// The number of the intent: stable across retries, part of the idempotency key.
        intent: u32,
        /// What a person said was done (manual steps), an object.
        claim: Option<Json>,
    },
    /// Stop an attempt's work: TERM, then KILL.
    Stop {
        /// Which.
        attempt: Attempt,
    },
    /// Hold these mutexes for this step, then report [`Input::Locked`].
    Lock {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
        /// Their names, in order.
        locks: Vec<Name>,
    },
    /// Let go of them.
    Unlock {
        /// The step's id.
        step: Name,
        /// The instance's key.
        key: Option<Name>,
    },
}
