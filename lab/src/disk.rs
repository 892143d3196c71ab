//! Files that survive a kill: replaced whole, or grown by whole lines.
//!
//! Start at [`write_atomic`] and [`Lines`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::LabError;

/// Replaces a file's content in one step: a reader, also one after a kill, sees the old or the new.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], sync: bool) -> Result<(), LabError> {
    let replace = || -> io::Result<()> {
        let part = beside(path);
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_data()?;
        }
        fs::rename(&part, path)
    };
    replace().map_err(|source| LabError::file(path, source))
}

/// A name in the same folder that no other writer uses.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// Writes a value as 2-space JSON, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize, sync: bool) -> Result<(), LabError> {
    let mut text = serde_json::to_string_pretty(value).expect("the lab's own records are plain data");
    text.push('\n');
    write_atomic(path, text.as_bytes(), sync)
}

/// Reads a JSON file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let bytes = fs::read(path).map_err(|source| LabError::file(path, source))?;
    serde_json::from_slice(&bytes).map_err(|source| LabError::Content { path: path.to_owned(), source })
}

/// Reads a JSON file that may not be there.
pub(crate) fn read_json_if_any<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LabError> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

/// Makes a folder and those above it.
pub(crate) fn make_dir(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(|source| LabError::file(path, source))
}

/// Appends to a file that is opened for this alone: a lab of many replicas would run out of handles.
pub(crate) fn append(path: &Path, bytes: &[u8], sync: bool) -> Result<(), LabError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(bytes)?;
        if sync { file.sync_data() } else { Ok(()) }
    };
    write().map_err(|source| LabError::file(path, source))
}

/// A file of JSON lines that only grows.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
    sync: bool,
}

impl Lines {
    /// Opens the file for appending, after cutting a last line that a kill left unfinished.
    pub(crate) fn open(path: &Path, sync: bool) -> Result<Self, LabError> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let bytes = fs::read(path)?;
            if bytes.last().is_some_and(|last| *last != b'\n') {
                let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                file.set_len(whole as u64)?;
            }
            Ok(file)
        };
        let file = open().map_err(|source| LabError::file(path, source))?;
        Ok(Self { path: path.to_owned(), file, sync })
    }

    /// Appends records, one line each, in one write.
    pub(crate) fn append<T: Serialize>(&mut self, records: &[T]) -> Result<(), LabError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for record in records {
            text.extend(serde_json::to_vec(record).expect("the lab's own records are plain data"));
            text.push(b'\n');
        }
        let written = self.file.write_all(&text).and_then(|()| if self.sync { self.file.sync_data() } else { Ok(()) });
        written.map_err(|source| LabError::file(&self.path, source))
    }
}

/// Reads a file of JSON lines; an unfinished last line counts as not written.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, LabError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LabError::file(path, source)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let parse =
        |line| serde_json::from_slice(line).map_err(|source| LabError::Content { path: path.to_owned(), source });
    lines.map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_cut_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        fs::write(&path, "1\n2\n3").unwrap();
        assert_eq!(read_lines::<u64>(&path).unwrap(), [1, 2]);
        Lines::open(&path, false).unwrap().append(&[4]).unwrap();
        assert_eq!(read_lines::<u64>(&path).unwrap(), [1, 2, 4]);
    }
}
