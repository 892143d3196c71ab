//! Replacing a file so that nobody ever sees half of it, and so that it survives a power loss.
//!
//! Written beside its destination, synced, renamed, and the directory synced. What a crash leaves is one
//! hidden file with a name of its own attempt's making, which the next attempt overwrites.

use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a new file where nothing else is said.
const MODE_DEFAULT: u32 = 0o644;

/// Read and written in pieces of this size: large files need no memory, and a stop is noticed soon.
const PIECE_BYTES: usize = 256 * 1024;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// SHA-256 in 64 lower-case hex digits.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}

/// Copies a stream, giving what went through it. `go_on` is asked between pieces.
pub(super) fn pour(mut from: impl Read, mut to: impl Write, go_on: impl Fn() -> io::Result<()>) -> io::Result<Facts> {
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        go_on()?;
        let count = from.read(&mut piece)?;
        if count == 0 {
            break;
        }
        digest.update(&piece[..count]);
        to.write_all(&piece[..count])?;
        size += count as u64;
    }
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Facts { sha256, size })
}

/// A file being prepared beside the one that it will replace. Removed when dropped before [`Staged::commit`].
pub(super) struct Staged {
    destination: PathBuf,
    staging: PathBuf,
    file: Option<File>,
}

impl Staged {
    /// Begins, for a destination that need not exist. A symbolic link is followed, so that the link stays.
    /// `tag` tells this step's staging file from others'.
    pub(super) fn begin(destination: &Path, tag: &str) -> io::Result<Self> {
        let destination = followed(destination)?;
        let (Some(dir), Some(name)) = (destination.parent(), destination.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "the path names no file"));
        };
        let tag: String = Sha256::digest(tag.as_bytes())[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let staging = dir.join(format!(".{}.{tag}.tmp", name.to_string_lossy()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&staging)?;
        Ok(Self { destination, staging, file: Some(file) })
    }

    /// Where the content goes.
    pub(super) fn writer(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is closed"))
    }

    /// Makes it the destination. Without a mode, the one of the file it replaces is kept.
    pub(super) fn commit(mut self, mode: Option<u32>) -> io::Result<()> {
        let mode = match (mode, fs::metadata(&self.destination)) {
            (Some(mode), _) => mode,
            (None, Ok(replaced)) => replaced.permissions().mode() & 0o7777,
            (None, Err(_)) => MODE_DEFAULT,
        };
        let file = self.file.take().ok_or_else(|| io::Error::other("the file is closed"))?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&self.staging, &self.destination)?;
        sync_parent(&self.destination)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a commit nothing has this name any more.
        let _ = fs::remove_file(&self.staging);
    }
}

/// Makes what happened to a path's name durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

fn followed(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::canonicalize(path),
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(_) | Err(_) => Ok(path.to_owned()),
    }
}
