//! Documents too long for the journal, stored under their digest.

use crate::error::StoreError;
use ceptra_flow_core::json::BlobRef;
use std::path::PathBuf;

/// A run's blobs.
#[derive(Clone, Debug)]
pub struct Blobs { dir: PathBuf }

impl Blobs {
    /// Makes the bytes durable, once.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> { todo!() }
    /// The bytes, if they are still what was put.
    pub fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, StoreError> { todo!() }
}
