//! The hash chain: what each event's hash covers (docs/reference/journal.md has it for third parties).
//!
//! `hash = SHA-256(prev_hash · seq · epoch · at · run · step · kind · payload)`: numbers as eight bytes, big end first;
//! texts as their length in eight such bytes, then their UTF-8; a missing `step` as eight bytes of `ff`.

use crate::run_id::RunId;
use ceptra_flow_core::event::Record;
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256; zeros stand before the first event.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From 64 hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text)?.try_into().ok().map(Self)
    }

    /// From 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.hex())
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The columns of one event that its hash covers.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) seq: u64,
    pub(crate) epoch: u64,
    pub(crate) at: u64,
    pub(crate) run: &'a str,
    pub(crate) step: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) payload: &'a str,
}

impl<'a> Columns<'a> {
    /// Those of a record that is about to be written.
    pub(crate) fn of(record: &Record, run: &'a RunId, step: Option<&'a str>, payload: &'a str) -> Self {
        let kind = record.event.kind();
        Self { seq: record.seq.0, epoch: record.epoch.0, at: record.at.0, run: run.as_str(), step, kind, payload }
    }

    /// The event's hash, after an event with hash `prev`.
    pub(crate) fn hash(&self, prev: &Hash) -> Hash {
        // The small fields are gathered first: one call of the hash for all of them, and one for the payload,
        // which may be 20 MB long and is not copied.
        let mut small =
            Vec::with_capacity(32 + 7 * 8 + self.run.len() + self.step.map_or(0, str::len) + self.kind.len());
        small.extend_from_slice(&prev.0);
        for number in [self.seq, self.epoch, self.at] {
            small.extend_from_slice(&number.to_be_bytes());
        }
        put(&mut small, Some(self.run));
        put(&mut small, self.step);
        put(&mut small, Some(self.kind));
        small.extend_from_slice(&(self.payload.len() as u64).to_be_bytes());
        let mut sha = Sha256::new();
        sha.update(&small);
        sha.update(self.payload);
        Hash(sha.finalize().into())
    }
}

fn put(into: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            into.extend_from_slice(&(text.len() as u64).to_be_bytes());
            into.extend_from_slice(text.as_bytes());
        }
        None => into.extend_from_slice(&[0xff; 8]),
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// The bytes of hex digits.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
