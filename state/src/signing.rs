//! Ed25519 signatures of a journal's head and of reports.

use crate::*;
use serde::{Deserialize, Serialize};

/// A signature of a run's head, and of a report where it names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `ed25519`.
    pub algorithm: String,
    /// Hex.
    pub public_key: String,
    /// The run.
    pub run: String,
    /// The last event's number.
    pub head_seq: u64,
    /// The last event's hash, hex.
    pub head_hash: String,
    /// SHA-256 of the report's compact JSON without its `signature` member, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_sha256: Option<String>,
    /// Hex.
    pub signature: String,
}

/// The store's key.
pub struct Signer {}

impl Signer {
    /// The public key, hex.
    pub fn public_key(&self) -> String { todo!() }
    /// Signs a head.
    pub fn sign_head(&self, run: &RunId, head: Head) -> Signature { todo!() }
    /// Signs a report (a JSON object; a `signature` member in it is left out of account) together with the head it was made of.
    pub fn sign_report(&self, run: &RunId, head: Head, report: &serde_json::Value) -> Signature { todo!() }
}

impl Signature {
    /// Whether the signature holds for the head it names.
    pub fn verify(&self) -> Result<(), StoreError> { todo!() }
}

/// Whether a report's `signature` member holds for the rest of it.
pub fn verify_report(report: &serde_json::Value) -> Result<Signature, StoreError> { todo!() }
