//! OS locks on files, which end with the process that holds them: who drives a run, and locks across runs.
//!
//! A lock file is never removed (removing one that another process just opened would give two owners); what is written in it
//! is only for messages. Locks are not inherited by child processes that exec.

use crate::chain::Hash;
use crate::error::{LockError, StoreError};
use crate::files;
use crate::run_id::RunId;
use ceptra_flow_core::ids::{Epoch, Name};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Who takes something, for the messages that others get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The person.
    pub user: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
}

/// Who holds a lock, as written in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 when it has not said so yet.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// The person who started it.
    pub user: String,
    /// Since when, UTC.
    pub since: String,
    /// The epoch it drives in; for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The run it drives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return out.write_str("another process");
        }
        write!(out, "process {} of {} on {} (since {})", self.pid, self.user, self.host, self.since)
    }
}

impl Who {
    /// This process on this host, started by `user`.
    #[must_use]
    pub fn here(user: &str) -> Self {
        Self { user: user.into(), host: host_name(), pid: std::process::id() }
    }

    /// As a holder from now on.
    pub(crate) fn holder(&self, run: Option<&RunId>, epoch: Option<Epoch>) -> Holder {
        let now = jiff::Timestamp::now();
        Holder {
            pid: self.pid,
            host: self.host.clone(),
            user: self.user.clone(),
            since: format!("{now:.3}"),
            epoch,
            run: run.map(|run| run.as_str().into()),
        }
    }
}

fn host_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is ours, and its length is given with it.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    if result == 0 && length > 0 { String::from_utf8_lossy(&name[..length]).into_owned() } else { "this host".into() }
}

/// One lock, held until dropped or until the process ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

/// What came of trying a lock.
pub(crate) enum Tried {
    /// It is ours.
    Held(FileLock),
    /// It is another's.
    HeldBy(Box<Holder>),
}

/// How often a lock that only probes held is tried again. A probe holds it for microseconds.
const PROBES_OUTWAITED_MAX: u32 = 200;

impl FileLock {
    /// Tries the lock, without waiting for its holder.
    pub(crate) fn try_take(path: &Path, holder: &Holder) -> Result<Tried, StoreError> {
        let failed = |error| StoreError::io("lock", path, error);
        let file = open_lock_file(path)?;
        for round in 0..PROBES_OUTWAITED_MAX {
            match file.try_lock() {
                Ok(()) => {
                    let mut lock = Self { file, path: path.into() };
                    lock.write(holder)?;
                    return Ok(Tried::Held(lock));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            // Held, or only looked at by a probe (or another taker doing this)? Only a holder denies a shared lock.
            match file.try_lock_shared() {
                Ok(()) => file.unlock().map_err(failed)?,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {
                    return Ok(Tried::HeldBy(Box::new(read_holder(&file))));
                }
            }
            if round > 10 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        Ok(Tried::HeldBy(Box::default()))
    }

    /// Who holds the lock, without keeping it.
    pub(crate) fn probe(path: &Path) -> Result<Option<Holder>, StoreError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read the lock", path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&file))),
            Err(TryLockError::Error(error)) => Err(StoreError::io("read the lock", path, error)),
        }
    }

    /// Says who holds it, for messages. Not durable: after a crash of the host nobody holds it.
    pub(crate) fn write(&mut self, holder: &Holder) -> Result<(), StoreError> {
        let text = serde_json::to_vec(holder).expect("a holder's fields serialise");
        let mut write = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&text)
        };
        write().map_err(|error| StoreError::io("write", &self.path, error))
    }
}

fn open_lock_file(path: &Path) -> Result<File, StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let open = || File::options().read(true).write(true).create(true).truncate(false).mode(files::FILE_MODE).open(path);
    match open() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            files::make_dirs(path.parent().expect("lock files are in a directory"))?;
            open()
        }
        opened => opened,
    }
    .map_err(|error| StoreError::io("lock", path, error))
}

/// What the lock file says; a holder that has not written yet is an unnamed one.
fn read_holder(mut file: &File) -> Holder {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Locks across runs, held until dropped.
#[derive(Debug)]
pub struct NamedLocks {
    #[expect(dead_code, reason = "held for what dropping them does")]
    held: Vec<FileLock>,
}

impl NamedLocks {
    /// Takes the locks in the order given: all of them, or none.
    pub(crate) fn try_take(dir: &Path, names: &[Name], holder: &Holder) -> Result<Self, LockError> {
        let mut held = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                continue;
            }
            match FileLock::try_take(&dir.join(file_name(name)), holder)? {
                Tried::Held(lock) => held.push(lock),
                Tried::HeldBy(holder) => {
                    return Err(LockError::HeldBy { name: name.as_str().into(), holder });
                }
            }
        }
        Ok(Self { held })
    }
}

/// A file name for any lock name, different for different ones.
fn file_name(name: &str) -> PathBuf {
    let plain =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character);
    let readable: String =
        name.chars().take(80).map(|character| if plain(character) { character } else { '_' }).collect();
    if readable == name {
        return PathBuf::from(format!("{readable}.lock"));
    }
    // The dot keeps these apart from the plain ones, the digest from one another.
    PathBuf::from(format!("{readable}.{}.lock", &Hash::of(name.as_bytes()).hex()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(user: &str) -> Holder {
        Who { user: user.into(), host: "h".into(), pid: 7 }.holder(None, None)
    }

    #[test]
    fn a_second_taker_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/x.lock");
        let Tried::Held(first) = FileLock::try_take(&path, &holder("ada")).unwrap() else { panic!("nobody has it") };
        let Tried::HeldBy(other) = FileLock::try_take(&path, &holder("bob")).unwrap() else { panic!("ada has it") };
        assert_eq!((other.user.as_str(), other.pid), ("ada", 7));
        assert_eq!(FileLock::probe(&path).unwrap().unwrap().user, "ada");
        drop(first);
        assert!(FileLock::probe(&path).unwrap().is_none());
        assert!(matches!(FileLock::try_take(&path, &holder("bob")).unwrap(), Tried::Held(_)));
    }

    #[test]
    fn probes_never_make_a_taker_fail() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        drop(FileLock::try_take(&path, &holder("ada")).unwrap());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    FileLock::probe(&path).unwrap();
                }
            });
            for _ in 0..300 {
                assert!(matches!(FileLock::try_take(&path, &holder("ada")).unwrap(), Tried::Held(_)));
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn named_locks_are_taken_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
        let take = |which: &[&str], user: &str| NamedLocks::try_take(dir.path(), &names(which), &holder(user));
        let first = take(&["dns", "traffic", "dns"], "ada").unwrap();
        let refused = take(&["storage", "traffic"], "bob").unwrap_err();
        assert!(
            refused.to_string().starts_with("lock `traffic` is held by process 7 of ada on h (since "),
            "{refused}"
        );
        drop(take(&["storage"], "cyd").unwrap());
        drop(first);
        take(&["storage", "traffic", "dns"], "bob").unwrap();
    }

    #[test]
    fn different_names_have_different_files() {
        let names = ["a", "A", "a/b", "a_b", "a.b", "../a", "", "ä", &"x".repeat(300), &"x".repeat(301)];
        let files: std::collections::BTreeSet<_> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(files.len(), names.len());
        assert!(files.iter().all(|file| file.components().count() == 1 && file.as_os_str().len() < 120));
    }
}
