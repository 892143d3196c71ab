//! How the process ends: every error a command can have, and the one function that turns it into an exit code.
//!
//! Scripts and on-call pages depend on the codes; docs and `cli.md` list them. Start at [`exit_of`].

use ceptra_flow_core::scheduler::Rejected;
use ceptra_flow_core::state::Corrupt;
use ceptra_flow_lab::LabError;
use ceptra_flow_local::DriveError;
use ceptra_flow_state::{AppendError, LockError, OpenError, ReadError, StoreError};
use std::error::Error as _;
use std::fmt::Write as _;

/// How a command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and everything held.
    Done,
    /// The run, check, audit or lab is not as it should be.
    Failed,
    /// Nothing was started: usage, runbook, plan, target, an unknown run, a refused request.
    BadInput,
    /// It waits for a person, or for a pause to end.
    Parked,
    /// Somebody else drives the run or holds its lock.
    HeldElsewhere,
    /// The state store cannot be trusted or written.
    Store,
    /// Stopped by a signal; `resume` goes on.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::Parked => 3,
            Self::HeldElsewhere => 4,
            Self::Store => 5,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The exit code and everything to be said.
    #[error("{message}")]
    Plain {
        /// The exit code.
        exit: Exit,
        /// What happened and why.
        message: String,
        /// What to do now.
        help: String,
    },
    /// The state store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A journal.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A journal whose records contradict each other.
    #[error("the journal of this run cannot be trusted: {0}")]
    Corrupt(#[from] Corrupt),
    /// A run that could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// A request that does not fit the run.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The rehearsal lab.
    #[error(transparent)]
    Lab(#[from] LabError),
}

impl CommandError {
    /// Bad input.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Plain { exit: Exit::BadInput, message: message.into(), help: help.into() }
    }

    /// A failure that is not the input's fault.
    pub(crate) fn failed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Plain { exit: Exit::Failed, message: message.into(), help: help.into() }
    }

    /// Something that belongs to a later version.
    pub(crate) fn later(what: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self::usage(
            format!("{what} is not in this version of ceptra-flow ({version})"),
            "`ceptra-flow --help` lists what is; CHANGELOG.md says what comes with which version",
        )
    }
}

/// The one place where an error becomes an exit code.
pub(crate) fn exit_of(error: &CommandError) -> Exit {
    match error {
        CommandError::Plain { exit, .. } => *exit,
        CommandError::Rejected(_) => Exit::BadInput,
        CommandError::Corrupt(_) => Exit::Store,
        CommandError::Store(error) => exit_of_store(error),
        CommandError::Read(error) => exit_of_read(error),
        CommandError::Drive(error) => exit_of_drive(error),
        CommandError::Lab(error) => exit_of_lab(error),
    }
}

fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::NoSuchRun { .. } | StoreError::NotARunId { .. } => Exit::BadInput,
        _ => Exit::Store,
    }
}

fn exit_of_read(error: &ReadError) -> Exit {
    match error {
        ReadError::Store(error) => exit_of_store(error),
        ReadError::Broken { .. } | ReadError::Undecodable { .. } => Exit::Store,
    }
}

fn exit_of_drive(error: &DriveError) -> Exit {
    match error {
        DriveError::Open(OpenError::HeldBy { .. }) | DriveError::Locked { .. } => Exit::HeldElsewhere,
        DriveError::Open(OpenError::Store(error)) | DriveError::Store(error) => exit_of_store(error),
        DriveError::Read(error) => exit_of_read(error),
        DriveError::Append(error) if error.owned_elsewhere() => Exit::HeldElsewhere,
        DriveError::Append(_) | DriveError::Corrupt(_) => Exit::Store,
        DriveError::Rejected(Rejected::Corrupt(_)) => Exit::Store,
        DriveError::Rejected(_) | DriveError::Guard { .. } => Exit::BadInput,
        DriveError::Runtime(_) => Exit::Failed,
    }
}

fn exit_of_lab(error: &LabError) -> Exit {
    match error {
        LabError::Config(_) | LabError::Exists { .. } | LabError::NotAvailable { .. } => Exit::BadInput,
        LabError::Running { .. } => Exit::HeldElsewhere,
        _ => Exit::Failed,
    }
}

/// What happened, why, and what now: everything that is printed of an error.
pub(crate) fn describe(error: &CommandError) -> (String, Option<String>) {
    match error {
        CommandError::Plain { message, help, .. } => {
            (message.clone(), Some(help.clone()).filter(|help| !help.is_empty()))
        }
        CommandError::Drive(DriveError::Open(OpenError::HeldBy { run, holder })) => (
            format!("{holder} drives run `{run}`"),
            Some(format!(
                "`ceptra-flow show {run}` shows how far it is, `ceptra-flow logs {run} -f` follows it; stop that process first, or wait for it"
            )),
        ),
        CommandError::Drive(DriveError::Locked { lock, holder }) => (
            format!(
                "lock `{lock}` is held by {holder}{}",
                holder.run.as_ref().map_or(String::new(), |run| format!(", for run `{run}`"))
            ),
            Some(
                "two runs that name the same lock exclude each other: wait until that one has ended, then start again"
                    .into(),
            ),
        ),
        CommandError::Drive(DriveError::Append(AppendError::Fenced { run, .. })) => {
            (chain(error), Some(format!("`ceptra-flow show {run}` tells who drives it now")))
        }
        CommandError::Rejected(_) | CommandError::Drive(DriveError::Rejected(_)) => {
            (chain(error), Some("`ceptra-flow show` lists the steps and what waits for a decision".into()))
        }
        CommandError::Drive(DriveError::Guard { .. }) => (
            chain(error),
            Some("name the right target with --target; the target says how it is asked with [operations.fingerprint], and the runbook what it must answer with [guard] fingerprint".into()),
        ),
        CommandError::Lab(LabError::NotReady { .. }) => (chain(error), Some("`ceptra-flow lab up` starts one".into())),
        CommandError::Lab(LabError::Running { .. }) => (chain(error), Some("`ceptra-flow lab down` ends it".into())),
        CommandError::Corrupt(_) => {
            (chain(error), Some("`ceptra-flow audit` names the event; restore the run's directory from a copy".into()))
        }
        CommandError::Store(_) | CommandError::Read(_) | CommandError::Drive(_) | CommandError::Lab(_) => {
            (chain(error), None)
        }
    }
}

/// An error with its causes, each said once.
fn chain(error: &CommandError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        let said = said.split(" (os error").next().unwrap_or(&said);
        if !text.contains(said) {
            write!(text, " ({said})").expect("a String takes everything");
        }
        cause = next.source();
    }
    text
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        Self::Drive(DriveError::Open(error))
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::HeldBy { name, holder } => Self::Drive(DriveError::Locked { lock: name, holder }),
            LockError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceptra_flow_state::{Holder, RunId};
    use std::path::PathBuf;

    fn code(error: impl Into<CommandError>) -> u8 {
        exit_of(&error.into()).code()
    }

    #[test]
    fn every_kind_of_trouble_has_its_code() {
        let run = RunId::fresh();
        assert_eq!(code(StoreError::NoSuchRun { run: run.clone(), root: PathBuf::from("s") }), 2);
        assert_eq!(code(StoreError::NotADirectory { path: PathBuf::from("s") }), 5);
        assert_eq!(code(StoreError::NewerFormat { path: PathBuf::from("s"), found: 9, known: 1 }), 5);
        assert_eq!(code(Rejected::NotAsked("go".into())), 2);
        assert_eq!(code(OpenError::HeldBy { run, holder: Box::default() }), 4);
        assert_eq!(code(LockError::HeldBy { name: "dns".into(), holder: Box::default() }), 4);
        assert_eq!(code(DriveError::Rejected(Rejected::NotPaused)), 2);
        assert_eq!(code(Corrupt::Digest), 5);
        assert_eq!(code(LabError::Config("too large".into())), 2);
        assert_eq!(code(CommandError::later("`watch`")), 2);
    }

    #[test]
    fn codes_are_those_of_the_contract() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::BadInput,
            Exit::Parked,
            Exit::HeldElsewhere,
            Exit::Store,
            Exit::Interrupted,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 130]);
    }

    #[test]
    fn the_holder_of_a_run_is_named() {
        let holder = Box::new(Holder {
            pid: 7,
            host: "h".into(),
            user: "ada".into(),
            since: "then".into(),
            ..Holder::default()
        });
        let (message, help) = describe(&OpenError::HeldBy { run: RunId::fresh(), holder }.into());
        assert!(message.starts_with("process 7 of ada on h (since then) drives run `"), "{message}");
        assert!(help.unwrap().contains("ceptra-flow show "));
    }
}
