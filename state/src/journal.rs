//! The seam: what every journal does, whatever keeps it.
//!
//! An append is one transaction, gapless, and conditional on the epoch that its owner holds. After the first append
//! that failed, a journal takes no more from that owner: nobody knows what is on the disk then, and small writes may
//! succeed again on a full one. There is no update and no delete. Both sides (SQLite, memory) pass [`crate::conformance`].

use crate::chain::Hash;
use crate::error::{AppendError, ReadError, StoreError};
use crate::run_id::RunId;
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Epoch, Seq};

/// Where a journal is: its last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 for an empty journal.
    pub seq: Seq,
    /// Its hash; zeros for an empty journal.
    pub hash: Hash,
}

/// What makes a request of the inbox unique, so that it takes effect once: a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub String);

/// One run's journal, held in one epoch.
pub trait Journal: Send {
    /// The run.
    fn run(&self) -> &RunId;

    /// The epoch that records of this owner carry. The first append makes it the journal's, in its transaction.
    fn epoch(&self) -> Epoch;

    /// The last durable event.
    fn head(&self) -> Head;

    /// Makes `records` durable, all or none. Their numbers go on from the head; their epoch is [`epoch`](Self::epoch).
    ///
    /// # Errors
    /// See [`AppendError`]; none of the records is there then, as far as anybody knows, and every later append fails.
    fn append(&mut self, records: &[Record]) -> Result<Seq, AppendError> {
        self.append_answering(records, &[])
    }

    /// As [`append`](Self::append), and remembers in the same transaction that these requests of the inbox were
    /// accepted, so that a crash before their answer is written does not make them take effect twice.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn append_answering(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Seq, AppendError>;
}

/// What keeps journals: what the conformance suite is run against.
pub trait Journals {
    /// The journals it keeps.
    type Journal: Journal;

    /// Takes a run over: the next epoch, from the first append on. Makes the journal where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made.
    fn take_over(&self, run: &RunId) -> Result<Self::Journal, StoreError>;

    /// Everything durable, verified.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    fn read(&self, run: &RunId) -> Result<Vec<Record>, ReadError>;
}

/// Whether `record` may follow `head` in `epoch`.
pub(crate) fn check_next(run: &RunId, epoch: Epoch, head: Head, record: &Record) -> Result<(), AppendError> {
    if record.seq.0 != head.seq.0 + 1 {
        return Err(AppendError::Gap { run: run.clone(), head, found: record.seq });
    }
    if record.epoch != epoch {
        return Err(AppendError::WrongEpoch { run: run.clone(), held: epoch, found: record.epoch });
    }
    Ok(())
}
