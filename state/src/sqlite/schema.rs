//! The database file: its tables, its settings, and how it is opened so that neither is taken on trust.

use crate::error::StoreError;
use crate::files;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's name in a run's directory.
pub const JOURNAL_FILE: &str = "journal.db";

/// `cfjl`, in the header of every journal.
pub const APPLICATION_ID: i64 = 0x6366_6a6c;

/// The format written here, and the latest one read.
pub const FORMAT_VERSION: i64 = 1;

/// Bytes of a page. The chain of hashes makes an event 300 to 500 bytes long, so that a commit mostly changes one page.
const PAGE_BYTES: i64 = 4096;

/// Pages in the log before SQLite moves them into the database. Each move costs three fsyncs, so 15 in a run of 1,000 commits; but
/// after a kill the log is read again to its end before anything else, and a short one takes well under a millisecond.
const CHECKPOINT_PAGES: i64 = 250;

/// Nothing is read twice, so a small cache does; it also bounds what a 20 MB plan keeps in memory while it is written.
const CACHE_KIB: i64 = 2048;

/// How long to wait for a reader that recovers the log after a crash, or for an owner that was just fenced.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Tables and triggers, as they stand in `sqlite_schema`. The triggers are a second line: this program keeps to them anyway, and an
/// audit compares them, because someone who edits a journal drops them first.
pub(crate) const SCHEMA: &[&str] = &[
    "CREATE TABLE events (\
     seq INTEGER PRIMARY KEY, run TEXT NOT NULL, step TEXT, kind TEXT NOT NULL, payload TEXT NOT NULL, at INTEGER NOT NULL, \
     epoch INTEGER NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL) STRICT",
    "CREATE TABLE epoch (\
     one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, noted_seq INTEGER NOT NULL, noted_hash BLOB NOT NULL) STRICT",
    "CREATE TABLE accepted (request TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are not changed'); END",
    "CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are not removed'); END",
    "CREATE TRIGGER events_have_no_gaps BEFORE INSERT ON events \
     WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events) OR NEW.epoch <> (SELECT epoch FROM epoch) \
     BEGIN SELECT RAISE(ABORT, 'events have no gaps and one owner'); END",
    "CREATE TRIGGER epochs_only_rise BEFORE UPDATE ON epoch \
     WHEN NEW.epoch < OLD.epoch OR NEW.noted_seq < OLD.noted_seq BEGIN SELECT RAISE(ABORT, 'epochs only rise'); END",
    "CREATE TRIGGER epochs_are_not_removed BEFORE DELETE ON epoch BEGIN SELECT RAISE(ABORT, 'epochs are not removed'); END",
];

/// What a statement of a schema makes, for people: ``trigger `x` ``.
pub(crate) fn name_of(statement: &str) -> String {
    let mut words = statement.split_whitespace().skip(1);
    let (sort, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{} `{}`", sort.to_ascii_lowercase(), name.trim_end_matches('('))
}

/// How a journal is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// By its owner.
    Write,
    /// Beside its owner.
    Read,
    /// As a file that nobody changes: neither locks nor a log are looked at, and nothing is made beside it.
    ReadStill,
}

/// Makes the file with its tables, in epoch 0: whoever appends first takes it to epoch 1.
pub(crate) fn create(path: &Path) -> Result<Connection, StoreError> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(files::FILE_MODE)
        .open(path)
        .map_err(|error| StoreError::io("make", path, error))?;
    let failed = |error| StoreError::sqlite("make", path, error);
    let mut connection = connect(path, Access::Write)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    settle(&connection, path, Access::Write)?;
    let transaction = connection.transaction().map_err(failed)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", FORMAT_VERSION).map_err(failed)?;
    for statement in SCHEMA {
        transaction.execute(statement, []).map_err(failed)?;
    }
    transaction.execute("INSERT INTO epoch VALUES (1, 0, 0, zeroblob(32))", []).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    check_identity(&connection, path)?;
    Ok(connection)
}

/// Opens a file that is there, and refuses it unless it is a journal of a version known here with every setting in place.
/// Writes nothing.
pub(crate) fn open(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let connection = connect(path, access)?;
    // Identity first: the settings of a foreign file are not ours to touch.
    check_identity(&connection, path)?;
    settle(&connection, path, access)?;
    Ok(connection)
}

fn connect(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::sqlite(if access == Access::Write { "open" } else { "read" }, path, error);
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read | Access::ReadStill => OpenFlags::SQLITE_OPEN_READ_ONLY,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, access), flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

/// The file as a URI, because only a URI can say `immutable`.
fn uri(path: &Path, access: Access) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    if access == Access::ReadStill {
        uri.push_str("?immutable=1");
    }
    PathBuf::from(uri)
}

/// A journal that was made but holds no tables yet: its process died in between, and its run never began.
pub(crate) const UNBORN: &str = "it is empty, its run never began";

fn check_identity(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let application = number(connection, path, "application_id")?;
    let version = number(connection, path, "user_version")?;
    if application == 0 && version == 0 && number(connection, path, "schema_version")? == 0 {
        return Err(StoreError::NotAJournal { path: path.into(), what: UNBORN.into() });
    }
    if application != APPLICATION_ID {
        return Err(StoreError::NotAJournal { path: path.into(), what: "another program made this database".into() });
    }
    if version > FORMAT_VERSION {
        return Err(StoreError::NewerFormat { path: path.into(), found: version, known: FORMAT_VERSION });
    }
    if version != FORMAT_VERSION {
        return Err(StoreError::NotAJournal {
            path: path.into(),
            what: format!("no format has the version {version}"),
        });
    }
    Ok(())
}

/// Gives the connection its settings, and reads every one back.
fn settle(connection: &Connection, path: &Path, access: Access) -> Result<(), StoreError> {
    let mut settings: Vec<(&'static str, i64)> =
        vec![("trusted_schema", 0), ("cell_size_check", 1), ("mmap_size", 0), ("cache_size", -CACHE_KIB)];
    if access == Access::Write {
        // Switching to WAL writes only where the file is not in WAL already, that is, where it is new.
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
            .map_err(|error| StoreError::sqlite("open", path, error))?;
        if mode != "wal" {
            return Err(StoreError::Setting {
                path: path.into(),
                pragma: "journal_mode",
                wanted: "wal".into(),
                found: mode,
            });
        }
        settings.extend([
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("fullfsync", 1),
            ("checkpoint_fullfsync", 1),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
        ]);
    }
    for (pragma, wanted) in &settings {
        // Some of them answer with the new value, some with nothing; neither is taken as proof.
        connection
            .pragma_update(None, pragma, wanted)
            .or_else(|error| if matches!(error, rusqlite::Error::ExecuteReturnedResults) { Ok(()) } else { Err(error) })
            .map_err(|error| StoreError::sqlite("open", path, error))?;
    }
    check_settings(connection, path, &settings)
}

/// Whether the connection has these settings.
fn check_settings(connection: &Connection, path: &Path, settings: &[(&'static str, i64)]) -> Result<(), StoreError> {
    for (pragma, wanted) in settings {
        let found = number(connection, path, pragma)?;
        if found != *wanted {
            return Err(StoreError::Setting {
                path: path.into(),
                pragma,
                wanted: wanted.to_string(),
                found: found.to_string(),
            });
        }
    }
    Ok(())
}

fn number(connection: &Connection, path: &Path, pragma: &str) -> Result<i64, StoreError> {
    match connection.pragma_query_value(None, pragma, |row| row.get(0)) {
        // An in-memory or immutable file has no such setting and answers with no row.
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(0),
        other => other.map_err(|error| StoreError::sqlite("read", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_hold_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(JOURNAL_FILE);
        let connection = create(&path).unwrap();
        check_settings(&connection, &path, &[("synchronous", 2)]).unwrap();
        connection.pragma_update(None, "synchronous", 1).unwrap();
        let error = check_settings(&connection, &path, &[("synchronous", 2)]).unwrap_err();
        assert!(error.to_string().contains("does not keep `synchronous` at 2 (it says 1)"), "{error}");
    }

    #[test]
    fn a_path_may_hold_anything() {
        let dir = tempfile::tempdir().unwrap();
        let strange = dir.path().join("a?b#c%41 d\u{e4}&immutable=0");
        std::fs::create_dir(&strange).unwrap();
        drop(create(&strange.join(JOURNAL_FILE)).unwrap());
        drop(open(&strange.join(JOURNAL_FILE), Access::ReadStill).unwrap());
        assert_eq!(std::fs::read_dir(&strange).unwrap().count(), 1, "closing leaves the database alone");
    }

    #[test]
    fn the_triggers_keep_events_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join(JOURNAL_FILE)).unwrap();
        let insert = |seq: i64, epoch: i64| {
            let sql =
                format!("INSERT OR REPLACE INTO events VALUES ({seq}, 'r', NULL, 'k', '{{}}', 0, {epoch}, x'', x'')");
            connection.execute(&sql, [])
        };
        insert(1, 0).unwrap();
        insert(2, 0).unwrap();
        for refused in [insert(2, 0), insert(4, 0), insert(3, 1)] {
            assert!(refused.unwrap_err().to_string().contains("events have no gaps"));
        }
        assert!(connection.execute("UPDATE events SET at = 1 WHERE seq = 1", []).is_err());
        assert!(connection.execute("DELETE FROM events WHERE seq = 2", []).is_err());
        connection.execute("UPDATE epoch SET epoch = 2", []).unwrap();
        assert!(connection.execute("UPDATE epoch SET epoch = 1", []).is_err());
        assert!(connection.execute("DELETE FROM epoch", []).is_err());
    }
}
