//! JSON kept as text: what a step gives back, a step's parameters, a target.
//!
//! Text, because most outputs are never looked into, because the order of keys is part of what a person
//! compares, and because parsing on demand keeps a 10,000-step replay short.

use crate::ids::Name;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON document, as valid text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// The compact text of anything serialisable.
    ///
    /// # Panics
    /// Never for the types of this workspace: their maps have string keys.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(Arc::from(serde_json::to_string(value).expect("types of ours serialise: their maps have string keys")))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from("null"))
    }

    /// The text, valid JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The document as a value.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// The document as a type of ours.
    ///
    /// # Errors
    /// When the document has another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Text that somebody else wrote.
    ///
    /// # Errors
    /// When it is not one JSON document.
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        let raw = RawValue::from_string(text)?;
        Ok(Self(Arc::from(raw.get())))
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(Arc::from(value.to_string()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Arc::from(raw.get())))
    }
}

/// A document kept beside the journal because it is over 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of its bytes, 64 lower-case hex digits; also its file name under `blobs/`.
    pub sha256: Name,
    /// Its length in bytes.
    pub size: u64,
}

/// What a step gave back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The document itself.
    Inline(Json),
    /// Where the document is.
    Blob(BlobRef),
}

impl Output {
    /// `null`, the output of a step that was skipped.
    #[must_use]
    pub fn null() -> Self {
        Self::Inline(Json::null())
    }
}

/// Outputs longer than this many bytes go to a blob (durability.md, Journal 6).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
