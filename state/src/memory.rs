//! Journals in memory, for tests and simulations. As strict as the real ones: same numbers, same hashes, same fences.

use crate::chain::Columns;
use crate::error::{AppendError, ReadError, StoreError};
use crate::journal::{Head, Journal, Journals, RequestId};
use crate::run_id::RunId;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Journals that live as long as the value and its clones.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    runs: Arc<Mutex<BTreeMap<RunId, Run>>>,
}

#[derive(Debug, Default)]
struct Run {
    epoch: Epoch,
    head: Head,
    records: Vec<Record>,
    accepted: BTreeSet<RequestId>,
}

/// One owner's view of a journal in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    runs: Arc<Mutex<BTreeMap<RunId, Run>>>,
    run: RunId,
    /// The epoch that this owner raises the journal to with its first append.
    epoch: Epoch,
    raised: bool,
    head: Head,
    poisoned: Option<String>,
}

impl MemoryStore {
    /// Whether a request was accepted.
    #[must_use]
    pub fn has_accepted(&self, run: &RunId, request: &RequestId) -> bool {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(run).is_some_and(|run| run.accepted.contains(request))
    }
}

impl Journals for MemoryStore {
    type Journal = MemoryJournal;

    fn take_over(&self, run: &RunId) -> Result<MemoryJournal, StoreError> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = runs.entry(run.clone()).or_default();
        Ok(MemoryJournal {
            runs: Arc::clone(&self.runs),
            run: run.clone(),
            epoch: Epoch(kept.epoch.0 + 1),
            raised: false,
            head: kept.head,
            poisoned: None,
        })
    }

    fn read(&self, run: &RunId) -> Result<Vec<Record>, ReadError> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(runs.get(run).map(|run| run.records.clone()).unwrap_or_default())
    }
}

impl MemoryJournal {
    fn try_append(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Head, AppendError> {
        let runs = Arc::clone(&self.runs);
        let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = runs.entry(self.run.clone()).or_default();
        let expected = if self.raised { self.epoch } else { Epoch(self.epoch.0 - 1) };
        if kept.epoch != expected {
            return Err(AppendError::Fenced { run: self.run.clone(), held: self.epoch, current: kept.epoch });
        }
        let mut head = kept.head;
        for record in records {
            crate::journal::check_next(&self.run, self.epoch, head, record)?;
            let payload = record.event.payload();
            head = Head {
                seq: record.seq,
                hash: Columns::of(record, &self.run, record.event.subject().as_deref(), &payload).hash(&head.hash),
            };
        }
        kept.epoch = self.epoch;
        kept.head = head;
        kept.records.extend_from_slice(records);
        kept.accepted.extend(accepted.iter().cloned());
        Ok(head)
    }
}

impl Journal for MemoryJournal {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn head(&self) -> Head {
        self.head
    }

    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError> {
        if let Some(first) = &self.poisoned {
            return Err(AppendError::Poisoned { run: self.run.clone(), first: first.clone() });
        }
        match self.try_append(records, accepted) {
            Ok(head) => {
                self.head = head;
                self.raised = true;
                Ok(head.seq)
            }
            Err(error) => {
                self.poisoned = Some(error.to_string());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        crate::conformance::check_all(MemoryStore::default);
    }

    #[test]
    fn remembers_what_was_accepted() {
        let (store, run) = (MemoryStore::default(), RunId::fresh());
        let id = RequestId("r".into());
        let mut journal = store.take_over(&run).unwrap();
        journal.append_answering(&[crate::conformance::note(1, Epoch(1), "a")], std::slice::from_ref(&id)).unwrap();
        assert!(store.has_accepted(&run, &id));
    }
}
