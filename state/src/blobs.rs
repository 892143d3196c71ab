//! Documents too long for the journal, stored once under their digest beside it.

use crate::chain::Hash;
use crate::error::StoreError;
use crate::files;
use ceptra_flow_core::ids::Name;
use ceptra_flow_core::json::BlobRef;
use std::fs;
use std::path::{Path, PathBuf};

/// A run's blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    dir: PathBuf,
}

impl Blobs {
    pub(crate) fn of_run(run_dir: &Path) -> Self {
        Self { dir: run_dir.join("blobs") }
    }

    /// Makes the bytes durable. Bytes that are there already are not written again.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef { sha256: Name::from(Hash::of(bytes).hex()), size: bytes.len() as u64 };
        // Somebody may have cut what is there; then it is put right.
        if self.get(&blob).is_err() {
            files::make_dirs(&self.dir)?;
            files::write_whole(&self.path(&blob), bytes)?;
        }
        Ok(blob)
    }

    /// The bytes, if they are still what was put.
    ///
    /// # Errors
    /// When they are gone, changed or cannot be read.
    pub fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, StoreError> {
        let path = self.path(blob);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::BlobChanged { path: path.clone(), what: "it is gone".into() },
            _ => StoreError::io("read", &path, error),
        })?;
        if bytes.len() as u64 != blob.size {
            let what = format!("{} bytes instead of {}", bytes.len(), blob.size);
            return Err(StoreError::BlobChanged { path, what });
        }
        if Hash::of(&bytes).hex() != blob.sha256.as_str() {
            return Err(StoreError::BlobChanged { path, what: "its SHA-256 differs".into() });
        }
        Ok(bytes)
    }

    /// Where a blob is. A reference that is no digest (from a journal somebody altered) names a file that is not there.
    fn path(&self, blob: &BlobRef) -> PathBuf {
        match Hash::from_hex(&blob.sha256) {
            Some(hash) => self.dir.join(hash.hex()),
            None => self.dir.join("not-a-digest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_put_is_got_and_what_was_changed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::of_run(dir.path());
        let blob = blobs.put(b"a long document").unwrap();
        assert_eq!(blobs.put(b"a long document").unwrap(), blob);
        assert_eq!(blobs.get(&blob).unwrap(), b"a long document");
        let files: Vec<_> = fs::read_dir(dir.path().join("blobs")).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1, "no temporary file is left");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(files[0].path(), b"a l0ng document").unwrap();
        assert!(blobs.get(&blob).unwrap_err().to_string().contains("its SHA-256 differs"));
        fs::write(files[0].path(), b"a long").unwrap();
        assert!(blobs.get(&blob).unwrap_err().to_string().contains("6 bytes instead of 15"));
        fs::remove_file(files[0].path()).unwrap();
        assert!(blobs.get(&blob).unwrap_err().to_string().contains("it is gone"));
        blobs.put(b"a long document").unwrap();
        assert_eq!(blobs.get(&blob).unwrap(), b"a long document");
    }

    #[test]
    fn a_reference_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), b"x").unwrap();
        let blob = BlobRef { sha256: Name::from("../secret"), size: 1 };
        assert!(Blobs::of_run(dir.path()).get(&blob).is_err());
    }
}
