//! Ed25519 signatures of a journal's head and of reports, with a key of the store.
//!
//! The signed bytes are text, so that anybody can check them (docs/reference/journal.md). A signature says that whoever had the
//! store's key vouches for that head; it says nothing about who that was.

use crate::chain::{Hash, from_hex, hex};
use crate::error::StoreError;
use crate::files;
use crate::journal::Head;
use crate::run_id::RunId;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;

/// A signature of a run's head, and of a report where it names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `ed25519`.
    pub algorithm: String,
    /// 64 hex digits.
    pub public_key: String,
    /// The run.
    pub run: String,
    /// The last event's number.
    pub head_seq: u64,
    /// The last event's hash, 64 hex digits.
    pub head_hash: String,
    /// SHA-256 of the report's compact JSON without its `signature` member, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_sha256: Option<String>,
    /// 128 hex digits.
    pub signature: String,
}

const ALGORITHM: &str = "ed25519";
const KEY_FILE: &str = "signing.key";
const HEAD_FILE: &str = "head.json";

/// The store's key.
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    pub(crate) fn in_store(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(KEY_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::from_text(&path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(root, &path),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }

    fn from_text(path: &Path, text: &str) -> Result<Self, StoreError> {
        let secret = Hash::from_hex(text.trim()).ok_or_else(|| StoreError::Signature {
            what: format!(
                "`{}` is not a signing key (64 hex digits): restore it, or remove it to have a new one made",
                path.display()
            ),
        })?;
        Ok(Self { key: SigningKey::from_bytes(&secret.0) })
    }

    fn make(root: &Path, path: &Path) -> Result<Self, StoreError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| StoreError::Signature {
            what: format!("the system gives no random numbers for a signing key: {error}"),
        })?;
        files::make_dirs(root)?;
        if files::write_unless_there(path, format!("{}\n", hex(&secret)).as_bytes())? {
            return Ok(Self { key: SigningKey::from_bytes(&secret) });
        }
        // Another process was faster; its key is the store's.
        let text = fs::read_to_string(path).map_err(|error| StoreError::io("read", path, error))?;
        Self::from_text(path, &text)
    }

    /// The public key, 64 hex digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex(self.key.verifying_key().as_bytes())
    }

    /// Signs a head.
    #[must_use]
    pub fn sign_head(&self, run: &RunId, head: Head) -> Signature {
        self.sign(run, head, None)
    }

    /// Signs a report (a JSON object; a `signature` member in it is left out of account) together with the head it was made of.
    #[must_use]
    pub fn sign_report(&self, run: &RunId, head: Head, report: &Value) -> Signature {
        self.sign(run, head, Some(digest_of(report)))
    }

    /// The same for a report too large to be held as a value: `sha256` is the digest of its compact JSON without its
    /// `signature` member, 64 hex digits.
    #[must_use]
    pub fn sign_report_digest(&self, run: &RunId, head: Head, sha256: String) -> Signature {
        self.sign(run, head, Some(sha256))
    }

    fn sign(&self, run: &RunId, head: Head, report_sha256: Option<String>) -> Signature {
        let mut signature = Signature {
            algorithm: ALGORITHM.into(),
            public_key: self.public_key(),
            run: run.as_str().into(),
            head_seq: head.seq.0,
            head_hash: head.hash.hex(),
            report_sha256,
            signature: String::new(),
        };
        signature.signature = hex(&ed25519_dalek::Signer::sign(&self.key, signature.message().as_bytes()).to_bytes());
        signature
    }
}

impl Signature {
    /// Whether the signature holds for the run, the head and the report digest that it names. Whose key it is, is for the caller to know.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self) -> Result<(), StoreError> {
        let wrong = |what: &str| StoreError::Signature {
            what: format!("the signature of run `{}` does not hold: {what}", self.run),
        };
        if self.algorithm != ALGORITHM {
            return Err(wrong("its algorithm is not ed25519"));
        }
        let key = Hash::from_hex(&self.public_key).ok_or_else(|| wrong("its public key is not 64 hex digits"))?;
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| wrong("its public key is none"))?;
        let bytes: [u8; 64] = from_hex(&self.signature)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| wrong("it is not 128 hex digits"))?;
        key.verify_strict(self.message().as_bytes(), &ed25519_dalek::Signature::from_bytes(&bytes))
            .map_err(|_| wrong("something it covers was changed, or another key made it"))
    }

    /// The signed text.
    fn message(&self) -> String {
        let report = self.report_sha256.as_deref().unwrap_or("-");
        format!("ceptra-flow signature 1\n{}\n{}\n{}\n{report}\n", self.run, self.head_seq, self.head_hash)
    }
}

/// Whether a report's `signature` member holds for all the rest of it.
///
/// # Errors
/// When it has none, or it does not hold.
pub fn verify_report(report: &Value) -> Result<Signature, StoreError> {
    let signature: Signature = report
        .get("signature")
        .and_then(|signature| serde_json::from_value(signature.clone()).ok())
        .ok_or_else(|| StoreError::Signature {
            what: "the report has no signature: ask for it again with `ceptra-flow report --format json`".into(),
        })?;
    signature.verify()?;
    if signature.report_sha256.as_deref() != Some(digest_of(report).as_str()) {
        return Err(StoreError::Signature {
            what: format!("the report of run `{}` was changed after it was signed", signature.run),
        });
    }
    Ok(signature)
}

fn digest_of(report: &Value) -> String {
    let text = match report {
        Value::Object(members) => {
            let rest: serde_json::Map<_, _> = members
                .iter()
                .filter(|(name, _)| *name != "signature")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            Value::Object(rest).to_string()
        }
        other => other.to_string(),
    };
    Hash::of(text.as_bytes()).hex()
}

/// Puts the signature of a run's head beside its journal.
pub(crate) fn put_beside(dir: &Path, signature: &Signature) -> Result<(), StoreError> {
    let text = serde_json::to_string(signature).expect("a signature's fields serialise");
    files::write_whole(&dir.join(HEAD_FILE), format!("{text}\n").as_bytes())
}

/// The signature beside a journal, if there is one; an error when it cannot be understood.
pub(crate) fn beside(dir: &Path) -> Result<Option<Signature>, StoreError> {
    let path = dir.join(HEAD_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| StoreError::Signature { what: format!("`{}` is no signature: {error}", path.display()) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", &path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceptra_flow_core::ids::Seq;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt as _;

    fn head() -> Head {
        Head { seq: Seq(3), hash: Hash::of(b"three") }
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("state");
        let first = Signer::in_store(&root).unwrap().public_key();
        assert_eq!(Signer::in_store(&root).unwrap().public_key(), first);
        assert_eq!(fs::metadata(root.join(KEY_FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(root.join(KEY_FILE), "nonsense").unwrap();
        assert!(Signer::in_store(&root).err().unwrap().to_string().contains("is not a signing key"));
    }

    #[test]
    fn a_signed_report_holds_until_anything_in_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let signer = Signer::in_store(dir.path()).unwrap();
        let run = RunId::fresh();
        let mut report = json!({"verdict": "done", "measured": 12.5, "signature": null, "steps": [{"id": "a"}]});
        let signature = signer.sign_report(&run, head(), &report);
        report["signature"] = serde_json::to_value(&signature).unwrap();
        let read: Value = serde_json::from_str(&report.to_string()).unwrap();
        assert_eq!(verify_report(&read).unwrap(), signature);

        for (pointer, value) in [
            ("/verdict", json!("failed")),
            ("/steps/0/id", json!("b")),
            ("/signature/head_seq", json!(4)),
            ("/signature/run", json!("x")),
        ] {
            let mut changed = report.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            verify_report(&changed).unwrap_err();
        }
        assert!(verify_report(&json!({})).unwrap_err().to_string().contains("has no signature"));
    }
}
