//! What can go wrong, in words for an operator: what happened, where, and what to do.
//!
//! [`OpenError::HeldBy`], [`AppendError::Fenced`] and [`LockError::HeldBy`] mean that somebody else is at it (exit code 4);
//! everything else means that the store cannot be trusted or written (exit code 5).

use crate::journal::Head;
use crate::lock::Holder;
use crate::run_id::RunId;
use ceptra_flow_core::event::DecodeError;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::io;
use std::path::{Path, PathBuf};

/// The state store cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something else than a directory is where the store should be.
    #[error("`{}` is not a directory: name another one with `--state` or CEPTRA_FLOW_STATE", path.display())]
    NotADirectory {
        /// Where.
        path: PathBuf,
    },
    /// The user may not write there.
    #[error("cannot write to `{}`: you lack the permission, or the file system is read-only; correct that, or name another directory with `--state` or CEPTRA_FLOW_STATE", path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The user may not read there.
    #[error("cannot read `{}`: you lack the permission; ask its owner, or run as the user that started the run", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left.
    #[error("no space is left for `{}`: what was recorded before is safe; free some space, then `ceptra-flow resume`", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk or its file system failed.
    #[error("the system cannot {what} `{}`: the disk is failing or full, or a limit on file sizes was reached; what was recorded before is safe; `ceptra-flow doctor` looks for the reason", path.display())]
    Failing {
        /// A verb.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A later version of ceptra-flow wrote the journal.
    #[error("`{}` has format version {found}, but this ceptra-flow knows versions up to {known}: use the ceptra-flow that wrote it, or a newer one", path.display())]
    NewerFormat {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest known here.
        known: i64,
    },
    /// A file is no journal of ours.
    #[error("`{}` is not a ceptra-flow journal: {what}; restore it from a copy, or name another run", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The database itself is damaged.
    #[error("`{}` is damaged: {what}; keep the file, run `ceptra-flow audit` on it, and restore it from a copy", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// What SQLite said.
        what: String,
    },
    /// The database did not accept a setting that durability rests on.
    #[error("`{}` does not keep `{pragma}` at {wanted} (it says {found}), so its records would not be safe: move the store to a local file system", path.display())]
    Setting {
        /// The journal.
        path: PathBuf,
        /// Which setting.
        pragma: &'static str,
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// No run has that id.
    #[error("no run `{run}` in `{}`: `ceptra-flow runs` lists those there are", root.display())]
    NoSuchRun {
        /// The id.
        run: RunId,
        /// The store.
        root: PathBuf,
    },
    /// A run of that id is there already.
    #[error("`{}` exists already: start again, for another id", path.display())]
    RunExists {
        /// Its directory.
        path: PathBuf,
    },
    /// A text is no run id.
    #[error(
        "`{text}` is not a run id: ids look like 0192f0c4-7a31-7c10-9f5e-3a1b2c3d4e5f; `ceptra-flow runs` lists them"
    )]
    NotARunId {
        /// The text.
        text: String,
    },
    /// A blob is not what its name says.
    #[error("`{}` is not what was stored there ({what}): it was changed or cut after the run; restore it from a copy", path.display())]
    BlobChanged {
        /// The blob.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A signing key or a signature is not usable.
    #[error("{what}")]
    Signature {
        /// What is wrong, and what to do.
        what: String,
    },
    /// No home directory to put the store in.
    #[error(
        "no place for the state: neither XDG_STATE_HOME nor HOME is set; name a directory with `--state` or CEPTRA_FLOW_STATE"
    )]
    NoDefaultDirectory,
    /// Something else that the system said.
    #[error("cannot {what} `{}`; `ceptra-flow doctor` looks for the reason", path.display())]
    Io {
        /// A verb.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else that SQLite said.
    #[error("cannot {what} `{}`; `ceptra-flow doctor` looks for the reason", path.display())]
    Sqlite {
        /// A verb.
        what: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// A journal cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// An event is not what was written, or does not follow the one before it.
    #[error("event {} of run `{run}` cannot be trusted: {what}; `ceptra-flow audit {run}` names everything that is wrong", seq.0)]
    Broken {
        /// The run.
        run: String,
        /// The event.
        seq: Seq,
        /// What is wrong.
        what: String,
    },
    /// An event's hash is right, but this version does not know what it says.
    #[error("event {} of run `{run}` cannot be read by this version; use the ceptra-flow that wrote it, or a newer one", seq.0)]
    Undecodable {
        /// The run.
        run: String,
        /// The event.
        seq: Seq,
        /// What is wrong.
        source: DecodeError,
    },
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process drives it.
    #[error("{holder} drives run `{run}`: `ceptra-flow watch {run}` shows it; stop that process first, or wait for it")]
    HeldBy {
        /// The run.
        run: RunId,
        /// Who.
        holder: Box<Holder>,
    },
    /// The store is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Records were not appended. The journal takes no more from this owner after the first one.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another process took the run over.
    #[error("another process took over run `{run}`: it is in epoch {}, this process held epoch {}; nothing more is done here", current.0, held.0)]
    Fenced {
        /// The run.
        run: RunId,
        /// The epoch of this process.
        held: Epoch,
        /// The epoch in the journal.
        current: Epoch,
    },
    /// The records do not continue the journal: a mistake of the caller, or somebody wrote without owning the run.
    #[error("a record numbered {} cannot follow event {} of run `{run}`: start again with `ceptra-flow resume {run}`", found.0, head.seq.0)]
    Gap {
        /// The run.
        run: RunId,
        /// Where the journal is.
        head: Head,
        /// The number that came.
        found: Seq,
    },
    /// A record is of another epoch than the one that this process holds: a mistake of the caller.
    #[error("a record of epoch {} cannot be written by the owner of epoch {} of run `{run}`: start again with `ceptra-flow resume {run}`", found.0, held.0)]
    WrongEpoch {
        /// The run.
        run: RunId,
        /// The epoch of this process.
        held: Epoch,
        /// The epoch that came.
        found: Epoch,
    },
    /// An earlier append failed, so nobody knows any more what is there.
    #[error(
        "run `{run}` could not be recorded before ({first}), so nothing more is: go on with `ceptra-flow resume {run}`"
    )]
    Poisoned {
        /// The run.
        run: RunId,
        /// The first failure, as text.
        first: String,
    },
    /// The store is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AppendError {
    /// Whether somebody else drives the run now (exit code 4, not 5).
    #[must_use]
    pub fn owned_elsewhere(&self) -> bool {
        matches!(self, Self::Fenced { .. })
    }
}

/// Named locks were not taken; none of the list is held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has one of them.
    #[error("lock `{name}` is held by {holder}")]
    HeldBy {
        /// Which.
        name: String,
        /// Who.
        holder: Box<Holder>,
    },
    /// The store is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    /// What an I/O error means while doing `what` to `path`.
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { path, source: Box::new(source) }
            }
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::Unwritable { path, source },
            io::ErrorKind::PermissionDenied if what.starts_with("read") => Self::Unreadable { path, source },
            io::ErrorKind::PermissionDenied => Self::Unwritable { path, source },
            _ => Self::Io { what, path, source },
        }
    }

    /// What an error of SQLite means while doing `what` to the database at `path`.
    pub(crate) fn sqlite(what: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_path_buf();
        let extended = source.sqlite_error().map(|error| error.extended_code);
        match source.sqlite_error_code() {
            // There was no room for the log's index.
            _ if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Self::Full { path, source: Box::new(source) },
            Some(ErrorCode::DiskFull) => Self::Full { path, source: Box::new(source) },
            Some(ErrorCode::NotADatabase) => Self::NotAJournal { path, what: "it is no SQLite database".into() },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
            Some(ErrorCode::SystemIoFailure) => Self::Failing { what, path, source },
            Some(ErrorCode::ReadOnly) => Self::Unwritable { path, source: io::Error::other(source.to_string()) },
            _ => Self::Sqlite { what, path, source },
        }
    }
}
