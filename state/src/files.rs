//! Files and directories that only their owner can read, durable when the function returns where it says so.

use crate::error::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Only the owner reads and writes.
pub(crate) const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// Makes a directory and what is missing above it, each durable. Costs one fsync per directory made, none otherwise.
pub(crate) fn make_dirs(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_dirs(parent)?;
    }
    match DirBuilder::new().mode(DIR_MODE).create(path) {
        Ok(()) => sync_dir(parent.unwrap_or(Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(StoreError::NotADirectory { path: path.into() })
        }
        Err(error) => Err(StoreError::io("make the directory", path, error)),
    }
}

/// Makes one directory, which must not be there yet; its entry is durable only after [`sync_dir`] of its parent.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().mode(DIR_MODE).create(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::RunExists { path: path.into() },
        _ => StoreError::io("make the directory", path, error),
    })
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| StoreError::io("make durable the directory", path, error))
}

/// Puts a whole file in its place, durable: it is there complete or not at all. An existing one is replaced.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let dir = path.parent().expect("files of the store are in its directories");
    let temporary = temporary_beside(path);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // A leftover would only take space; its name says that it is one.
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io("write", path, error));
    }
    sync_dir(dir)
}

/// Puts a whole file in its place, durable, unless one is there already; says whether it did.
pub(crate) fn write_unless_there(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let temporary = temporary_beside(path);
    let linked = write_new(&temporary, bytes).and_then(|()| fs::hard_link(&temporary, path));
    // The name that is wanted is there, or nothing is; this one is in the way in both cases.
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_dir(path.parent().expect("files of the store are in its directories")).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("write", path, error)),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().expect("files of the store have names").to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// A directory for one reader's copies, removed with it.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
}

impl PrivateDir {
    pub(crate) fn make() -> Result<Self, StoreError> {
        let path = std::env::temp_dir().join(format!("ceptra-flow-{}", uuid::Uuid::now_v7()));
        DirBuilder::new()
            .mode(DIR_MODE)
            .create(&path)
            .map_err(|error| StoreError::io("make the directory", &path, error))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // What is left over is a copy, in a directory that the system clears.
        let _ = fs::remove_dir_all(&self.path);
    }
}
