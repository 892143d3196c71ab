//! What a caller says about a drive, and what it hears of it.

use ceptra_flow_core::input::{Actor, Engine, Operation};
use ceptra_flow_core::scheduler::{Rejected, Standing};
use ceptra_flow_core::state::{Question, RunState};
use ceptra_flow_core::{Attempt, Name, Record};
use ceptra_flow_state::lock::Holder;
use ceptra_flow_state::{AppendError, OpenError, ReadError, StoreError};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a run is driven.
pub struct Settings<'a> {
    /// Who started this process.
    pub by: Actor,
    /// This process.
    pub engine: Engine,
    /// Values of the plan's secret inputs.
    pub secrets: BTreeMap<String, String>,
    /// What `lab://NAME` stands for.
    pub endpoints: BTreeMap<String, String>,
    /// Where relative paths begin.
    pub started_from: PathBuf,
    /// Which approvals are granted without asking.
    pub grant: Grant,
    /// Whether to wait for decisions instead of parking.
    pub wait: bool,
    /// Whether a pause and `--until` end with this tenure.
    pub go_on: bool,
    /// Asks the person at the terminal; none where there is no terminal.
    pub asker: Option<Box<dyn Asker>>,
    /// Dropped as soon as the run is taken: a reader that is still open spares the owner the recovery of the log.
    pub until_taken: Option<Box<dyn std::any::Any>>,
    /// Hears everything.
    pub observer: &'a mut dyn Observer,
}

/// Which approvals are granted without asking.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// All of them (`--yes`).
    pub all: bool,
    /// Those of these steps (`--approve STEP`).
    pub steps: Vec<Name>,
}

/// Hears of a run, live.
pub trait Observer: Send {
    /// A record is durable. Delivered always, once, in order; `state` is the fold up to the decision it belongs to.
    fn recorded(&mut self, record: &Record, state: &RunState);
    /// Something that is not recorded.
    fn note(&mut self, note: Note<'_>);
}

/// What is worth a line, but is no fact of the run.
#[derive(Debug)]
pub enum Note<'a> {
    /// A line of a step's output.
    Output {
        /// Whose.
        attempt: &'a Attempt,
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// The line, secrets taken out.
        line: &'a str,
    },
    /// A step waits for a mutex that another run holds.
    WaitsForLock {
        /// The step or instance.
        step: &'a str,
        /// The mutex.
        lock: &'a str,
        /// Who has it.
        holder: &'a Holder,
    },
    /// A request from the inbox was refused.
    Refused {
        /// What was asked.
        what: &'a Operation,
        /// Why not.
        why: &'a Rejected,
    },
    /// The first signal: running steps are waited for.
    Stopping {
        /// How many.
        running: usize,
    },
    /// The second signal: they are being stopped.
    Killing {
        /// How many.
        running: usize,
    },
    /// Nothing goes on before a person decides.
    Waits(Waiting<'a>),
}

/// What a run waits for.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// The questions.
    pub questions: Vec<Question<'a>>,
    /// Whether it is paused.
    pub paused: bool,
}

/// Asks a person at the terminal. Called on a thread of its own; may block.
pub trait Asker: Send {
    /// The person's decision about an open question (given as `approve`/`reject` operations for that step);
    /// `None` when they would rather not say now.
    fn ask(
        &mut self,
        step: &Name,
        key: Option<&Name>,
        asked: &ceptra_flow_core::event::ApprovalRequested,
    ) -> Option<Operation>;
}

/// How a drive came to its end.
#[derive(Debug)]
pub struct Ended {
    /// Where the run stands.
    pub standing: Standing,
    /// Everything recorded so far, folded.
    pub state: RunState,
}

/// Why a run could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Somebody else drives it, or the store cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its records contradict each other.
    #[error("the journal of this run cannot be continued: {0}")]
    Corrupt(#[from] ceptra_flow_core::state::Corrupt),
    /// It could not be recorded; or another process took over.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked does not fit the run.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A run-wide lock (`[limits] locks`) is held by another run.
    #[error("lock `{lock}` is held by {holder}")]
    Locked {
        /// Which.
        lock: String,
        /// Who has it.
        holder: Box<Holder>,
    },
    /// The live target is not the one that `[guard]` names, or cannot be asked.
    #[error("the runbook is for the target with the fingerprint `{expected}`, but `{target}` {found}")]
    Guard {
        /// Its name.
        target: String,
        /// What it should say.
        expected: String,
        /// What it says, or why it could not be asked.
        found: String,
    },
    /// The system gave no thread, timer or signal.
    #[error("cannot set up the engine: {0}")]
    Runtime(#[from] std::io::Error),
}
