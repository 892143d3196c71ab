//! Verifying a journal for someone who trusts none of us.

use crate::*;
use ceptra_flow_core::ids::Seq;
use serde::Serialize;
use std::path::Path;

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// The run, as far as known.
    pub run: Option<String>,
    /// How many events there are.
    pub events: u64,
    /// The last event's number.
    pub head_seq: Seq,
    /// The last event's hash.
    pub head_hash: Hash,
    /// Whose signature of the head held: the public key, hex.
    pub signed_by: Option<String>,
    /// Everything that is wrong, in order, at most [`audit::BREAKS_MAX`].
    pub breaks: Vec<Break>,
}

/// Most breaks that are listed.
pub const BREAKS_MAX: usize = 100;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The event; `None` when it is about the file.
    pub seq: Option<Seq>,
    /// In one word.
    pub kind: BreakKind,
    /// For people.
    pub what: String,
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// An event's columns are not those its hash covers.
    Changed,
    /// An event is missing.
    Dropped,
    /// An event is at another event's place.
    Moved,
    /// An event is there twice.
    Duplicated,
    /// An event does not follow the one before it.
    Unchained,
    /// Events at the end are missing.
    Truncated,
    /// An event is of an earlier epoch than the one before it.
    EpochFell,
    /// An event cannot be decoded.
    Undecodable,
    /// The plan is not the one that the run was pinned to.
    PlanDigest,
    /// The signature does not hold.
    Signature,
    /// The database's tables or triggers are not as they were made.
    Schema,
    /// The file itself cannot be read.
    Unreadable,
}

impl AuditReport {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool { self.breaks.is_empty() }
}

/// Checks a run directory or a journal file, against a signed head where one is given or lies beside it.
/// An error only when there is nothing to read there.
pub fn audit(path: &Path, signed: Option<&Signature>) -> Result<AuditReport, StoreError> { todo!() }
