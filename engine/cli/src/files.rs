//! Reading the files that a person names, and writing the ones they ask for.

use crate::exit::{CommandError, Exit};
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::Path;

/// A file larger than any that is accepted is not read to its end: it may have none.
const BYTES_MAX: u64 = (64 << 20) + 1;

/// A file's bytes; at most one more than the largest file that is accepted.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(BYTES_MAX).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|error| cannot("read", path, &error))
}

/// A file system's refusal, for a file that the person named.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> CommandError {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "check the spelling; relative names begin in this directory",
        io::ErrorKind::PermissionDenied => "you lack the permission",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "name another file",
    };
    CommandError::Plain {
        exit: Exit::BadInput,
        message: format!("cannot {what} `{}`: {}", path.display(), plain(error)),
        help: help.into(),
    }
}

/// What the system said, without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// A path as short as it can be said here.
pub(crate) fn shown(path: &Path, here: &Path) -> String {
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Writes a file that the person asked for; what is there is replaced as a whole.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    write_with(path, |out| out.write_all(text.as_bytes()))
}

/// The same for what is written piece by piece.
pub(crate) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CommandError> {
    replace_with(path, write).map_err(|error| cannot("write", path, &error))
}

/// Puts a file in its place: complete, or not at all.
pub(crate) fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if !path.is_file() && path.exists() {
        // A pipe or a device takes bytes and nothing else.
        let mut out = BufWriter::new(File::options().write(true).open(path)?);
        write(&mut out)?;
        return out.flush();
    }
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&temporary, path));
    if placed.is_err() {
        // A leftover would only take space.
        let _ = std::fs::remove_file(&temporary);
    }
    placed
}
