//! Reading a run without owning it.

use crate::*;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::Epoch;
use std::path::Path;

/// A journal open for reading, while its owner may be writing.
pub struct Reader {}

impl Reader {
    /// Opens a run directory or a journal file, wherever it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> { todo!() }
    /// The run (of the journal's records; the directory's name when it has none).
    pub fn run(&self) -> &RunId { todo!() }
    /// The run's directory.
    pub fn dir(&self) -> &Path { todo!() }
    /// Its blobs.
    pub fn blobs(&self) -> Blobs { todo!() }
    /// The records after those already read, verified as they are read: the whole journal the first time, what is new after that.
    pub fn records(&mut self) -> Records<'_> { todo!() }
    /// The last record read.
    pub fn head(&self) -> Head { todo!() }
    /// The epoch that holds the run, or held it last.
    pub fn epoch(&self) -> Result<Epoch, StoreError> { todo!() }
}

/// Iterates over verified records; ends after the first error.
pub struct Records<'a> { _a: &'a () }

impl Iterator for Records<'_> {
    type Item = Result<Record, ReadError>;
    fn next(&mut self) -> Option<Self::Item> { todo!() }
}
