//! What others ask of a run that somebody drives: a small database of its own in the run's directory.
//!
//! A request takes effect once: the journal remembers the accepted ones in the transaction of their records
//! ([`crate::Journal::append_answering`]), so an owner that died before it could reply does not carry them out again after it
//! resumes. The file is apart from the journal so that posters never hold up the owner's commits, and it does not
//! exist until the first post.

use crate::error::StoreError;
use crate::files;
use crate::journal::RequestId;
use ceptra_flow_core::ids::Timestamp;
use ceptra_flow_core::input::Request;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INBOX_FILE: &str = "inbox.db";
/// `cfib`.
const APPLICATION_ID: i64 = 0x6366_6962;
const FORMAT_VERSION: i64 = 1;

const SCHEMA: &str = "CREATE TABLE requests (\
    id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, body TEXT NOT NULL, \
    reply TEXT CHECK (reply IN ('accepted', 'refused')), why TEXT) STRICT";

/// A request that waits for the owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its id.
    pub id: RequestId,
    /// When it was posted, by the poster's clock.
    pub at: Timestamp,
    /// What is asked, by whom.
    pub request: Request,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is in the journal.
    Accepted,
    /// It is not, for this reason.
    Refused(String),
}

/// The owner's side of a run's inbox.
#[derive(Debug)]
pub struct Inbox {
    path: PathBuf,
    connection: Option<Connection>,
    /// SQLite's count of what others changed; the inbox is read again only when it moved.
    version: Option<i64>,
    /// The last row handed out.
    last: i64,
    accepted: BTreeSet<RequestId>,
}

impl Inbox {
    pub(crate) fn of_run(dir: &Path, accepted: BTreeSet<RequestId>) -> Self {
        Self { path: dir.join(INBOX_FILE), connection: None, version: None, last: 0, accepted }
    }

    /// Requests posted since the last call; at the first call, all that have no reply. Costs microseconds when there are none.
    ///
    /// # Errors
    /// When the inbox cannot be read. The journal is not concerned.
    pub fn poll(&mut self) -> Result<Vec<Posted>, StoreError> {
        if self.connection.is_none() {
            if !fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > 0) {
                return Ok(Vec::new());
            }
            self.connection = Some(open(&self.path)?);
        }
        let connection = self.connection.as_ref().expect("it was opened above, where it was not open");
        let failed = |error| StoreError::sqlite("read", &self.path, error);
        let version: i64 = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(failed)?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        let waiting = waiting(connection, self.last).map_err(failed)?;
        self.version = Some(version);
        let mut posted = Vec::new();
        for (row, id, at, body) in waiting {
            self.last = row;
            if self.accepted.contains(&id) {
                // It is in the journal; only the reply was lost when its owner died.
                self.reply(&id, &Reply::Accepted)?;
                continue;
            }
            match serde_json::from_str(&body) {
                Ok(request) => posted.push(Posted { id, at, request }),
                Err(error) => {
                    self.reply(&id, &Reply::Refused(format!("this version does not understand it: {error}")))?
                }
            }
        }
        Ok(posted)
    }

    /// Tells the poster. An acceptance comes after [`crate::Journal::append_answering`] with the same id.
    ///
    /// # Errors
    /// When the inbox cannot be written. The journal is not concerned.
    pub fn reply(&mut self, id: &RequestId, reply: &Reply) -> Result<(), StoreError> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let (reply, why) = match reply {
            Reply::Accepted => ("accepted", None),
            Reply::Refused(why) => ("refused", Some(why)),
        };
        connection
            .prepare_cached("UPDATE requests SET reply = ?1, why = ?2 WHERE request = ?3 AND reply IS NULL")
            .and_then(|mut statement| statement.execute(params![reply, why, id.0]))
            .map_err(|error| StoreError::sqlite("write", &self.path, error))?;
        Ok(())
    }
}

/// Unanswered rows after `last`: row, id, time, body.
fn waiting(connection: &Connection, last: i64) -> rusqlite::Result<Vec<(i64, RequestId, Timestamp, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT id, request, at, body FROM requests WHERE id > ?1 AND reply IS NULL ORDER BY id")?;
    let rows = statement.query_map([last], |row| {
        Ok((row.get(0)?, RequestId(row.get(1)?), Timestamp(row.get::<_, i64>(2)? as u64), row.get(3)?))
    })?;
    rows.collect()
}

/// Puts a request into a run's inbox, durable.
pub(crate) fn post(dir: &Path, request: &Request) -> Result<RequestId, StoreError> {
    let path = dir.join(INBOX_FILE);
    let failed = |error| StoreError::sqlite("write", &path, error);
    let mut connection = open_or_make(&path)?;
    let id = RequestId(uuid::Uuid::now_v7().to_string());
    let body = serde_json::to_string(request).expect("a request's fields serialise");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let now = jiff::Timestamp::now().as_millisecond();
    transaction
        .execute("INSERT INTO requests (request, at, body) VALUES (?1, ?2, ?3)", params![id.0, now, body])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(id)
}

/// The reply to a request, once there is one.
pub(crate) fn reply_to(dir: &Path, id: &RequestId) -> Result<Option<Reply>, StoreError> {
    let path = dir.join(INBOX_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let connection = open(&path)?;
    let reply = connection
        .query_row("SELECT reply, why FROM requests WHERE request = ?1", [&id.0], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?))
        })
        .optional()
        .map_err(|error| StoreError::sqlite("read", &path, error))?;
    Ok(match reply {
        Some((Some(reply), _)) if reply == "accepted" => Some(Reply::Accepted),
        Some((Some(_), why)) => Some(Reply::Refused(why.unwrap_or_default())),
        _ => None,
    })
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::sqlite("open", path, error);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", 0).map_err(failed)?;
    connection.pragma_update(None, "synchronous", 2).map_err(failed)?;
    Ok(connection)
}

fn version_of(connection: &Connection, path: &Path) -> Result<(i64, i64), StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let both = number("application_id").and_then(|application| Ok((application, number("user_version")?)));
    both.map_err(|error| StoreError::sqlite("read", path, error))
}

/// Opens an inbox that has its table.
fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    match version_of(&connection, path)? {
        (APPLICATION_ID, FORMAT_VERSION) => Ok(connection),
        (APPLICATION_ID, found) if found > FORMAT_VERSION => {
            Err(StoreError::NewerFormat { path: path.into(), found, known: FORMAT_VERSION })
        }
        _ => Err(StoreError::NotAJournal { path: path.into(), what: "it is not an inbox".into() }),
    }
}

fn open_or_make(path: &Path) -> Result<Connection, StoreError> {
    match File::options().write(true).create_new(true).mode(files::FILE_MODE).open(path) {
        Ok(_) => files::sync_dir(path.parent().expect("an inbox is in a run's directory"))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io("make", path, error)),
    }
    let mut connection = connect(path)?;
    if version_of(&connection, path)? == (0, 0) {
        let failed = |error| StoreError::sqlite("make", path, error);
        // Two posters may be here at once; the second finds the table made.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if version_of(&transaction, path)? == (0, 0) {
            transaction.execute(SCHEMA, []).map_err(failed)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
            transaction.pragma_update(None, "user_version", FORMAT_VERSION).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
    }
    drop(connection);
    open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceptra_flow_core::ids::Name;
    use ceptra_flow_core::input::{Actor, Operation};

    fn note(text: &str) -> Request {
        let by = Actor { name: "ada".into(), via: Name::from("command"), host: None };
        Request { by, reason: None, what: Operation::Note { text: text.into() } }
    }

    fn texts(posted: &[Posted]) -> Vec<&str> {
        posted
            .iter()
            .map(|posted| match &posted.request.what {
                Operation::Note { text } => text.as_str(),
                _ => "something else",
            })
            .collect()
    }

    #[test]
    fn the_owner_gets_each_request_once_and_the_poster_its_reply() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = Inbox::of_run(dir.path(), BTreeSet::new());
        assert!(inbox.poll().unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "polling makes nothing");

        let one = post(dir.path(), &note("one")).unwrap();
        let two = post(dir.path(), &note("two")).unwrap();
        assert_eq!(texts(&inbox.poll().unwrap()), ["one", "two"]);
        assert!(inbox.poll().unwrap().is_empty());
        assert_eq!(reply_to(dir.path(), &one).unwrap(), None);
        inbox.reply(&one, &Reply::Accepted).unwrap();
        inbox.reply(&two, &Reply::Refused("too late".into())).unwrap();
        assert_eq!(reply_to(dir.path(), &one).unwrap(), Some(Reply::Accepted));
        assert_eq!(reply_to(dir.path(), &two).unwrap(), Some(Reply::Refused("too late".into())));

        post(dir.path(), &note("three")).unwrap();
        assert_eq!(texts(&inbox.poll().unwrap()), ["three"]);
        // An owner that comes next gets what has no reply.
        assert_eq!(texts(&Inbox::of_run(dir.path(), BTreeSet::new()).poll().unwrap()), ["three"]);
    }

    #[test]
    fn what_the_journal_accepted_is_not_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let one = post(dir.path(), &note("one")).unwrap();
        let mut next = Inbox::of_run(dir.path(), BTreeSet::from([one.clone()]));
        assert!(next.poll().unwrap().is_empty());
        assert_eq!(reply_to(dir.path(), &one).unwrap(), Some(Reply::Accepted));
    }

    #[test]
    fn a_request_nobody_understands_is_refused_and_does_not_come_again() {
        let dir = tempfile::tempdir().unwrap();
        let id = post(dir.path(), &note("one")).unwrap();
        open(&dir.path().join(INBOX_FILE)).unwrap().execute("UPDATE requests SET body = '{}'", []).unwrap();
        let mut inbox = Inbox::of_run(dir.path(), BTreeSet::new());
        assert!(inbox.poll().unwrap().is_empty());
        assert!(matches!(reply_to(dir.path(), &id).unwrap(), Some(Reply::Refused(_))));
    }

    #[test]
    fn posters_at_once_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for poster in 0..4 {
                let dir = dir.path();
                scope.spawn(move || (0..3).for_each(|_| drop(post(dir, &note(&poster.to_string())).unwrap())));
            }
        });
        assert_eq!(Inbox::of_run(dir.path(), BTreeSet::new()).poll().unwrap().len(), 12);
    }

    #[test]
    fn a_damaged_inbox_is_an_error_and_not_a_loop() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(INBOX_FILE), [7; 5000]).unwrap();
        assert!(Inbox::of_run(dir.path(), BTreeSet::new()).poll().is_err());
        assert!(post(dir.path(), &note("one")).is_err());
    }
}
