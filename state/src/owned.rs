//! A run that this process drives.

use crate::*;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::path::{Path, PathBuf};

/// A run that this process drives, until dropped or closed. Nothing is written before the first append, which also
/// makes the next epoch the journal's (compare and set, in the same transaction).
pub struct Owned {}

impl Owned {
    /// The run's directory.
    pub fn dir(&self) -> &Path { todo!() }
    /// `logs/` in it.
    pub fn logs_dir(&self) -> PathBuf { todo!() }
    /// `processes/` in it.
    pub fn processes_dir(&self) -> PathBuf { todo!() }
    /// Its blobs.
    pub fn blobs(&self) -> Blobs { todo!() }
    /// Every record, verified as it is read; from the start at every call.
    pub fn records(&mut self) -> Records<'_> { todo!() }
    /// What others ask of this run.
    pub fn inbox(&self) -> Result<Inbox, StoreError> { todo!() }
    /// Ends the tenure in good order: notes the head in the journal (so that a cut tail shows in the audit) and, with a
    /// signer, a signature of it beside the journal.
    pub fn close(self, signer: Option<&Signer>) -> Result<Head, AppendError> { todo!() }
}

impl Journal for Owned {
    fn run(&self) -> &RunId { todo!() }
    fn epoch(&self) -> Epoch { todo!() }
    fn head(&self) -> Head { todo!() }
    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError> { todo!() }
}
