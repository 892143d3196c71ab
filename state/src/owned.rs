//! A run that this process drives: its journal together with the OS lock that makes it so.

use crate::blobs::Blobs;
use crate::error::{AppendError, OpenError, StoreError};
use crate::files;
use crate::inbox::Inbox;
use crate::journal::{Head, Journal, RequestId};
use crate::lock::{FileLock, Tried, Who};
use crate::run_id::RunId;
use crate::signing::{self, Signer};
use crate::sqlite::{Records, SqliteJournal};
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::path::{Path, PathBuf};

/// A run that this process drives, until closed or dropped.
///
/// Nothing is written before the first append, which makes the next epoch the journal's in its own transaction: a run
/// that was opened and found unreadable is as it was.
#[derive(Debug)]
pub struct Owned {
    // Dropped in this order: nobody else may come in before the last transaction has ended.
    journal: SqliteJournal,
    dir: PathBuf,
    _lock: FileLock,
}

/// Directories beside the journal.
const BESIDE: [&str; 3] = ["blobs", "logs", "processes"];

impl Owned {
    pub(crate) fn create(dir: PathBuf, lock: &Path, run: &RunId, who: &Who) -> Result<Self, OpenError> {
        let runs = dir.parent().expect("a run's directory is in the store's").to_path_buf();
        files::make_dirs(&runs)?;
        let mut lock = take(lock, run, who)?;
        files::make_dir(&dir)?;
        for name in BESIDE {
            files::make_dir(&dir.join(name))?;
        }
        let journal = SqliteJournal::create(&dir, run)?;
        files::sync_dir(&dir)?;
        files::sync_dir(&runs)?;
        lock.write(&who.holder(Some(run), Some(journal.epoch())))?;
        Ok(Self { journal, dir, _lock: lock })
    }

    pub(crate) fn open(dir: PathBuf, lock: &Path, run: &RunId, who: &Who) -> Result<Self, OpenError> {
        let mut lock = take(lock, run, who)?;
        let journal = SqliteJournal::open(&dir, run)?;
        lock.write(&who.holder(Some(run), Some(journal.epoch())))?;
        Ok(Self { journal, dir, _lock: lock })
    }

    /// The run's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where steps' output goes.
    #[must_use]
    pub fn logs_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Where supervised processes say how they are.
    #[must_use]
    pub fn processes_dir(&self) -> PathBuf {
        self.dir.join("processes")
    }

    /// The run's blobs.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::of_run(&self.dir)
    }

    /// Every record, verified as it is read; from the start at every call.
    pub fn records(&mut self) -> Records<'_> {
        self.journal.records()
    }

    /// What others ask of this run. A damaged inbox is no reason to stop a run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn inbox(&self) -> Result<Inbox, StoreError> {
        Ok(Inbox::of_run(&self.dir, self.journal.accepted()?))
    }

    /// Ends the tenure in good order: notes the head in the journal, so that a cut tail shows in an audit, and with a
    /// signer puts a signature of it beside the journal. Costs a commit, unless the last record ended the run.
    ///
    /// # Errors
    /// When it cannot be written; what was appended is safe all the same.
    pub fn close(mut self, signer: Option<&Signer>) -> Result<Head, AppendError> {
        self.journal.note_head()?;
        let head = self.journal.head();
        if let Some(signer) = signer {
            signing::put_beside(&self.dir, &signer.sign_head(self.journal.run(), head))?;
        }
        Ok(head)
    }
}

fn take(lock: &Path, run: &RunId, who: &Who) -> Result<FileLock, OpenError> {
    match FileLock::try_take(lock, &who.holder(Some(run), None))? {
        Tried::Held(lock) => Ok(lock),
        Tried::HeldBy(holder) => Err(OpenError::HeldBy { run: run.clone(), holder }),
    }
}

impl Journal for Owned {
    fn run(&self) -> &RunId {
        self.journal.run()
    }

    fn epoch(&self) -> Epoch {
        self.journal.epoch()
    }

    fn head(&self) -> Head {
        self.journal.head()
    }

    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError> {
        self.journal.append_answering(records, accepted)
    }
}
