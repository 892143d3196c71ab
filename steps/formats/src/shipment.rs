//! WAL shipments: raw frames of an index range in the object store, and the baseline they must equal.
//!
//! ```text
//! baselines/<group>.json
//! shipments/<group>/<from, 20 digits>-<to, 20 digits>.g<generation>.wal
//! ```
//!
//! One range may lie there in several generations; the newest is not necessarily a good one. A
//! shipment is *verified* when its bytes have the baseline's digest and its frames hold. Start at
//! [`Baseline::parse`] and [`verify`].

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::frame::{Frames, LocatedFault};
use crate::hash::Sha256Digest;
use crate::json;

/// What one partition group's log must be, as its old primary recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Version of this format, 1.
    pub schema: u64,
    /// Group whose log this is.
    pub group_id: String,
    /// Its partition.
    pub partition_id: String,
    /// Cluster that acknowledged the entries.
    pub source_cluster: String,
    /// Epoch at the time of the last upload.
    pub epoch: u64,
    /// First index that the ranges cover.
    pub first_index: u64,
    /// Last index that the ranges cover.
    pub last_index: u64,
    /// Sum of the ranges' bytes.
    pub bytes: u64,
    /// The ranges, gapless and in order.
    pub ranges: Vec<Range>,
    /// SHA-256 of the sorted compact JSON without this field.
    #[serde(default)]
    pub content_hash: String,
}

/// One range of a baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First index.
    pub from: u64,
    /// Last index.
    pub to: u64,
    /// Number of frames.
    pub frames: u64,
    /// Length of the frames in bytes.
    pub bytes: u64,
    /// SHA-256 of those bytes.
    pub sha256: String,
}

/// Why a baseline can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBaseline {
    /// Not this format.
    #[error("not a baseline: {0}")]
    Format(String),
    /// The hash it carries is not its own.
    #[error("content_hash is {found}, the baseline's content gives {computed}")]
    ContentHash {
        /// What the file says.
        found: String,
        /// What its content gives.
        computed: String,
    },
    /// Ranges that do not add up.
    #[error("{field}: {why}")]
    Inconsistent {
        /// Field that is wrong.
        field: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Baseline {
    /// Reads a baseline and checks that it is whole: its own hash, gapless ranges, sums.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadBaseline> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| BadBaseline::Format(error.to_string()))?;
        let baseline: Self = Self::deserialize(&value).map_err(|error| BadBaseline::Format(error.to_string()))?;
        let object = value.as_object().ok_or_else(|| BadBaseline::Format("not an object".to_string()))?;
        let computed = json::content_hash(object, &["content_hash"]);
        if Sha256Digest::parse(&baseline.content_hash) != Some(computed) {
            let found = baseline.content_hash.clone();
            return Err(BadBaseline::ContentHash { found, computed: computed.prefixed() });
        }
        baseline.check()?;
        Ok(baseline)
    }

    /// The baseline as it is stored: 2-space JSON and a newline, with its content hash set.
    pub fn render(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a baseline is plain data");
        let object = value.as_object_mut().expect("a struct becomes an object");
        let hash = json::content_hash(object, &["content_hash"]).prefixed();
        object.insert("content_hash".into(), Value::String(hash));
        let mut text = serde_json::to_string_pretty(&value).expect("a value is always JSON");
        text.push('\n');
        text
    }

    fn check(&self) -> Result<(), BadBaseline> {
        let wrong = |field: String, why: String| Err(BadBaseline::Inconsistent { field, why });
        if self.schema != 1 {
            return wrong("schema".into(), format!("{} is not known, 1 is", self.schema));
        }
        let mut next = self.first_index;
        let mut bytes = 0u64;
        for (at, range) in self.ranges.iter().enumerate() {
            if range.from != next || range.to < range.from {
                return wrong(format!("ranges[{at}]"), format!("must begin at {next} and not end before it"));
            }
            if range.frames != range.to - range.from + 1 {
                return wrong(format!("ranges[{at}].frames"), format!("must be {}", range.to - range.from + 1));
            }
            if Sha256Digest::parse(&range.sha256).is_none() {
                return wrong(format!("ranges[{at}].sha256"), "is not 64 hexadecimal digits".into());
            }
            let Some(after) = range.to.checked_add(1) else {
                return wrong(format!("ranges[{at}].to"), "leaves no next index".into());
            };
            next = after;
            bytes = bytes.saturating_add(range.bytes);
        }
        if next.checked_sub(1) != Some(self.last_index) {
            return wrong("last_index".into(), format!("must be {}, where the ranges end", next.wrapping_sub(1)));
        }
        if bytes != self.bytes {
            return wrong("bytes".into(), format!("must be {bytes}, the sum of the ranges"));
        }
        Ok(())
    }
}

/// Object key of a group's baseline.
pub fn baseline_key(group_id: &str) -> String {
    format!("baselines/{group_id}.json")
}

/// Object key of a shipment.
pub fn shipment_key(group_id: &str, from: u64, to: u64, generation: u64) -> String {
    format!("shipments/{group_id}/{from:020}-{to:020}.g{generation}.wal")
}

/// What a shipment's file name says: range and generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShipmentName {
    /// First index.
    pub from: u64,
    /// Last index.
    pub to: u64,
    /// Counts uploads of the same range.
    pub generation: u64,
}

impl ShipmentName {
    /// Reads the last part of a shipment's key; nothing if it is another kind of file.
    pub fn parse(file_name: &str) -> Option<Self> {
        let (range, generation) = file_name.strip_suffix(".wal")?.split_once(".g")?;
        let (from, to) = range.split_once('-')?;
        Some(Self { from: digits(from)?, to: digits(to)?, generation: digits(generation)? })
    }
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Why a shipment is not what the baseline asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadShipment {
    /// Fewer or more bytes.
    #[error("has {found} bytes, the baseline {wanted}")]
    Length {
        /// Bytes of the object.
        found: u64,
        /// Bytes of the baseline's range.
        wanted: u64,
    },
    /// Other bytes.
    #[error("has SHA-256 {found}, the baseline {wanted}")]
    Digest {
        /// Digest of the object.
        found: String,
        /// Digest in the baseline.
        wanted: String,
    },
    /// Bytes with the right digest that are no frames: the baseline itself is of damaged data.
    #[error("frame at {0}")]
    Frame(#[from] LocatedFault),
    /// An entry where another should be.
    #[error("has entry {found} where {wanted} should be")]
    Index {
        /// Index of the frame.
        found: u64,
        /// Index that continuity asks for.
        wanted: u64,
    },
    /// Too few entries.
    #[error("ends at entry {found}, the range at {wanted}")]
    Short {
        /// Last index found; one less than the first where there is none.
        found: u64,
        /// Last index of the range.
        wanted: u64,
    },
}

/// What a verified shipment showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Frames that hold.
    pub frames: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Their digest.
    pub sha256: String,
    /// Term of the last entry.
    pub last_term: u64,
}

/// Checks a shipment's bytes against the baseline's range: length, digest, every frame, continuity.
pub fn verify(range: &Range, bytes: &[u8]) -> Result<Verified, BadShipment> {
    if bytes.len() as u64 != range.bytes {
        return Err(BadShipment::Length { found: bytes.len() as u64, wanted: range.bytes });
    }
    let digest = Sha256Digest::of(bytes);
    if Sha256Digest::parse(&range.sha256) != Some(digest) {
        return Err(BadShipment::Digest { found: digest.prefixed(), wanted: range.sha256.clone() });
    }
    let mut wanted = range.from;
    let mut last_term = 0;
    for located in Frames::new(bytes) {
        let frame = located?.frame;
        if frame.index != wanted || wanted > range.to {
            return Err(BadShipment::Index { found: frame.index, wanted });
        }
        last_term = frame.term;
        wanted = wanted.saturating_add(1);
    }
    if wanted.checked_sub(1) != Some(range.to) {
        return Err(BadShipment::Short { found: wanted.saturating_sub(1), wanted: range.to });
    }
    Ok(Verified { frames: range.frames, bytes: range.bytes, sha256: digest.prefixed(), last_term })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    fn frames(from: u64, to: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for index in from..=to {
            let payload = format!("entry {index}");
            let frame = Frame { term: 7, index, timestamp_ms: index, metadata: b"", payload: payload.as_bytes() };
            frame.encode_into(&mut bytes).unwrap();
        }
        bytes
    }

    fn range(from: u64, to: u64, bytes: &[u8]) -> Range {
        let sha256 = Sha256Digest::of(bytes).prefixed();
        Range { from, to, frames: to - from + 1, bytes: bytes.len() as u64, sha256 }
    }

    fn baseline() -> Baseline {
        let (one, two) = (frames(1, 64), frames(65, 70));
        Baseline {
            schema: 1,
            group_id: "pg-0".into(),
            partition_id: "p-0".into(),
            source_cluster: "cluster-a".into(),
            epoch: 7,
            first_index: 1,
            last_index: 70,
            bytes: (one.len() + two.len()) as u64,
            ranges: alloc::vec![range(1, 64, &one), range(65, 70, &two)],
            content_hash: String::new(),
        }
    }

    #[test]
    fn a_baseline_is_read_as_written() {
        let read = Baseline::parse(baseline().render().as_bytes()).unwrap();
        assert_eq!(read.ranges, baseline().ranges);
        assert!(read.content_hash.starts_with("0x"));
    }

    #[test]
    fn a_changed_baseline_is_refused() {
        let text = baseline().render().replace("\"last_index\": 70", "\"last_index\": 69");
        assert!(matches!(Baseline::parse(text.as_bytes()), Err(BadBaseline::ContentHash { .. })));
        let mut gap = baseline();
        gap.ranges[1].from = 66;
        let error = Baseline::parse(gap.render().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "ranges[1]: must begin at 65 and not end before it");
        let mut short = baseline();
        short.last_index = 80;
        assert!(matches!(Baseline::parse(short.render().as_bytes()), Err(BadBaseline::Inconsistent { .. })));
    }

    #[test]
    fn a_shipment_is_verified_by_its_bytes_and_frames() {
        let good = frames(65, 70);
        let wanted = range(65, 70, &good);
        assert_eq!(verify(&wanted, &good).unwrap().last_term, 7);
        let mut damaged = good.clone();
        damaged[40] ^= 1;
        assert!(matches!(verify(&wanted, &damaged), Err(BadShipment::Digest { .. })));
        assert!(matches!(verify(&wanted, &frames(65, 69)), Err(BadShipment::Length { .. })));
        // A baseline of damaged data vouches for nothing.
        assert!(matches!(verify(&range(65, 70, &damaged), &damaged), Err(BadShipment::Frame(_))));
        let stale = frames(66, 70);
        assert!(matches!(verify(&range(65, 70, &stale), &stale), Err(BadShipment::Index { .. })));
        let short = frames(65, 69);
        assert!(matches!(verify(&range(65, 70, &short), &short), Err(BadShipment::Short { .. })));
    }

    #[test]
    fn names_of_shipments_are_exact() {
        let key = shipment_key("pg-1", 65, 128, 2);
        assert_eq!(key, "shipments/pg-1/00000000000000000065-00000000000000000128.g2.wal");
        let name = key.rsplit('/').next().unwrap();
        assert_eq!(ShipmentName::parse(name), Some(ShipmentName { from: 65, to: 128, generation: 2 }));
        for other in ["", "a-b.g1.wal", "1-2.wal", "1-2.g.wal", "+1-2.g1.wal", "1-2.g1.wal.tmp"] {
            assert_eq!(ShipmentName::parse(other), None, "{other}");
        }
    }
}
