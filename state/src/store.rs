//! The store: a directory with a directory per run, and locks.
//!
//! Opening it makes nothing; directories appear when a run does. Start at [`Store::create_run`].

use crate::error::{LockError, OpenError, StoreError};
use crate::files;
use crate::inbox::{self, Reply};
use crate::journal::RequestId;
use crate::lock::{FileLock, Holder, NamedLocks, Who};
use crate::owned::Owned;
use crate::reader::{self, Reader};
use crate::run_id::{Found, RunId};
use crate::signing::Signer;
use crate::sqlite::JOURNAL_FILE;
use ceptra_flow_core::ids::Name;
use ceptra_flow_core::input::Request;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The state directory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// `$XDG_STATE_HOME/ceptra-flow`, or `~/.local/state/ceptra-flow`.
    ///
    /// # Errors
    /// When the environment names neither.
    pub fn default_dir() -> Result<PathBuf, StoreError> {
        default_dir(|name| env::var_os(name).map(PathBuf::from))
    }

    /// The store in this directory, which need not exist yet.
    ///
    /// # Errors
    /// When something else is there, or it cannot be looked at.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let root = std::path::absolute(&root).map_err(|error| StoreError::io("read", &root, error))?;
        match fs::metadata(&root) {
            Ok(metadata) if !metadata.is_dir() => Err(StoreError::NotADirectory { path: root }),
            Ok(_) => Ok(Self { root }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { root }),
            Err(error) => Err(StoreError::io("read", &root, error)),
        }
    }

    /// Whether a run could be started: makes the directories, and writes and removes a small file.
    ///
    /// # Errors
    /// When it could not.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        files::make_dirs(&self.root.join("runs"))?;
        files::make_dirs(&self.locks_dir())?;
        let probe = self.root.join("runs").join(format!(".probe-{}", std::process::id()));
        files::write_whole(&probe, b"a run could be started")?;
        fs::remove_file(&probe).map_err(|error| StoreError::io("remove", &probe, error))
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A run's directory, whether it exists or not.
    #[must_use]
    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        self.root.join("runs").join(run.as_str())
    }

    /// Where the labs of runs are.
    #[must_use]
    pub fn labs_dir(&self) -> PathBuf {
        self.root.join("labs")
    }

    /// Makes a run and takes it, in epoch 1. It is listed from its first append on.
    ///
    /// # Errors
    /// When the store cannot be written, or the run exists.
    pub fn create_run(&self, run: &RunId, who: &Who) -> Result<Owned, OpenError> {
        Owned::create(self.run_dir(run), &self.lock_path(run), run, who)
    }

    /// Takes a run, in the epoch after its last. Works at once when its former owner died.
    ///
    /// # Errors
    /// When another process has it, or its journal cannot be opened.
    pub fn open_run(&self, run: &RunId, who: &Who) -> Result<Owned, OpenError> {
        let dir = self.existing(run)?;
        Owned::open(dir, &self.lock_path(run), run, who)
    }

    /// Opens a run for reading, whoever drives it.
    ///
    /// # Errors
    /// When there is none, or its journal cannot be read.
    pub fn read_run(&self, run: &RunId) -> Result<Reader, StoreError> {
        Reader::of_run(&self.existing(run)?, run)
    }

    /// Every run that has a record, newest first. One whose journal cannot be read is among them.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> {
        let mut named = self.named("")?;
        named.retain(|run| reader::has_begun(&self.run_dir(run)));
        Ok(named)
    }

    /// The run that an id, or the beginning of one, names. An empty text names all.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn find(&self, prefix: &str) -> Result<Found, StoreError> {
        let mut named = self.named(&prefix.to_ascii_lowercase())?;
        named.retain(|run| reader::has_begun(&self.run_dir(run)));
        Ok(match named.len() {
            0 => Found::Nothing,
            1 => Found::One(named.remove(0)),
            _ => Found::Ambiguous(named),
        })
    }

    /// The newest run that is not over, or the newest where all are, with a reader of it. Reads no more of each journal than its last
    /// events.
    ///
    /// # Errors
    /// When the directory, or a journal newer than the one that is found, cannot be read.
    pub fn newest_open(&self) -> Result<Option<(RunId, Reader)>, StoreError> {
        let mut newest = None;
        for run in self.named("")? {
            let reader = match Reader::of_run(&self.run_dir(&run), &run) {
                Ok(reader) => reader,
                Err(error) if reader::is_unborn(&error) => continue,
                Err(error) => return Err(error),
            };
            match reader.is_over()? {
                None => {}
                Some(false) => return Ok(Some((run, reader))),
                Some(true) => {
                    newest.get_or_insert((run, reader));
                }
            }
        }
        Ok(newest)
    }

    /// The newest run that has a record.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn newest(&self) -> Result<Option<RunId>, StoreError> {
        Ok(self.named("")?.into_iter().find(|run| reader::has_begun(&self.run_dir(run))))
    }

    /// Who drives a run now.
    ///
    /// # Errors
    /// When its lock cannot be looked at.
    pub fn is_held(&self, run: &RunId) -> Result<Option<Holder>, StoreError> {
        FileLock::probe(&self.lock_path(run))
    }

    /// Asks something of a run, whoever drives it now or next. Durable when this returns.
    ///
    /// # Errors
    /// When there is no such run, or its directory cannot be written.
    pub fn post(&self, run: &RunId, request: &Request) -> Result<RequestId, StoreError> {
        inbox::post(&self.existing(run)?, request)
    }

    /// The owner's reply to a request, once there is one.
    ///
    /// # Errors
    /// When there is no such run, or its inbox cannot be read.
    pub fn reply(&self, run: &RunId, request: &RequestId) -> Result<Option<Reply>, StoreError> {
        inbox::reply_to(&self.existing(run)?, request)
    }

    /// Takes these locks in the order given: all of them, or none. `run` and `who` are for the messages that others get.
    ///
    /// # Errors
    /// When another process (or another part of this one) has one of them.
    pub fn lock_named(&self, names: &[Name], run: &RunId, who: &Who) -> Result<NamedLocks, LockError> {
        NamedLocks::try_take(&self.locks_dir().join("named"), names, &who.holder(Some(run), None))
    }

    /// The store's signing key, made when first needed.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn signer(&self) -> Result<Signer, StoreError> {
        Signer::in_store(&self.root)
    }

    fn locks_dir(&self) -> PathBuf {
        self.root.join("locks")
    }

    fn lock_path(&self, run: &RunId) -> PathBuf {
        self.locks_dir().join(format!("{run}.lock"))
    }

    /// The directory of a run that has a journal.
    fn existing(&self, run: &RunId) -> Result<PathBuf, StoreError> {
        let dir = self.run_dir(run);
        match fs::metadata(dir.join(JOURNAL_FILE)) {
            Ok(_) => Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::NoSuchRun { run: run.clone(), root: self.root.clone() })
            }
            Err(error) => Err(StoreError::io("read", &dir, error)),
        }
    }

    /// Run directories whose names begin like this, newest first.
    fn named(&self, prefix: &str) -> Result<Vec<RunId>, StoreError> {
        let runs = self.root.join("runs");
        let entries = match fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &runs, error)),
        };
        let mut named = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::io("read", &runs, error))?;
            let name = entry.file_name();
            // Anything else in there is not a run, whatever it is.
            if let Some(run) = name.to_str().and_then(|name| RunId::parse(name).ok().filter(|run| run.as_str() == name))
                && run.as_str().starts_with(prefix)
            {
                named.push(run);
            }
        }
        named.sort_unstable_by(|one, other| other.cmp(one));
        Ok(named)
    }
}

fn default_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, StoreError> {
    // A relative XDG path is to be ignored, says its specification.
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".local/state"));
    state.or_else(home).map(|dir| dir.join("ceptra-flow")).ok_or(StoreError::NoDefaultDirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_directory_is_the_platforms() {
        let dir = |xdg: &'static str, home: &'static str| {
            let variable = move |name: &str| {
                Some(PathBuf::from(if name == "HOME" { home } else { xdg })).filter(|path| !path.as_os_str().is_empty())
            };
            default_dir(variable)
        };
        assert_eq!(dir("/x", "/h").unwrap(), Path::new("/x/ceptra-flow"));
        assert_eq!(dir("", "/h").unwrap(), Path::new("/h/.local/state/ceptra-flow"));
        assert_eq!(dir("relative", "/h").unwrap(), Path::new("/h/.local/state/ceptra-flow"));
        assert!(dir("", "").unwrap_err().to_string().contains("--state"));
    }
}
