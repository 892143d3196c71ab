//! Snapshot manifests: their own hash, their signature, their chunks, and who authorised them.
//!
//! A manifest is sorted compact JSON. `content_hash` is SHA-256 over it without `content_hash` and
//! `signature`; the signature is over it with `content_hash`. `manifest_authorizations.log` chains
//! one line per manifest. Keys come from the caller; nothing here decides which key is right.
//! Start at [`Manifest::parse`] and [`chain`].

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::hash::{self, Sha256Digest};
use crate::json;

/// A manifest whose content hash holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    object: Map<String, Value>,
    /// Name of the snapshot.
    pub manifest_id: String,
    /// SHA-256 over the content.
    pub content_hash: Sha256Digest,
    /// The pieces of the snapshot, in order.
    pub chunks: Vec<Chunk>,
    /// Index of the last entry that the snapshot covers, for snapshots of a log.
    pub base_index: Option<u64>,
    /// Epoch that the snapshot carries, for snapshots of a control plane.
    pub epoch: Option<u64>,
    /// Whether the chunks are sealed with a data key.
    pub encrypted: bool,
}

/// A piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Chunk {
    /// Name; its file is `chunks/<chunk_id>.bin`, or the id itself for a control plane's.
    pub chunk_id: String,
    /// SHA-256 of its content.
    pub digest: String,
    /// Length of its content.
    pub len: u64,
    /// Where the content belongs.
    pub offset: u64,
}

/// What a signature is checked with.
#[derive(Clone)]
pub enum Key<'a> {
    /// A shared secret, algorithm `HMAC-SHA256`.
    Hmac(&'a [u8]),
    /// A public key, algorithm `Ed25519`.
    Ed25519([u8; 32]),
}

/// Why a manifest, a chunk or a chain can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// Not this format; names the field.
    #[error("not a manifest: {0}")]
    Format(String),
    /// The hash it carries is not its own.
    #[error("content_hash is {found}, the manifest's content gives {computed}")]
    ContentHash {
        /// What the manifest says.
        found: String,
        /// What its content gives.
        computed: String,
    },
    /// Nobody signed it.
    #[error("has no signature")]
    NotSigned,
    /// Signed in another way than the key at hand can check.
    #[error("is signed with {found}, the key given is for {wanted}")]
    Algorithm {
        /// The signature's label.
        found: String,
        /// The key's algorithm.
        wanted: &'static str,
    },
    /// The signature is not this key's over this content.
    #[error("signature does not hold")]
    Signature,
    /// A chunk has another length.
    #[error("chunk {chunk_id} has {found} bytes, the manifest {wanted}")]
    ChunkLength {
        /// The chunk.
        chunk_id: String,
        /// Bytes that are there.
        found: u64,
        /// Bytes of the manifest.
        wanted: u64,
    },
    /// A chunk has other content.
    #[error("chunk {chunk_id} has SHA-256 {found}, the manifest {wanted}")]
    ChunkDigest {
        /// The chunk.
        chunk_id: String,
        /// Digest of what is there.
        found: String,
        /// Digest of the manifest.
        wanted: String,
    },
    /// The chunk is sealed, and its digest is that of what was sealed.
    #[error("chunk {chunk_id} is sealed; its digest can be checked with the data key only")]
    Sealed {
        /// The chunk.
        chunk_id: String,
    },
    /// A line of the authorization log does not follow from the one before.
    #[error("authorization {line}: {why}")]
    Chain {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Manifest {
    /// Reads a manifest and recomputes its content hash.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadManifest> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| BadManifest::Format(error.to_string()))?;
        let Value::Object(object) = value else {
            return Err(BadManifest::Format("not an object".to_string()));
        };
        let text = |key: &str| {
            let found = object.get(key).and_then(Value::as_str).map(String::from);
            found.ok_or_else(|| BadManifest::Format(format!("`{key}` is missing or no string")))
        };
        let manifest_id = text("manifest_id")?;
        let found = text("content_hash")?;
        let computed = content_hash(&object);
        if Sha256Digest::parse(&found) != Some(computed) {
            return Err(BadManifest::ContentHash { found, computed: computed.prefixed() });
        }
        let chunks = object.get("chunks").ok_or_else(|| BadManifest::Format("`chunks` is missing".to_string()))?;
        let chunks = Vec::deserialize(chunks).map_err(|error| BadManifest::Format(format!("`chunks`: {error}")))?;
        let (base_index, epoch) = (u64_of(&object, "base_index"), u64_of(&object, "epoch"));
        let encrypted = object.get("encryption").is_some_and(Value::is_object);
        Ok(Self { manifest_id, content_hash: computed, chunks, base_index, epoch, encrypted, object })
    }

    /// A field that this type has no name for.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.object.get(key)
    }

    /// Checks who signed the manifest.
    pub fn verify_signature(&self, key: &Key<'_>) -> Result<(), BadManifest> {
        let signature = self.object.get("signature").filter(|value| !value.is_null()).ok_or(BadManifest::NotSigned)?;
        let field = |name: &str| {
            let text = signature.get(name).and_then(Value::as_str);
            text.ok_or_else(|| BadManifest::Format(format!("`signature.{name}` is missing or no string")))
        };
        let (algorithm, value) = (field("algorithm")?, field("value")?);
        if algorithm != key.algorithm() {
            return Err(BadManifest::Algorithm { found: algorithm.to_string(), wanted: key.algorithm() });
        }
        let message = signed_bytes(&self.object);
        let value = hash::unhex(value).ok_or(BadManifest::Signature)?;
        let holds = match key {
            Key::Hmac(secret) => hash::equal_in_constant_time(&hash::hmac_sha256(secret, message.as_bytes()), &value),
            Key::Ed25519(public) => ed25519_holds(public, message.as_bytes(), &value),
        };
        if holds { Ok(()) } else { Err(BadManifest::Signature) }
    }
}

impl Chunk {
    /// Checks a chunk's bytes as they are on disk.
    pub fn verify(&self, bytes: &[u8], encrypted: bool) -> Result<(), BadManifest> {
        /// What AES-GCM adds to a sealed chunk.
        const TAG_LEN: u64 = 16;
        let found = bytes.len() as u64;
        if encrypted && found == self.len + TAG_LEN {
            return Err(BadManifest::Sealed { chunk_id: self.chunk_id.clone() });
        }
        if found != self.len {
            return Err(BadManifest::ChunkLength { chunk_id: self.chunk_id.clone(), found, wanted: self.len });
        }
        let digest = Sha256Digest::of(bytes);
        if Sha256Digest::parse(&self.digest) == Some(digest) {
            return Ok(());
        }
        let (found, wanted) = (digest.prefixed(), self.digest.clone());
        Err(BadManifest::ChunkDigest { chunk_id: self.chunk_id.clone(), found, wanted })
    }
}

impl Key<'_> {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HMAC-SHA256",
            Self::Ed25519(_) => "Ed25519",
        }
    }
}

/// A manifest's text: sorted compact JSON with its content hash set, and no signature.
pub fn render(mut object: Map<String, Value>) -> String {
    object.remove("signature");
    object.insert("content_hash".into(), Value::String(content_hash(&object).prefixed()));
    json::canonical(&Value::Object(object))
}

/// Hash over a manifest's content.
pub fn content_hash(object: &Map<String, Value>) -> Sha256Digest {
    json::content_hash(object, &["content_hash", "signature"])
}

/// What a signature covers: the manifest with its content hash, without the signature.
pub fn signed_bytes(object: &Map<String, Value>) -> String {
    let kept = object.iter().filter(|(key, _)| key.as_str() != "signature");
    json::canonical(&Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

/// One line of `manifest_authorizations.log`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Authorization {
    /// Snapshot that was authorised.
    pub manifest_id: String,
    /// Its last entry.
    pub base_index: u64,
    /// Counts authorizations.
    pub auth_seq: u64,
    /// Content hash of its manifest.
    pub manifest_hash: String,
    /// Hash over the previous line's and this one.
    pub chain_hash: String,
}

/// Hash of an authorization that follows `previous` (32 zeros for the first).
pub fn chain_hash(previous: &[u8; 32], manifest_id: &str, auth_seq: u64, manifest_hash: &str) -> Sha256Digest {
    let hasher = Sha256::new().chain_update(previous).chain_update(manifest_id).chain_update(auth_seq.to_be_bytes());
    Sha256Digest(hasher.chain_update(manifest_hash).finalize().into())
}

/// Walks an authorization log: every line's hash, and that sequence numbers rise by one.
pub fn chain(log: &str) -> Result<Vec<Authorization>, BadManifest> {
    let mut walked: Vec<Authorization> = Vec::new();
    let mut previous = [0; 32];
    for (at, text) in log.lines().enumerate() {
        let broken = |why: String| BadManifest::Chain { line: at + 1, why };
        let line: Authorization = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        if let Some(last) = walked.last()
            && last.auth_seq.checked_add(1) != Some(line.auth_seq)
        {
            return Err(broken(format!("auth_seq {} follows {}", line.auth_seq, last.auth_seq)));
        }
        let computed = chain_hash(&previous, &line.manifest_id, line.auth_seq, &line.manifest_hash);
        if Sha256Digest::parse(&line.chain_hash) != Some(computed) {
            return Err(broken(format!("chain_hash is {}, the line gives {computed}", line.chain_hash)));
        }
        previous = computed.0;
        walked.push(line);
    }
    Ok(walked)
}

fn ed25519_holds(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(public), Signature::from_slice(signature)) else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}

fn u64_of(object: &Map<String, Value>, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Map<String, Value> {
        let digest = Sha256Digest::of(b"state").prefixed();
        let value = json!({
            "manifest_id": "snap-7-2", "epoch": 7,
            "chunks": [{"chunk_id": "state.json", "digest": digest, "len": 5, "offset": 0}],
        });
        value.as_object().unwrap().clone()
    }

    fn signed(algorithm: &str, value: &str) -> String {
        let mut object: Map<String, Value> = serde_json::from_str(&render(object())).unwrap();
        object.insert("signature".into(), json!({"algorithm": algorithm, "value": value}));
        Value::Object(object).to_string()
    }

    #[test]
    fn a_changed_field_breaks_the_content_hash() {
        let text = render(object());
        assert!(text.starts_with("{\"chunks\":[{\"chunk_id\""));
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap().epoch, Some(7));
        let changed = text.replace("\"epoch\":7", "\"epoch\":8");
        assert!(matches!(Manifest::parse(changed.as_bytes()), Err(BadManifest::ContentHash { .. })));
        let added = text.replace("{\"chunks\"", "{\"evil\":1,\"chunks\"");
        assert!(matches!(Manifest::parse(added.as_bytes()), Err(BadManifest::ContentHash { .. })));
    }

    #[test]
    fn a_signature_holds_for_its_key_and_its_algorithm_only() {
        let bare: Map<String, Value> = serde_json::from_str(&render(object())).unwrap();
        let mac = hash::hex(&hash::hmac_sha256(b"key", signed_bytes(&bare).as_bytes()));
        let manifest = Manifest::parse(signed("HMAC-SHA256", &mac).as_bytes()).unwrap();
        assert_eq!(manifest.verify_signature(&Key::Hmac(b"key")), Ok(()));
        assert_eq!(manifest.verify_signature(&Key::Hmac(b"other")), Err(BadManifest::Signature));
        let relabelled = Manifest::parse(signed("Ed25519", &mac).as_bytes()).unwrap();
        assert!(matches!(relabelled.verify_signature(&Key::Hmac(b"key")), Err(BadManifest::Algorithm { .. })));
        let unsigned = Manifest::parse(render(object()).as_bytes()).unwrap();
        assert_eq!(unsigned.verify_signature(&Key::Hmac(b"key")), Err(BadManifest::NotSigned));

        let secret = ed25519_dalek::SigningKey::from_bytes(&[42; 32]);
        let signature = ed25519_dalek::Signer::sign(&secret, signed_bytes(&bare).as_bytes());
        let manifest = Manifest::parse(signed("Ed25519", &hash::hex(&signature.to_bytes())).as_bytes()).unwrap();
        let public = secret.verifying_key().to_bytes();
        assert_eq!(manifest.verify_signature(&Key::Ed25519(public)), Ok(()));
        assert_eq!(manifest.verify_signature(&Key::Ed25519([1; 32])), Err(BadManifest::Signature));
    }

    #[test]
    fn chunks_are_checked_by_length_and_digest() {
        let manifest = Manifest::parse(render(object()).as_bytes()).unwrap();
        let chunk = &manifest.chunks[0];
        assert_eq!(chunk.verify(b"state", false), Ok(()));
        assert!(matches!(chunk.verify(b"stat", false), Err(BadManifest::ChunkLength { .. })));
        assert!(matches!(chunk.verify(b"stata", false), Err(BadManifest::ChunkDigest { .. })));
        assert!(matches!(chunk.verify(&[0; 21], true), Err(BadManifest::Sealed { .. })));
    }

    #[test]
    fn a_chain_breaks_where_it_was_changed() {
        let mut previous = [0; 32];
        let lines: Vec<String> = (1..=3)
            .map(|seq| {
                let hash = chain_hash(&previous, "snap", seq, "0xaa");
                previous = hash.0;
                json!({"manifest_id": "snap", "base_index": seq, "auth_seq": seq, "manifest_hash": "0xaa", "chain_hash": hash.prefixed()})
                    .to_string()
            })
            .collect();
        assert_eq!(chain(&lines.join("\n")).unwrap().len(), 3);
        assert!(matches!(chain(&lines[1..].join("\n")), Err(BadManifest::Chain { line: 1, .. })));
        let swapped = [lines[0].clone(), lines[2].clone()].join("\n");
        assert!(matches!(chain(&swapped), Err(BadManifest::Chain { line: 2, .. })));
        let changed = lines.join("\n").replacen("0xaa", "0xab", 1);
        assert!(matches!(chain(&changed), Err(BadManifest::Chain { line: 1, .. })));
    }
}
