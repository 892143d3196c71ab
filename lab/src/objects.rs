//! The object store: a directory with WAL shipments, their baselines, and control-plane snapshots.
//!
//! The layout is in docs/reference/lab-api.md; names and the baseline's form are
//! [`ceptra_flow_formats::shipment`]'s. Start at [`Shipper`].

use std::fs;
use std::path::{Component, Path, PathBuf};

use ceptra_flow_formats::frame::{self, Frame};
use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::json::{canonical, content_hash};
use ceptra_flow_formats::shipment::{self, Baseline, Range};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::LabError;
use crate::disk::{make_dir, write_atomic};
use crate::replica::Replica;

/// A range is closed, and the next one begun, at so many entries.
const RANGE_ENTRIES: u64 = 64;

/// Uploads one group's log as it grows.
#[derive(Debug)]
pub(crate) struct Shipper {
    objects: PathBuf,
    baseline: Baseline,
}

impl Shipper {
    /// Goes on where the baseline ends, or begins one.
    pub(crate) fn open(
        objects: &Path,
        cluster: &str,
        group: &str,
        partition: &str,
        epoch: u64,
    ) -> Result<Self, LabError> {
        let path = objects.join(shipment::baseline_key(group));
        make_dir(&objects.join("shipments").join(group))?;
        make_dir(&objects.join("baselines"))?;
        let baseline = if path.exists() {
            let bytes = fs::read(&path).map_err(|source| LabError::file(&path, source))?;
            Baseline::parse(&bytes).map_err(|error| LabError::Damaged { path, reason: error.to_string() })?
        } else {
            Baseline {
                schema: 1,
                group_id: group.to_owned(),
                partition_id: partition.to_owned(),
                source_cluster: cluster.to_owned(),
                epoch,
                first_index: 1,
                last_index: 0,
                bytes: 0,
                ranges: Vec::new(),
                content_hash: String::new(),
            }
        };
        Ok(Self { objects: objects.to_owned(), baseline })
    }

    pub(crate) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Uploads whatever the log has beyond the baseline.
    pub(crate) fn ship(&mut self, log: &Replica) -> Result<(), LabError> {
        while self.baseline.last_index < log.last_index() {
            self.ship_one_range(log)?;
        }
        Ok(())
    }

    /// Extends the last range until it is full, then begins the next. The object comes before the
    /// baseline that vouches for it; what it replaces goes last.
    fn ship_one_range(&mut self, log: &Replica) -> Result<(), LabError> {
        let open = self.baseline.ranges.last().filter(|range| range.frames < RANGE_ENTRIES).cloned();
        let from = open.as_ref().map_or(self.baseline.last_index + 1, |range| range.from);
        let to = log.last_index().min(from + RANGE_ENTRIES - 1);
        let bytes = log.frames(from, to)?.expect("the log has what it says it has");
        let group = self.baseline.group_id.clone();
        write_atomic(&self.objects.join(shipment::shipment_key(&group, from, to, 1)), &bytes, false)?;

        if open.is_some() {
            self.baseline.ranges.pop();
        }
        let sha256 = Sha256Digest::of(&bytes).prefixed();
        self.baseline.ranges.push(Range { from, to, frames: to - from + 1, bytes: bytes.len() as u64, sha256 });
        self.baseline.last_index = to;
        self.baseline.bytes = self.baseline.ranges.iter().map(|range| range.bytes).sum();
        let path = self.objects.join(shipment::baseline_key(&group));
        write_atomic(&path, self.baseline.render().as_bytes(), false)?;

        if let Some(replaced) = open.filter(|range| range.to != to) {
            let path = self.objects.join(shipment::shipment_key(&group, replaced.from, replaced.to, 1));
            fs::remove_file(&path).map_err(|source| LabError::file(&path, source))?;
        }
        Ok(())
    }
}

/// Puts a newer copy of a range beside the good one: sound frames, but one payload is another.
pub(crate) fn plant_damaged(objects: &Path, baseline: &Baseline, range: &Range) -> Result<(), LabError> {
    let good = read(objects, &shipment::shipment_key(&baseline.group_id, range.from, range.to, 1))?;
    let victim = (range.from + range.to) / 2;
    let mut bytes = Vec::with_capacity(good.len());
    for found in frame::Frames::new(&good).map_while(Result::ok) {
        let mut payload = found.frame.payload.to_vec();
        if found.frame.index == victim {
            payload.reverse();
        }
        let frame = Frame { payload: &payload, ..found.frame };
        frame.encode_into(&mut bytes).expect("it fitted before");
    }
    write_atomic(&objects.join(shipment::shipment_key(&baseline.group_id, range.from, range.to, 2)), &bytes, false)
}

/// Puts a newer copy beside a good one that is an older state of the range: its second half is missing.
pub(crate) fn plant_stale(objects: &Path, baseline: &Baseline, range: &Range) -> Result<(), LabError> {
    let good = read(objects, &shipment::shipment_key(&baseline.group_id, range.from, range.to, 1))?;
    let kept = usize::try_from(range.frames / 2).expect("a range is short");
    let end =
        frame::Frames::new(&good).map_while(Result::ok).take(kept).last().map_or(0, |found| found.offset + found.len);
    write_atomic(
        &objects.join(shipment::shipment_key(&baseline.group_id, range.from, range.to, 2)),
        &good[..end],
        false,
    )
}

/// Reads an object by its key; a key may not lead out of the store.
pub(crate) fn read(objects: &Path, key: &str) -> Result<Vec<u8>, LabError> {
    let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    let path = objects.join(if inside { key } else { "" });
    fs::read(&path).map_err(|source| LabError::file(&path, source))
}

/// What a control plane knows of the groups, as its snapshots hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotState {
    pub(crate) cluster_id: String,
    pub(crate) epoch: u64,
    pub(crate) groups: Vec<SnapshotGroup>,
}

/// One group in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotGroup {
    pub(crate) group_id: String,
    pub(crate) partitions: Vec<String>,
    pub(crate) replicas: u32,
}

/// Uploads a control-plane snapshot.
pub(crate) fn write_snapshot(
    objects: &Path,
    number: u64,
    created_at: &str,
    state: &SnapshotState,
) -> Result<(), LabError> {
    let manifest_id = format!("snap-{}-{number}", state.epoch);
    let dir = objects.join("control-plane").join(&state.cluster_id).join(&manifest_id);
    make_dir(&dir)?;
    let content = canonical(&serde_json::to_value(state).expect("a snapshot is plain data"));
    write_atomic(&dir.join("state.json"), content.as_bytes(), false)?;
    let digest = Sha256Digest::of(content.as_bytes()).prefixed();
    let mut manifest = json!({
        "chunks": [{ "chunk_id": "state.json", "digest": digest, "len": content.len(), "offset": 0 }],
        "cluster_id": state.cluster_id,
        "created_at": created_at,
        "epoch": state.epoch,
        "groups": state.groups.len(),
        "manifest_id": manifest_id,
    });
    let hash = hash_of(&manifest);
    manifest["content_hash"] = Value::String(hash);
    write_atomic(&dir.join("manifest.json"), canonical(&manifest).as_bytes(), false)
}

/// `content_hash` of a manifest.
pub(crate) fn hash_of(manifest: &Value) -> String {
    let fields = manifest.as_object().cloned().unwrap_or_default();
    content_hash(&fields, &["content_hash", "signature"]).prefixed()
}

/// A snapshot that was read: its manifest's id and hash, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotRef {
    pub(crate) manifest_id: String,
    pub(crate) content_hash: String,
    pub(crate) epoch: u64,
}

/// Why a snapshot can't be restored.
#[derive(Debug)]
pub(crate) enum BadSnapshot {
    Absent,
    Digest(String),
}

/// Reads and checks a snapshot by its folder's key.
pub(crate) fn read_snapshot(objects: &Path, key: &str) -> Result<(SnapshotRef, SnapshotState), BadSnapshot> {
    let file = |name: &str| read(objects, &format!("{key}/{name}")).map_err(|_| BadSnapshot::Absent);
    let parse =
        |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|error| BadSnapshot::Digest(error.to_string()));
    let (manifest, content) = (parse(&file("manifest.json")?)?, file("state.json")?);
    let stated = manifest["content_hash"].as_str().unwrap_or_default();
    let computed = hash_of(&manifest);
    if stated != computed {
        return Err(BadSnapshot::Digest(format!("the manifest says {stated}, its content gives {computed}")));
    }
    let digest = Sha256Digest::of(&content).prefixed();
    if manifest["chunks"][0]["digest"] != digest.as_str() {
        return Err(BadSnapshot::Digest(format!("state.json has {digest}, the manifest another digest")));
    }
    let state: SnapshotState =
        serde_json::from_slice(&content).map_err(|error| BadSnapshot::Digest(error.to_string()))?;
    let manifest_id = manifest["manifest_id"].as_str().unwrap_or_default().to_owned();
    Ok((SnapshotRef { manifest_id, content_hash: computed, epoch: state.epoch }, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_lead_out_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        let store = dir.path().join("objects");
        make_dir(&store).unwrap();
        assert!(read(&store, "../secret").is_err());
        assert!(read(&store, dir.path().join("secret").to_str().unwrap()).is_err());
    }

    #[test]
    fn a_snapshot_is_read_as_written_and_refused_when_changed() {
        let store = tempfile::tempdir().unwrap();
        let groups = vec![SnapshotGroup { group_id: "pg-0".into(), partitions: vec!["p-0".into()], replicas: 3 }];
        let state = SnapshotState { cluster_id: "cluster-a".into(), epoch: 7, groups };
        write_snapshot(store.path(), 2, "2026-01-01T00:00:00.000Z", &state).unwrap();
        let key = "control-plane/cluster-a/snap-7-2";
        let (found, read) = read_snapshot(store.path(), key).unwrap();
        assert_eq!((found.manifest_id.as_str(), read), ("snap-7-2", state));
        let path = store.path().join(key).join("state.json");
        let changed = fs::read_to_string(&path).unwrap().replace("\"replicas\":3", "\"replicas\":1");
        fs::write(&path, changed).unwrap();
        assert!(matches!(read_snapshot(store.path(), key), Err(BadSnapshot::Digest(_))));
        assert!(matches!(read_snapshot(store.path(), "control-plane/none"), Err(BadSnapshot::Absent)));
    }
}
