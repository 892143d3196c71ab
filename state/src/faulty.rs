//! A journal that fails when told to, for simulations.

use crate::error::{AppendError, StoreError};
use crate::journal::{Head, Journal, RequestId};
use crate::run_id::RunId;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::io;
use std::path::PathBuf;

/// How an append goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, and the caller is told so.
    Refused,
    /// No space is left: nothing is written.
    Full,
    /// Everything is durable, but the caller is told that it failed (a lost reply, a failed fsync after the write).
    Torn,
}

/// A journal whose `n`-th append (from 1) goes wrong, and every one after it.
#[derive(Debug)]
pub struct Faulty<J> {
    inner: J,
    at: u64,
    fault: Fault,
    appends: u64,
    poisoned: Option<String>,
}

impl<J: Journal> Faulty<J> {
    /// Wraps a journal; with `at` 0 nothing ever fails.
    pub fn new(inner: J, at: u64, fault: Fault) -> Self {
        Self { inner, at, fault, appends: 0, poisoned: None }
    }

    /// How many appends there were, the failed one included.
    pub fn appends(&self) -> u64 {
        self.appends
    }

    /// The journal within.
    pub fn into_inner(self) -> J {
        self.inner
    }

    fn fail(&mut self) -> StoreError {
        let path = PathBuf::from("journal.db");
        let error = match self.fault {
            Fault::Full => StoreError::io("write", &path, io::Error::from(io::ErrorKind::StorageFull)),
            Fault::Refused | Fault::Torn => StoreError::io("write", &path, io::Error::other("the test asked for it")),
        };
        self.poisoned = Some(error.to_string());
        error
    }
}

impl<J: Journal> Journal for Faulty<J> {
    fn run(&self) -> &RunId {
        self.inner.run()
    }

    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn head(&self) -> Head {
        self.inner.head()
    }

    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError> {
        if let Some(first) = &self.poisoned {
            return Err(AppendError::Poisoned { run: self.run().clone(), first: first.clone() });
        }
        self.appends += 1;
        if self.appends != self.at {
            return self.inner.append_answering(records, accepted);
        }
        if self.fault == Fault::Torn {
            self.inner.append_answering(records, accepted)?;
        }
        Err(self.fail().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::note;
    use crate::journal::Journals as _;
    use crate::memory::MemoryStore;

    #[test]
    fn the_chosen_append_fails_and_all_after_it() {
        for (fault, durable) in [(Fault::Refused, 1), (Fault::Full, 1), (Fault::Torn, 2)] {
            let (store, run) = (MemoryStore::default(), RunId::fresh());
            let mut journal = Faulty::new(store.take_over(&run).unwrap(), 2, fault);
            journal.append(&[note(1, Epoch(1), "a")]).unwrap();
            let error = journal.append(&[note(2, Epoch(1), "b")]).unwrap_err();
            assert_eq!(matches!(error, AppendError::Store(StoreError::Full { .. })), fault == Fault::Full);
            assert!(matches!(journal.append(&[note(2, Epoch(1), "b")]), Err(AppendError::Poisoned { .. })));
            assert_eq!(store.read(&run).unwrap().len(), durable);
        }
    }
}
