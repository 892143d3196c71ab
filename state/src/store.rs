//! The store: a directory with a directory per run.

use crate::*;
use ceptra_flow_core::ids::Name;
use ceptra_flow_core::input::Request;
use std::path::{Path, PathBuf};

/// The state directory. Opening it makes nothing; directories appear when a run does.
#[derive(Clone, Debug)]
pub struct Store { root: PathBuf }

impl Store {
    /// `$XDG_STATE_HOME/ceptra-flow`, or `~/.local/state/ceptra-flow`.
    pub fn default_dir() -> Result<PathBuf, StoreError> { todo!() }
    /// The store in this directory, which need not exist yet.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> { todo!() }
    /// Makes what is missing and writes and removes a small file: whether a run could be started.
    pub fn check_writable(&self) -> Result<(), StoreError> { todo!() }
    /// The directory.
    pub fn root(&self) -> &Path { todo!() }
    /// A run's directory, whether it exists or not.
    pub fn run_dir(&self, run: &RunId) -> PathBuf { todo!() }
    /// `labs/` in it.
    pub fn labs_dir(&self) -> PathBuf { todo!() }
    /// Makes a run and takes it, in epoch 1. It is listed only after its first append.
    pub fn create_run(&self, run: &RunId, who: &Who) -> Result<Owned, OpenError> { todo!() }
    /// Takes a run, in the epoch after its last. Works at once when its former owner died.
    pub fn open_run(&self, run: &RunId, who: &Who) -> Result<Owned, OpenError> { todo!() }
    /// Opens a run for reading.
    pub fn read_run(&self, run: &RunId) -> Result<Reader, StoreError> { todo!() }
    /// Every run that has a record, newest first.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> { todo!() }
    /// The run that an id or a prefix of one names.
    pub fn find(&self, prefix: &str) -> Result<Found, StoreError> { todo!() }
    /// Who drives a run now.
    pub fn is_held(&self, run: &RunId) -> Result<Option<Holder>, StoreError> { todo!() }
    /// Asks something of a run, whoever drives it now or next.
    pub fn post(&self, run: &RunId, request: &Request) -> Result<RequestId, StoreError> { todo!() }
    /// The owner's reply to a request, if there is one yet.
    pub fn reply(&self, run: &RunId, request: &RequestId) -> Result<Option<Reply>, StoreError> { todo!() }
    /// Takes these locks in the order given: all, or none and who has the first that is taken. `owner` is for the messages.
    pub fn lock_named(&self, names: &[Name], run: &RunId, who: &Who) -> Result<NamedLocks, LockError> { todo!() }
    /// The store's signing key, made when first needed.
    pub fn signer(&self) -> Result<Signer, StoreError> { todo!() }
}
