//! Inserting an event whose payload is long: the first one of a run holds its plan, 20 MB for 100,000 steps.
//!
//! The safe interface copies every text that it binds. Here SQLite is lent the payload for the length of one call, which
//! takes one copy off the peak of a run's memory. Everything else goes the safe way.

use crate::chain::{Columns, Hash};
use rusqlite::{Connection, ffi};
use std::ffi::CStr;
use std::os::raw::c_int;

/// From this many bytes on a copy is worth avoiding.
pub(super) const LONG_BYTES_MIN: usize = 1 << 20;

const INSERT: &CStr = c"INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Inserts one row, in the transaction that the connection is in.
pub(super) fn insert(connection: &Connection, columns: &Columns<'_>, prev: &Hash, hash: &Hash) -> rusqlite::Result<()> {
    let mut statement = Lent::prepare(connection)?;
    statement.number(1, columns.seq)?;
    statement.text(2, Some(columns.run))?;
    statement.text(3, columns.step)?;
    statement.text(4, Some(columns.kind))?;
    statement.text(5, Some(columns.payload))?;
    statement.number(6, columns.at)?;
    statement.number(7, columns.epoch)?;
    statement.hash(8, prev)?;
    statement.hash(9, hash)?;
    statement.run()
}

/// A statement whose parameters are lent for as long as it lives.
struct Lent<'a> {
    connection: &'a Connection,
    statement: *mut ffi::sqlite3_stmt,
}

impl<'a> Lent<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        let mut statement = std::ptr::null_mut();
        // SAFETY: the connection is open for as long as `self` lives, and the text ends with a zero.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(connection.handle(), INSERT.as_ptr(), -1, &raw mut statement, std::ptr::null_mut())
        };
        let lent = Self { connection, statement };
        lent.check(code)?;
        Ok(lent)
    }

    fn number(&mut self, place: c_int, number: u64) -> rusqlite::Result<()> {
        // SAFETY: the statement is prepared and not finalised before `self` is dropped.
        self.check(unsafe { ffi::sqlite3_bind_int64(self.statement, place, number as i64) })
    }

    fn text(&mut self, place: c_int, text: Option<&'a str>) -> rusqlite::Result<()> {
        let Some(text) = text else {
            // SAFETY: as in `number`.
            return self.check(unsafe { ffi::sqlite3_bind_null(self.statement, place) });
        };
        // SAFETY: the text lives as long as `'a`, so longer than the statement, and nobody can change it meanwhile.
        self.check(unsafe {
            ffi::sqlite3_bind_text64(
                self.statement,
                place,
                text.as_ptr().cast(),
                text.len() as u64,
                ffi::SQLITE_STATIC(),
                ffi::SQLITE_UTF8 as u8,
            )
        })
    }

    fn hash(&mut self, place: c_int, hash: &'a Hash) -> rusqlite::Result<()> {
        // SAFETY: as in `text`.
        self.check(unsafe {
            ffi::sqlite3_bind_blob64(
                self.statement,
                place,
                hash.0.as_ptr().cast(),
                hash.0.len() as u64,
                ffi::SQLITE_STATIC(),
            )
        })
    }

    fn run(self) -> rusqlite::Result<()> {
        // SAFETY: as in `number`.
        match unsafe { ffi::sqlite3_step(self.statement) } {
            ffi::SQLITE_DONE => Ok(()),
            code => self.check(code),
        }
    }

    fn check(&self, code: c_int) -> rusqlite::Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: the connection is open, and the message is copied before anything else is asked of it.
        let (extended, message) = unsafe {
            let handle = self.connection.handle();
            (
                ffi::sqlite3_extended_errcode(handle),
                CStr::from_ptr(ffi::sqlite3_errmsg(handle)).to_string_lossy().into_owned(),
            )
        };
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(extended), Some(message)))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // SAFETY: it was prepared (or is null, which is allowed) and is finalised only here.
        unsafe { ffi::sqlite3_finalize(self.statement) };
    }
}
