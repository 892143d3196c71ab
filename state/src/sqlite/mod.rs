//! The journal in SQLite.

use crate::*;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::path::Path;

/// A journal in a file. Takes no OS lock: that is [`Owned`]'s.
pub struct SqliteJournal {}

impl SqliteJournal {
    /// Makes `journal.db` in `dir`.
    pub fn create(dir: &Path, run: &RunId) -> Result<Self, StoreError> { todo!() }
    /// Opens `journal.db` in `dir` for the epoch after its last. Writes nothing.
    pub fn open(dir: &Path, run: &RunId) -> Result<Self, StoreError> { todo!() }
    /// Every record, verified as it is read.
    pub fn records(&mut self) -> Records<'_> { todo!() }
}

impl Journal for SqliteJournal {
    fn run(&self) -> &RunId { todo!() }
    fn epoch(&self) -> Epoch { todo!() }
    fn head(&self) -> Head { todo!() }
    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError> { todo!() }
}
