//! What the lab remembers for its judge: one ledger of what the parts did, one per client.
//!
//! The world's ledger has one order: whatever stands before an entry happened before it. A run's
//! journal is never asked. Start at [`Fact`] and [`ClientFact`].

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::disk::{Lines, read_lines};

/// What a part of the world did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Replicas of a cluster took entries from a client, beginning at index `from`.
    Accepted { at: String, cluster: String, node: String, group: String, epoch: u64, from: u64, hashes: Vec<String> },
    /// A control plane fenced a group; all replicas that could be reached know.
    Fenced { at: String, by: String, group: String, fence_epoch: u64 },
    /// A control plane lifted a group's fence.
    Unfenced { at: String, by: String, group: String },
    /// A control plane serves under a new epoch.
    EpochAdvanced { at: String, cluster: String, epoch: u64 },
    /// A control plane went from one set of voters to another.
    Membership { at: String, cluster: String, old: Vec<String>, new: Vec<String>, live: Vec<String> },
    /// A control plane took its state from a snapshot.
    Restored { at: String, cluster: String, manifest_id: String, epoch: u64 },
    /// A route sends clients to a cluster under an epoch.
    Switched { at: String, route: String, cluster: String, epoch: u64 },
    /// The scenario went on to its next phase.
    Phase { at: String, phase: String },
}

impl Fact {
    /// The epoch that a control plane went to.
    pub(crate) fn epoch_advanced(&self) -> Option<u64> {
        match self {
            Self::EpochAdvanced { epoch, .. } => Some(*epoch),
            _ => None,
        }
    }

    /// Whether this says that the scenario reached a phase.
    pub(crate) fn is_phase(&self, name: &str) -> bool {
        matches!(self, Self::Phase { phase, .. } if phase == name)
    }
}

/// What a client saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ClientFact {
    /// Entries were acknowledged.
    Acknowledged {
        at: String,
        route: String,
        cluster: String,
        group: String,
        epoch: u64,
        from: u64,
        hashes: Vec<String>,
    },
    /// Appends to a group over a route begin to fail.
    Failing { at: String, route: String, group: String, reason: String },
    /// A node accepted the zombie's append.
    ZombieAccepted { at: String, cluster: String, node: String, group: String, epoch: u64, index: u64, hash: String },
    /// A node refused the zombie in a way it had not before.
    ZombieRejected { at: String, cluster: String, node: String, reason: String },
}

/// The world's ledger, open for writing.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: Mutex<Lines>,
}

impl Ledger {
    pub(crate) fn open(path: &Path, sync: bool) -> Result<Self, LabError> {
        Ok(Self { lines: Mutex::new(Lines::open(path, sync)?) })
    }

    pub(crate) fn record(&self, fact: &Fact) -> Result<(), LabError> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).append(std::slice::from_ref(fact))
    }

    pub(crate) fn read(path: &Path) -> Result<Vec<Fact>, LabError> {
        read_lines(path)
    }
}

/// Now, in UTC with milliseconds.
pub(crate) fn now_text() -> String {
    text_of(now_ms())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A time as files hold it.
pub(crate) fn text_of(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Milliseconds since 1970 of a time in a file; 0 if it is none.
pub(crate) fn ms_of(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_written() {
        assert_eq!(text_of(1_760_000_000_001), "2025-10-09T08:53:20.001Z");
        assert_eq!(ms_of("2025-10-09T08:53:20.001Z"), 1_760_000_000_001);
    }
}
