//! Snapshots that a node takes of a partition: a manifest and one chunk.
//!
//! The chunk is the partition's state: here, the hash of each payload in order.

use std::fs;
use std::path::{Path, PathBuf};

use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::json::canonical;
use serde_json::{Value, json};

use crate::LabError;
use crate::disk::{make_dir, read_json, write_atomic};
use crate::group::node_name;
use crate::objects::hash_of;
use crate::replica::{Replica, payload_hashes};
use crate::world::World;

/// Where a node keeps the snapshots of a partition.
pub(crate) fn dir(world: &World, cluster: usize, node: usize, partition: &str) -> PathBuf {
    world.layout.node(world.clusters[cluster].id, &node_name(node)).join("snapshots").join(partition)
}

/// Takes a snapshot of all the replica has; the same state gives the same snapshot.
pub(crate) fn take(dir: &Path, replica: &Replica) -> Result<(), LabError> {
    let (term, index) = (replica.last_term(), replica.last_index());
    let folder = dir.join(format!("snap-{term}-{index}"));
    make_dir(&folder.join("chunks"))?;
    let log = replica.frames(replica.first_index(), index)?.unwrap_or_default();
    let state: String = payload_hashes(&log).into_iter().map(|(_, hash)| hash + "\n").collect();
    write_atomic(&folder.join("chunks/state-0000.bin"), state.as_bytes(), false)?;
    let mut manifest = json!({
        "base_index": index,
        "base_term": term,
        "chunks": [{ "chunk_id": "state-0000", "digest": Sha256Digest::of(state.as_bytes()).prefixed(), "len": state.len(), "offset": 0 }],
        "manifest_id": format!("snap-{term}-{index}"),
        "snapshot_kind": "Full",
        "version_id": 1,
    });
    manifest["content_hash"] = hash_of(&manifest).into();
    // The manifest comes last: a folder without one is a snapshot that was never finished.
    write_atomic(&folder.join("manifest.json"), canonical(&manifest).as_bytes(), false)
}

/// The finished snapshots, oldest first.
pub(crate) fn list(dir: &Path) -> Result<Vec<Value>, LabError> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|source| LabError::file(dir, source))?.path();
        let path = folder.join("manifest.json");
        if !path.exists() {
            continue;
        }
        let manifest: Value = read_json(&path)?;
        found.push(json!({
            "manifest_id": manifest["manifest_id"],
            "base_term": manifest["base_term"],
            "base_index": manifest["base_index"],
            "content_hash": manifest["content_hash"],
            "path": folder.display().to_string(),
        }));
    }
    found.sort_by_key(|snapshot| (snapshot["base_term"].as_u64(), snapshot["base_index"].as_u64()));
    Ok(found)
}
