//! Baseline and shipments of a group, as they lie in the object store: read, checked, chosen.
//!
//! The newest upload of a range is not necessarily a good one; the newest that equals the baseline is taken.

use super::world::{self, Group};
use crate::context::StepContext;
use crate::error::StepError;
use ceptra_flow_formats::shipment::{self, Baseline, Range, ShipmentName};
use serde::Serialize;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Largest object that is read as a baseline: 64 MiB hold ranges of a million shipments.
const BASELINE_MAX: u64 = 64 << 20;

/// Where a group's baseline and shipments are.
#[derive(Clone, Debug)]
pub(super) struct Store {
    baseline: PathBuf,
    shipments: PathBuf,
    /// What keys are relative to.
    root: Option<PathBuf>,
}

/// A range of the baseline and the object that holds it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chosen {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) object: String,
    pub(super) generation: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Newer uploads of the range that do not equal the baseline, and why.
    pub(super) refused: Vec<String>,
}

impl Store {
    /// A group's places: the target's, or the usual ones below the object store.
    pub(super) fn of(cx: &StepContext, group: &Group) -> Result<Self, StepError> {
        let root = world::text(cx, "storage", "object_store")?.map(|store| world::local(cx, &store)).transpose()?;
        let place = |named: Option<&String>, usual: String| match (named, &root) {
            (Some(named), _) => world::local(cx, named),
            (None, Some(root)) => Ok(root.join(usual)),
            (None, None) => {
                let id = &group.group_id;
                let why =
                    format!("the target names neither storage.object_store nor the shipments and baseline of `{id}`");
                Err(StepError::nothing("target", why))
            }
        };
        let id = &group.group_id;
        Ok(Self {
            baseline: place(group.baseline.as_ref(), shipment::baseline_key(id))?,
            shipments: place(group.shipments.as_ref(), format!("shipments/{id}"))?,
            root,
        })
    }

    /// The baseline, whole and of this group.
    pub(super) async fn baseline(&self, group_id: &str) -> Result<Baseline, StepError> {
        let (path, wanted) = (self.baseline.clone(), group_id.to_owned());
        blocking(move || {
            let wrong = |why: String| StepError::nothing("baseline", format!("{}: {why}", path.display()));
            let size = fs::metadata(&path).map_err(|error| wrong(error.to_string()))?.len();
            if size > BASELINE_MAX {
                return Err(wrong(format!("has {size} bytes, no baseline has more than {BASELINE_MAX}")));
            }
            let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
            let baseline = Baseline::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
            if baseline.group_id != wanted {
                return Err(wrong(format!("is of group `{}`, not of `{wanted}`", baseline.group_id)));
            }
            Ok(baseline)
        })
        .await
    }

    /// For each range of the baseline the newest shipment that equals it.
    pub(super) async fn choose(&self, baseline: &Baseline) -> Result<Vec<Chosen>, StepError> {
        let (store, baseline) = (self.clone(), baseline.clone());
        blocking(move || {
            let names = store.names()?;
            let chosen = baseline.ranges.iter().map(|range| store.choose_one(&baseline.group_id, range, &names));
            let (mut good, mut bad) = (Vec::new(), Vec::new());
            for outcome in chosen {
                match outcome {
                    Ok(chosen) => good.push(chosen),
                    Err(why) => bad.push(why),
                }
            }
            if bad.is_empty() { Ok(good) } else { Err(StepError::nothing("no_verified_shipment", bad.join("; "))) }
        })
        .await
    }

    fn names(&self) -> Result<Vec<(ShipmentName, String)>, StepError> {
        let io = |error: std::io::Error| StepError::nothing("io", format!("{}: {error}", self.shipments.display()));
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.shipments).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            if let Some((parsed, name)) = name.to_str().and_then(|name| Some((ShipmentName::parse(name)?, name))) {
                names.push((parsed, name.to_owned()));
            }
        }
        names.sort();
        Ok(names)
    }

    fn choose_one(&self, group_id: &str, range: &Range, names: &[(ShipmentName, String)]) -> Result<Chosen, String> {
        let mut refused = Vec::new();
        let uploads = names.iter().rev().filter(|(name, _)| (name.from, name.to) == (range.from, range.to));
        for (parsed, name) in uploads {
            let path = self.shipments.join(name);
            let checked = read_exactly(&path, range.bytes)
                .and_then(|bytes| shipment::verify(range, &bytes).map_err(|error| error.to_string()));
            match checked {
                Ok(verified) => {
                    return Ok(Chosen {
                        from: range.from,
                        to: range.to,
                        object: self.key(group_id, &path),
                        generation: parsed.generation,
                        bytes: verified.bytes,
                        sha256: verified.sha256,
                        refused,
                    });
                }
                Err(why) => refused.push(format!("{name} {why}")),
            }
        }
        let seen = if refused.is_empty() { "there is none".to_owned() } else { refused.join(", ") };
        Err(format!("no good shipment of {group_id} {} to {}: {seen}", range.from, range.to))
    }

    fn key(&self, group_id: &str, path: &Path) -> String {
        let below = self.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
        let name = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        below.map_or_else(|| format!("shipments/{group_id}/{}", name()), |below| below.to_string_lossy().into_owned())
    }
}

/// Reads an object if it has the length it should have: another one is refused unread.
fn read_exactly(path: &Path, bytes: u64) -> Result<Vec<u8>, String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if found != bytes {
        return Err(shipment::BadShipment::Length { found, wanted: bytes }.to_string());
    }
    fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "vanished".to_owned(),
        _ => error.to_string(),
    })
}

/// File work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StepError::nothing("io", error.to_string()))?
}
