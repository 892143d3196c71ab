//! Reading a run without owning it: while its owner writes, after it died, from a read-only directory, from a copy.
//!
//! Leaves no trace where it can: a journal without a log beside it is read as a still file, with no lock and no index made.
//! A log that cannot be replayed in its place (a read-only directory) is replayed in a private copy. Start at [`Reader::open`].

use crate::blobs::Blobs;
use crate::error::{ReadError, StoreError};
use crate::files::PrivateDir;
use crate::journal::Head;
use crate::run_id::RunId;
use crate::sqlite::schema::{self, Access};
use crate::sqlite::{Cursor, JOURNAL_FILE};
use ceptra_flow_core::ids::Epoch;
use rusqlite::Connection;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use crate::sqlite::Records;

/// A journal open for reading.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    path: PathBuf,
    dir: PathBuf,
    run: RunId,
    cursor: Cursor,
}

impl Reader {
    /// Opens a run directory or a journal file, wherever it is.
    ///
    /// # Errors
    /// When it cannot be read, or is no journal of a version known here.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, None)
    }

    /// Opens a run directory whose events must name `run`.
    pub(crate) fn of_run(dir: &Path, run: &RunId) -> Result<Self, StoreError> {
        Self::over(dir, Some(run))
    }

    fn over(path: &Path, run: Option<&RunId>) -> Result<Self, StoreError> {
        let path = journal_path(path)?;
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let source = Source::open(&path)?;
        let cursor = Cursor::at_start(run.map(RunId::as_str));
        let run = match run {
            Some(run) => run.clone(),
            None => run_of(&source.connection, &path, &dir)?,
        };
        Ok(Self { source, path, dir, run, cursor })
    }

    /// The run: the one that the first event names, or the directory's name when there is no event.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The directory the journal is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The run's blobs.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::of_run(&self.dir)
    }

    /// The records after those already read, each verified: the whole journal at first, what is new at later calls.
    pub fn records(&mut self) -> Records<'_> {
        match self.source.refresh(&self.path) {
            Ok(()) => Records::new(&self.source.connection, &self.path, &mut self.cursor),
            Err(error) => Records::failed(&self.path, &mut self.cursor, ReadError::Store(error)),
        }
    }

    /// Whether the run has come to its end, as its last events have it; `None` when there is no event. The hash chain is not verified
    /// for it: whoever goes on with the run reads it whole.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn is_over(&self) -> Result<Option<bool>, StoreError> {
        let failed = |error| StoreError::sqlite("read", &self.path, error);
        let mut last = self.source.connection.prepare("SELECT kind FROM events ORDER BY seq DESC").map_err(failed)?;
        let mut kinds = last.query([]).map_err(failed)?;
        let mut any = None;
        while let Some(row) = kinds.next().map_err(failed)? {
            match row.get_ref(0).and_then(|kind| Ok(kind.as_str()?)).map_err(failed)? {
                "run_finished" => return Ok(Some(true)),
                // These may follow the end without undoing it.
                "note_added" | "epoch_opened" => any = Some(false),
                _ => return Ok(Some(false)),
            }
        }
        Ok(any)
    }

    /// The last record that was read.
    #[must_use]
    pub fn head(&self) -> Head {
        self.cursor.head
    }

    /// The epoch that holds the run, or held it last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn epoch(&self) -> Result<Epoch, StoreError> {
        let epoch = self.source.connection.query_row("SELECT epoch FROM epoch", [], |row| row.get::<_, i64>(0));
        epoch.map(|epoch| Epoch(epoch as u64)).map_err(|error| StoreError::sqlite("read", &self.path, error))
    }

    /// The connection, for the audit's own queries.
    pub(crate) fn connection(&self) -> &Connection {
        &self.source.connection
    }

    /// The journal's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a run directory's journal holds an event. One that cannot be read counts: somebody must look at it.
pub(crate) fn has_begun(dir: &Path) -> bool {
    let any = || -> Result<bool, StoreError> {
        let path = journal_path(dir)?;
        let source = Source::open(&path)?;
        let found = source.connection.query_row("SELECT EXISTS (SELECT 1 FROM events)", [], |row| row.get(0));
        found.map_err(|error| StoreError::sqlite("read", &path, error))
    };
    match any() {
        Ok(found) => found,
        Err(error) => !is_unborn(&error),
    }
}

/// Whether an error says only that a run was never begun.
pub(crate) fn is_unborn(error: &StoreError) -> bool {
    match error {
        StoreError::NotAJournal { what, .. } => what == schema::UNBORN || what == ABSENT,
        _ => false,
    }
}

const ABSENT: &str = "there is no such file";

/// The journal file that a path names: itself, or the one in the directory.
fn journal_path(path: &Path) -> Result<PathBuf, StoreError> {
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let path = path.join(JOURNAL_FILE);
            fs::metadata(&path).map(|_| path)
        }
        other => other.map(|_| path.to_path_buf()),
    };
    let found = found.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::NotAJournal { path: path.into(), what: ABSENT.into() },
        _ => StoreError::io("read", path, error),
    })?;
    std::path::absolute(&found).map_err(|error| StoreError::io("read", path, error))
}

fn run_of(connection: &Connection, path: &Path, dir: &Path) -> Result<RunId, StoreError> {
    match connection.query_row("SELECT run FROM events WHERE seq = 1", [], |row| row.get::<_, String>(0)) {
        Ok(run) => Ok(RunId::unchecked(&run)),
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Ok(RunId::unchecked(&dir.file_name().unwrap_or_default().to_string_lossy()))
        }
        Err(error) => Err(StoreError::sqlite("read", path, error)),
    }
}

/// A connection, and what it rests on.
#[derive(Debug)]
struct Source {
    connection: Connection,
    /// The database file's size and times, where it is read as a still file.
    still: Option<Seen>,
    /// A copy that is removed afterwards.
    copy: Option<PrivateDir>,
}

type Seen = (u64, u64, i64, i64);

fn seen(metadata: &Metadata) -> Seen {
    (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

impl Source {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(|error| StoreError::io("read", path, error))?;
        if !has_log(path) {
            let connection = schema::open(path, Access::ReadStill)?;
            return Ok(Self { connection, still: Some(seen(&metadata)), copy: None });
        }
        match schema::open(path, Access::Read) {
            Ok(connection) => Ok(Self { connection, still: None, copy: None }),
            // The log's index can be neither found nor made here.
            Err(StoreError::Sqlite { .. } | StoreError::Unwritable { .. } | StoreError::Failing { .. }) => {
                Self::open_copy(path)
            }
            Err(error) => Err(error),
        }
    }

    fn open_copy(path: &Path) -> Result<Self, StoreError> {
        let dir = PrivateDir::make()?;
        let copied = dir.path().join(JOURNAL_FILE);
        for (from, to) in [(path.to_path_buf(), copied.clone()), (log_of(path), log_of(&copied))] {
            fs::copy(&from, &to).map_err(|error| StoreError::io("read", &from, error))?;
        }
        let connection = schema::open(&copied, Access::Read)?;
        let metadata = fs::metadata(path).map_err(|error| StoreError::io("read", path, error))?;
        Ok(Self { connection, still: Some(seen(&metadata)), copy: Some(dir) })
    }

    /// Opens the journal anew where it was read as a still file and is one no longer.
    fn refresh(&mut self, path: &Path) -> Result<(), StoreError> {
        let Some(still) = self.still else {
            return Ok(());
        };
        let moved = self.copy.is_some()
            || has_log(path)
            || fs::metadata(path).map(|metadata| seen(&metadata)).ok() != Some(still);
        if moved {
            *self = Self::open(path)?;
        }
        Ok(())
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = OsString::from(path);
    log.push("-wal");
    PathBuf::from(log)
}

/// Whether there are commits that are not in the database file yet.
fn has_log(path: &Path) -> bool {
    fs::metadata(log_of(path)).is_ok_and(|metadata| metadata.len() > 0)
}
