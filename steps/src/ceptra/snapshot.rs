//! `ceptra.snapshot_verify`: a snapshot is what its manifest says, and the newest one that is.

use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::hash::unhex;
use ceptra_flow_formats::manifest::{Key, Manifest, chain};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Recomputes a snapshot's hashes and checks who signed it.
pub(super) struct SnapshotVerify;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    ed25519_public_key: Option<String>,
}

impl Step for SnapshotVerify {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::optional(
                    "path",
                    Shape::String,
                    "A snapshot's folder, or a folder of snapshots of which the newest good one is taken; default storage.control_plane_snapshots.",
                ),
                Field::optional(
                    "ed25519_public_key",
                    Shape::String,
                    "64 hexadecimal digits; with it, the manifest must be signed.",
                ),
            ]),
            example: "[steps.snapshot]\ntype = \"ceptra.snapshot_verify\"\n",
            output: |_| {
                shape::object(vec![
                    shape::out("manifest_id", Shape::String, "The snapshot's name."),
                    shape::out("snapshot", Shape::String, "Its folder below the object store."),
                    shape::out("content_hash", Shape::String, "Hash over the manifest's content, recomputed."),
                    shape::out("epoch", shape::or_null(Shape::Integer), "Epoch it carries."),
                    shape::out("base_index", shape::or_null(Shape::Integer), "Last entry it covers."),
                    shape::out("chunks", Shape::Integer, "Chunks whose digest holds."),
                    shape::out("signed", Shape::Boolean, "Whether a signature was checked."),
                    shape::out("authorized", Shape::Boolean, "Whether an authorization log names it."),
                    shape::out("refused", shape::list(Shape::String), "Newer snapshots that are not what they say."),
                ])
            },
            ..shape::reading(
                "ceptra.snapshot_verify",
                "Checks a snapshot's content hash, chunks, signature and authorization; takes the newest that holds.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let place = match params.path {
                Some(path) => path,
                None => world::text(cx, "storage", "control_plane_snapshots")?.ok_or_else(|| {
                    StepError::parameter("say which snapshot: `path`, or storage.control_plane_snapshots in the target")
                })?,
            };
            let folder = world::local(cx, &place)?;
            let store =
                world::text(cx, "storage", "object_store")?.map(|store| world::local(cx, &store)).transpose()?;
            let key = params.ed25519_public_key.as_deref().map(public_key).transpose()?;
            let work = move || newest_good(&folder, store.as_deref(), key.as_ref());
            tokio::task::spawn_blocking(work).await.map_err(|error| StepError::nothing("io", error.to_string()))?
        })
    }
}

fn public_key(text: &str) -> Result<[u8; 32], StepError> {
    let bytes = unhex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| StepError::parameter("`ed25519_public_key` must be 64 hexadecimal digits"))
}

fn newest_good(folder: &Path, store: Option<&Path>, key: Option<&[u8; 32]>) -> Result<Value, StepError> {
    let candidates = if folder.join("manifest.json").is_file() { vec![folder.to_owned()] } else { by_age(folder)? };
    if candidates.is_empty() {
        return Err(StepError::nothing("missing", format!("{}: holds no snapshot", folder.display())));
    }
    let mut refused = Vec::new();
    for candidate in &candidates {
        match verify(candidate, key) {
            Ok(verified) => return Ok(output(candidate, store, &verified, &refused)),
            Err(why) => refused.push(format!("{}: {why}", candidate.display())),
        }
    }
    Err(StepError::nothing("damaged", format!("no snapshot is what it says: {}", refused.join("; "))))
}

/// Folders with a manifest, the one that claims the highest epoch or index first. A claim orders; `verify` decides.
fn by_age(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    let io = |error: std::io::Error| StepError::nothing("io", format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Ok(bytes) = fs::read(path.join("manifest.json")) else { continue };
        let claim: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let number = |key: &str| claim.get(key).and_then(Value::as_u64).unwrap_or(0);
        found.push(((number("epoch"), number("base_term"), number("base_index"), path.clone()), path));
    }
    found.sort_by(|left, right| right.0.cmp(&left.0));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

struct Verified {
    manifest: Manifest,
    signed: bool,
    authorized: bool,
}

fn verify(folder: &Path, key: Option<&[u8; 32]>) -> Result<Verified, String> {
    let read = |path: PathBuf| fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    let manifest = Manifest::parse(&read(folder.join("manifest.json"))?).map_err(|error| error.to_string())?;
    if let Some(key) = key {
        manifest.verify_signature(&Key::Ed25519(*key)).map_err(|error| error.to_string())?;
    }
    if manifest.chunks.is_empty() {
        return Err("the manifest names no chunk".to_owned());
    }
    for chunk in &manifest.chunks {
        let id = &chunk.chunk_id;
        if id.is_empty() || id.contains(['/', '\\', '\0']) || id.starts_with('.') {
            return Err(format!("chunk_id `{id}` is no file name"));
        }
        let plain = folder.join(id);
        let path = if plain.is_file() { plain } else { folder.join("chunks").join(format!("{id}.bin")) };
        chunk.verify(&read(path)?, manifest.encrypted).map_err(|error| error.to_string())?;
    }
    let authorized = authorized(folder, &manifest)?;
    Ok(Verified { manifest, signed: key.is_some(), authorized })
}

/// Walks the authorization log beside the snapshot, where there is one; it must then name this manifest.
fn authorized(folder: &Path, manifest: &Manifest) -> Result<bool, String> {
    let Some(log) =
        folder.parent().map(|parent| parent.join("manifest_authorizations.log")).filter(|log| log.is_file())
    else {
        return Ok(false);
    };
    let text = fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let walked = chain(&text).map_err(|error| error.to_string())?;
    let hash = manifest.content_hash.prefixed();
    let named = walked.iter().any(|line| line.manifest_id == manifest.manifest_id && line.manifest_hash == hash);
    if named { Ok(true) } else { Err(format!("{} does not authorise {}", log.display(), manifest.manifest_id)) }
}

fn output(folder: &Path, store: Option<&Path>, verified: &Verified, refused: &[String]) -> Value {
    let below = store.and_then(|store| folder.strip_prefix(store).ok()).unwrap_or(folder);
    let manifest = &verified.manifest;
    json!({
        "manifest_id": manifest.manifest_id,
        "snapshot": below.to_string_lossy(),
        "content_hash": manifest.content_hash.prefixed(),
        "epoch": manifest.epoch,
        "base_index": manifest.base_index,
        "chunks": manifest.chunks.len(),
        "signed": verified.signed,
        "authorized": verified.authorized,
        "refused": refused,
    })
}
