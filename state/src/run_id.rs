//! A run's name.

use crate::error::StoreError;
use ceptra_flow_core::ids::Name;
use std::fmt;

/// A run's id: a UUID of version 7, so that later runs sort later. Its text is lower case with hyphens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Name);

impl RunId {
    /// A new one, later than every one made before on this host.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Name::from(uuid::Uuid::now_v7().hyphenated().to_string()))
    }

    /// The id that a text names in full.
    ///
    /// # Errors
    /// When the text is not a UUID.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let uuid = uuid::Uuid::try_parse(text).map_err(|_| StoreError::NotARunId { text: text.into() })?;
        Ok(Self(Name::from(uuid.hyphenated().to_string())))
    }

    /// What a journal or a directory calls its run, which somebody may have altered.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(Name::from(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// As the core's events hold it.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a prefix of an id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One run.
    One(RunId),
    /// Several, newest first.
    Ambiguous(Vec<RunId>),
    /// None.
    Nothing,
}
