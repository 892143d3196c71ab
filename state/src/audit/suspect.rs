//! Events that are not what their hash covers: where they come from.

use super::{BreakKind, changed};
use crate::chain::{Columns, Hash};
use crate::sqlite::RawRow;
use std::collections::HashMap;

/// An event that is not what its hash covers.
pub(super) struct Suspect {
    pub(super) seq: u64,
    epoch: u64,
    at: u64,
    run: String,
    step: Option<String>,
    kind: String,
    payload: String,
    prev_hash: Hash,
    hash: Hash,
}

/// Suspects compared with one another: a swap is two, a shifted tail is many.
pub(super) const SUSPECTS_MAX: usize = 64;

impl Suspect {
    pub(super) fn of(raw: &RawRow<'_>) -> Self {
        let Columns { seq, epoch, at, run, step, kind, payload } = raw.columns;
        Self {
            seq,
            epoch,
            at,
            run: run.into(),
            step: step.map(Into::into),
            kind: kind.into(),
            payload: payload.into(),
            prev_hash: raw.prev_hash,
            hash: raw.hash,
        }
    }

    /// Whether this content was hashed as event `seq`, after `prev`, giving `hash`.
    fn was(&self, seq: u64, prev: &Hash, hash: &Hash) -> bool {
        let Self { epoch, at, run, step, kind, payload, .. } = self;
        Columns { seq, epoch: *epoch, at: *at, run, step: step.as_deref(), kind, payload }.hash(prev) == *hash
    }

    /// What was done to it: its place or its content changed. `first_with` has the first place of each stored hash.
    pub(super) fn verdict(&self, all: &[Self], first_with: &HashMap<Hash, u64>) -> (BreakKind, String) {
        let seq = self.seq;
        if let Some(twin) = first_with.get(&self.hash).filter(|twin| **twin != seq) {
            return (BreakKind::Duplicated, format!("event {seq} is a copy of event {twin}"));
        }
        // Moved with its hashes: it is itself under another number. Moved without them: it is itself under the
        // number and the hashes of another suspect.
        let swapped = all.iter().find(|other| {
            other.seq != seq
                && (self.was(other.seq, &self.prev_hash, &self.hash)
                    || self.was(other.seq, &other.prev_hash, &other.hash))
        });
        match swapped.map(|other| other.seq).or_else(|| self.shifted_from()) {
            Some(written) => (BreakKind::Moved, format!("event {seq} was event {written} when it was written")),
            None => (BreakKind::Changed, changed(seq)),
        }
    }

    /// The number under which it was written, when only that was changed.
    fn shifted_from(&self) -> Option<u64> {
        let near = self.seq.saturating_sub(SHIFT_MAX).max(1)..=self.seq.saturating_add(SHIFT_MAX);
        near.into_iter().find(|seq| self.was(*seq, &self.prev_hash, &self.hash))
    }
}

/// How far an event may have been shifted and still be recognised as itself.
const SHIFT_MAX: u64 = 32;
