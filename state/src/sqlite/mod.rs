//! The journal in SQLite: one file per run, one durable transaction per append.
//!
//! Takes no lock of its own that outlives a call: that one process writes is [`crate::Owned`]'s business; that no former one
//! still does is checked here, in every transaction. Start at [`SqliteJournal`].

mod long;
mod rows;
pub(crate) mod schema;

pub use rows::Records;
pub(crate) use rows::{Cursor, RawRow};
pub use schema::{APPLICATION_ID, FORMAT_VERSION, JOURNAL_FILE};

use crate::chain::{Columns, Hash};
use crate::error::{AppendError, StoreError};
use crate::journal::{Head, Journal, RequestId, check_next};
use crate::run_id::RunId;
use ceptra_flow_core::event::{Event, Record};
use ceptra_flow_core::ids::{Epoch, Seq};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use schema::Access;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A journal in a file. Takes no OS lock: see [`crate::Owned`].
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Connection,
    path: PathBuf,
    run: RunId,
    /// The epoch that the first append takes the journal to.
    epoch: Epoch,
    /// Whether that append was.
    raised: bool,
    head: Head,
    /// The head that the `epoch` table notes, so that an audit misses a cut tail.
    noted: Seq,
    cursor: Cursor,
    poisoned: Option<String>,
}

impl SqliteJournal {
    /// Makes `journal.db` in `dir`.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub fn create(dir: &Path, run: &RunId) -> Result<Self, StoreError> {
        let path = dir.join(JOURNAL_FILE);
        let connection = schema::create(&path)?;
        Self::over(connection, path, run)
    }

    /// Opens `journal.db` in `dir` for the epoch after its last. Writes nothing.
    ///
    /// # Errors
    /// When it is no journal of a known version, or does not keep a setting that durability rests on.
    pub fn open(dir: &Path, run: &RunId) -> Result<Self, StoreError> {
        let path = dir.join(JOURNAL_FILE);
        let connection = schema::open(&path, Access::Write)?;
        Self::over(connection, path, run)
    }

    fn over(connection: Connection, path: PathBuf, run: &RunId) -> Result<Self, StoreError> {
        let (epoch, noted, head) = standing(&connection).map_err(|error| StoreError::sqlite("read", &path, error))?;
        let cursor = Cursor::at_start(Some(run.as_str()));
        Ok(Self {
            connection,
            path,
            run: run.clone(),
            epoch: Epoch(epoch.0 + 1),
            raised: false,
            head,
            noted,
            cursor,
            poisoned: None,
        })
    }

    /// Every record, verified as it is read; from the start at every call.
    pub fn records(&mut self) -> Records<'_> {
        self.cursor = Cursor::at_start(Some(self.run.as_str()));
        Records::new(&self.connection, &self.path, &mut self.cursor)
    }

    /// Requests of the inbox that are in the journal.
    pub(crate) fn accepted(&self) -> Result<BTreeSet<RequestId>, StoreError> {
        let query = || -> rusqlite::Result<_> {
            let mut statement = self.connection.prepare("SELECT request FROM accepted")?;
            let rows = statement.query_map([], |row| row.get(0).map(RequestId))?;
            rows.collect()
        };
        query().map_err(|error| StoreError::sqlite("read", &self.path, error))
    }

    /// Notes the head in the journal. Costs a commit, unless it is noted already.
    pub(crate) fn note_head(&mut self) -> Result<(), AppendError> {
        if self.noted == self.head.seq || !self.raised || self.poisoned.is_some() {
            return Ok(());
        }
        let (run, held, head) = (self.run.clone(), self.epoch, self.head);
        let path = self.path.clone();
        let failed = |error| StoreError::sqlite("write", &path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        take_epoch(&transaction, held, held, head).map_err(failed)?.map_err(|current| AppendError::Fenced {
            run,
            held,
            current,
        })?;
        transaction.commit().map_err(failed)?;
        self.noted = head.seq;
        Ok(())
    }

    fn try_append(&mut self, records: &[Record], accepted: &[RequestId]) -> Result<Head, AppendError> {
        let Self { connection, path, run, epoch, raised, head, noted, .. } = self;
        let failed = |error| StoreError::sqlite("write", path, error);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let fenced = |current| AppendError::Fenced { run: run.clone(), held: *epoch, current };
        if *raised {
            check_epoch(&transaction, *epoch).map_err(failed)?.map_err(fenced)?;
        } else {
            let former = Epoch(epoch.0 - 1);
            take_epoch(&transaction, former, *epoch, *head).map_err(failed)?.map_err(fenced)?;
            // The former owner may have written between our opening and this; then we decided on too little.
            let (_, _, now) = standing(&transaction).map_err(failed)?;
            if now != *head {
                return Err(AppendError::Gap { run: run.clone(), head: now, found: Seq(head.seq.0 + 1) });
            }
        }
        let mut last = *head;
        for record in records {
            check_next(run, *epoch, last, record)?;
            last = insert(&transaction, run, last, record).map_err(failed)?;
        }
        for request in accepted {
            let mut statement = transaction.prepare_cached("INSERT INTO accepted VALUES (?1, ?2)").map_err(failed)?;
            statement.execute(params![request.0, last.seq.0 as i64]).map_err(failed)?;
        }
        let ends =
            records.iter().any(|record| matches!(record.event, Event::RunFinished(_) | Event::RunInterrupted(_)));
        if ends {
            take_epoch(&transaction, *epoch, *epoch, last).map_err(failed)?.map_err(fenced)?;
        }
        transaction.commit().map_err(failed)?;
        if ends {
            *noted = last.seq;
        }
        Ok(last)
    }
}

impl Journal for SqliteJournal {
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
        if records.is_empty() && accepted.is_empty() {
            return Ok(self.head.seq);
        }
        #[cfg(feature = "crash-points")]
        crate::crash::before_append();
        match self.try_append(records, accepted) {
            Ok(head) => {
                #[cfg(feature = "crash-points")]
                crate::crash::after_append();
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

/// The epoch in the journal, the noted head's number, and the last event.
fn standing(connection: &Connection) -> rusqlite::Result<(Epoch, Seq, Head)> {
    let (epoch, noted) = connection.query_row("SELECT epoch, noted_seq FROM epoch", [], |row| {
        Ok((Epoch(row.get::<_, i64>(0)? as u64), Seq(row.get::<_, i64>(1)? as u64)))
    })?;
    let head = connection
        .query_row("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok(Head { seq: Seq(row.get::<_, i64>(0)? as u64), hash: Hash(row.get(1)?) })
        })
        .optional()?;
    Ok((epoch, noted, head.unwrap_or_default()))
}

/// Whether the journal is in `held`; the epoch it is in when not.
fn check_epoch(transaction: &Transaction<'_>, held: Epoch) -> rusqlite::Result<Result<(), Epoch>> {
    let current =
        Epoch(transaction.prepare_cached("SELECT epoch FROM epoch")?.query_row([], |row| row.get::<_, i64>(0))? as u64);
    Ok(if current == held { Ok(()) } else { Err(current) })
}

/// Compare and set: from the epoch `from` to `to`, noting the head.
fn take_epoch(
    transaction: &Transaction<'_>,
    from: Epoch,
    to: Epoch,
    head: Head,
) -> rusqlite::Result<Result<(), Epoch>> {
    let mut statement =
        transaction.prepare_cached("UPDATE epoch SET epoch = ?1, noted_seq = ?2, noted_hash = ?3 WHERE epoch = ?4")?;
    match statement.execute(params![to.0 as i64, head.seq.0 as i64, head.hash.0, from.0 as i64])? {
        0 => check_epoch(transaction, from),
        _ => Ok(Ok(())),
    }
}

/// Puts one record after `head`.
fn insert(transaction: &Transaction<'_>, run: &RunId, head: Head, record: &Record) -> rusqlite::Result<Head> {
    let payload = record.event.payload();
    let step = record.event.subject();
    let columns = Columns::of(record, run, step.as_deref(), &payload);
    let hash = columns.hash(&head.hash);
    if payload.len() >= long::LONG_BYTES_MIN {
        long::insert(transaction, &columns, &head.hash, &hash)?;
        return Ok(Head { seq: record.seq, hash });
    }
    transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(params![
        columns.seq as i64,
        columns.run,
        columns.step,
        columns.kind,
        columns.payload,
        columns.at as i64,
        columns.epoch as i64,
        head.hash.0,
        hash.0,
    ])?;
    Ok(Head { seq: record.seq, hash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, note};
    use crate::error::ReadError;
    use crate::journal::Journals;

    struct Files(tempfile::TempDir);

    impl Journals for Files {
        type Journal = SqliteJournal;

        fn take_over(&self, run: &RunId) -> Result<SqliteJournal, StoreError> {
            let dir = self.0.path().join(run.as_str());
            if dir.exists() {
                return SqliteJournal::open(&dir, run);
            }
            std::fs::create_dir(&dir).unwrap();
            SqliteJournal::create(&dir, run)
        }

        fn read(&self, run: &RunId) -> Result<Vec<Record>, ReadError> {
            crate::Reader::open(&self.0.path().join(run.as_str()))?.records().collect()
        }
    }

    #[test]
    fn conforms() {
        conformance::check_all(|| Files(tempfile::tempdir().unwrap()));
    }

    #[test]
    fn a_full_disk_poisons_and_keeps_what_was_recorded() {
        let (dir, run) = (tempfile::tempdir().unwrap(), RunId::fresh());
        let mut journal = SqliteJournal::create(dir.path(), &run).unwrap();
        let limit = |journal: &SqliteJournal, pages: i64| {
            journal.connection.pragma_update(None, "max_page_count", pages).or(Ok::<_, ()>(()))
        };
        limit(&journal, 20).unwrap();
        let mut kept = 0;
        let error = loop {
            match journal.append(&[note(kept + 1, Epoch(1), &"x".repeat(3000))]) {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Store(StoreError::Full { .. })), "{error:?}");
        assert!(error.to_string().contains("no space is left"));
        // There is space again, but this owner no longer knows what is on the disk.
        limit(&journal, 1000).unwrap();
        let refused = journal.append(&[note(kept + 1, Epoch(1), "x")]).unwrap_err();
        assert!(matches!(refused, AppendError::Poisoned { .. }), "{refused:?}");
        assert_eq!(journal.records().filter(Result::is_ok).count() as u64, kept);
        drop(journal);
        let mut next = SqliteJournal::open(dir.path(), &run).unwrap();
        assert_eq!(next.append(&[note(kept + 1, Epoch(2), "x")]).unwrap(), Seq(kept + 1));
    }

    #[test]
    fn a_long_payload_is_kept_whole_and_refused_like_any_other() {
        let (dir, run) = (tempfile::tempdir().unwrap(), RunId::fresh());
        let mut journal = SqliteJournal::create(dir.path(), &run).unwrap();
        let long = note(1, Epoch(1), &"\u{e4}bc ".repeat(1 << 19));
        assert!(long.event.payload().len() > 2 * long::LONG_BYTES_MIN);
        journal.append(&[long.clone(), note(2, Epoch(1), "b")]).unwrap();
        assert_eq!(journal.records().next().unwrap().unwrap(), long);
        assert_eq!(journal.records().filter(Result::is_ok).count(), 2);
        journal.connection.pragma_update(None, "max_page_count", 1000).unwrap_or(());
        let error = journal.append(&[Record { seq: Seq(3), ..long }]).unwrap_err();
        assert!(matches!(error, AppendError::Store(StoreError::Full { .. })), "{error:?}");
        assert_eq!(journal.records().filter(Result::is_ok).count(), 2);
    }

    #[test]
    fn a_second_create_is_refused() {
        let (dir, run) = (tempfile::tempdir().unwrap(), RunId::fresh());
        drop(SqliteJournal::create(dir.path(), &run).unwrap());
        assert!(SqliteJournal::create(dir.path(), &run).is_err());
    }
}
