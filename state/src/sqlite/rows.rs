//! Rows of `events`, raw and as verified records.

use crate::chain::{Columns, Hash};
use crate::error::{ReadError, StoreError};
use crate::journal::Head;
use ceptra_flow_core::event::{Event, Record};
use ceptra_flow_core::ids::{Epoch, Seq, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::collections::VecDeque;
use std::path::Path;

/// Rows fetched at a time: enough to make the statement's start cheap, few enough to keep no more than a page of them in memory.
const ROWS_FETCHED: i64 = 256;

/// The next events, with the columns that [`RawRow::of`] expects, in its order.
const SELECT: &str =
    "SELECT seq, run, step, kind, payload, at, epoch, prev_hash, hash FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// Where a reader is.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) head: Head,
    pub(crate) epoch: Epoch,
    /// The run that every event must name; of the first event when not given.
    pub(crate) run: Option<String>,
}

impl Cursor {
    pub(crate) fn at_start(run: Option<&str>) -> Self {
        Self { head: Head::default(), epoch: Epoch(0), run: run.map(String::from) }
    }

    /// The row as a record, if it is the one that follows.
    fn accept(&mut self, row: &RawRow<'_>) -> Result<Record, ReadError> {
        let seq = Seq(row.columns.seq);
        let named = self.run.get_or_insert_with(|| row.columns.run.into());
        let broken = |what: String| ReadError::Broken { run: named.clone(), seq, what };
        if row.columns.seq != self.head.seq.0 + 1 {
            return Err(broken(format!("it follows event {}, those between are missing", self.head.seq.0)));
        }
        if row.columns.run != named {
            return Err(broken(format!("it is of run `{}`", row.columns.run)));
        }
        if row.prev_hash != self.head.hash {
            return Err(broken("it does not follow from the event before it".into()));
        }
        if row.columns.hash(&row.prev_hash) != row.hash {
            return Err(broken("its content is not what its hash covers".into()));
        }
        if row.columns.epoch < self.epoch.0 {
            return Err(broken(format!(
                "its epoch {} is before epoch {} of the event before it",
                row.columns.epoch, self.epoch.0
            )));
        }
        let event = Event::decode(row.columns.kind, row.columns.payload).map_err(|source| ReadError::Undecodable {
            run: named.clone(),
            seq,
            source,
        })?;
        self.head = Head { seq, hash: row.hash };
        self.epoch = Epoch(row.columns.epoch);
        Ok(Record { seq, at: Timestamp(row.columns.at), epoch: self.epoch, event })
    }
}

/// A row as it is stored.
pub(crate) struct RawRow<'a> {
    pub(crate) columns: Columns<'a>,
    pub(crate) prev_hash: Hash,
    pub(crate) hash: Hash,
}

impl<'a> RawRow<'a> {
    /// The row's columns, or what is wrong with them.
    pub(crate) fn of(row: &'a Row<'_>) -> Result<Self, String> {
        let text = |at: usize| match row.get_ref(at) {
            Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).map_err(|_| "a text in it is no UTF-8".to_string()),
            _ => Err("a text in it is something else".into()),
        };
        let number = |at: usize| match row.get_ref(at) {
            Ok(ValueRef::Integer(number)) => u64::try_from(number).map_err(|_| "a number in it is below 0".to_string()),
            _ => Err("a number in it is something else".to_string()),
        };
        let hash = |at: usize| match row.get_ref(at) {
            Ok(ValueRef::Blob(bytes)) => {
                Hash::from_slice(bytes).ok_or_else(|| "a hash in it has not 32 bytes".to_string())
            }
            _ => Err("a hash in it is something else".into()),
        };
        let step = match row.get_ref(2) {
            Ok(ValueRef::Null) => None,
            _ => Some(text(2)?),
        };
        let columns = Columns {
            seq: number(0)?,
            run: text(1)?,
            step,
            kind: text(3)?,
            payload: text(4)?,
            at: number(5)?,
            epoch: number(6)?,
        };
        Ok(Self { columns, prev_hash: hash(7)?, hash: hash(8)? })
    }
}

/// Iterates over records, each verified against the one before it; ends after the first error.
pub struct Records<'a> {
    connection: Option<&'a Connection>,
    path: &'a Path,
    cursor: &'a mut Cursor,
    fetched: VecDeque<Record>,
    /// What comes after the fetched ones.
    failed: Option<ReadError>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(connection: &'a Connection, path: &'a Path, cursor: &'a mut Cursor) -> Self {
        Self { connection: Some(connection), path, cursor, fetched: VecDeque::new(), failed: None }
    }

    /// Records that end at once with this error.
    pub(crate) fn failed(path: &'a Path, cursor: &'a mut Cursor, error: ReadError) -> Self {
        Self { connection: None, path, cursor, fetched: VecDeque::new(), failed: Some(error) }
    }

    /// Fetches the next rows; says whether there may be more after them.
    fn fetch(&mut self, connection: &Connection) -> Result<bool, ReadError> {
        let failed = |error| StoreError::sqlite("read", self.path, error);
        let mut statement = connection.prepare_cached(SELECT).map_err(failed)?;
        let mut rows = statement.query([self.cursor.head.seq.0 as i64, ROWS_FETCHED]).map_err(failed)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            let raw = RawRow::of(row).map_err(|what| ReadError::Broken {
                run: self.cursor.run.clone().unwrap_or_default(),
                seq: Seq(self.cursor.head.seq.0 + 1),
                what,
            })?;
            self.fetched.push_back(self.cursor.accept(&raw)?);
            count += 1;
        }
        Ok(count == ROWS_FETCHED)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fetched.is_empty()
            && let Some(connection) = self.connection
        {
            match self.fetch(connection) {
                Ok(true) => {}
                Ok(false) => self.connection = None,
                Err(error) => {
                    self.connection = None;
                    self.failed = Some(error);
                }
            }
        }
        match self.fetched.pop_front() {
            Some(record) => Some(Ok(record)),
            None => self.failed.take().map(Err),
        }
    }
}
