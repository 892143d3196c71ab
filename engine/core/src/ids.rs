//! Identifiers and quantities that must not be mixed up.

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A step's id, a type's name, an instance key, a lock's name: short text that is cloned often.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl core::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

/// Milliseconds since 1970, UTC. Ordering of records never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This instant and `ms` milliseconds more.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 when the clock was set back between them.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A record's place in its journal; the first is 1, none is skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// One process's tenure of a run; the first is 1, and it only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A step's place in [`Plan::steps`](crate::Plan): the main steps first, then the `finally` steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIx(pub u32);

impl StepIx {
    /// As an index into a slice.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To have the step's effect.
    Do,
    /// To ask the world whether the effect of an attempt in doubt happened.
    Probe,
    /// To reverse the step's effect.
    Undo,
}

/// One try at one step (or one instance of it), in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The step's id.
    pub step: Name,
    /// The instance's key; `None` but for `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
    /// What the try is for.
    pub purpose: Purpose,
    /// 1 for the first try, rising over the life of the run, whatever the purpose.
    #[serde(rename = "attempt")]
    pub number: u32,
    /// The tenure in which it was started.
    pub epoch: Epoch,
}

impl Attempt {
    /// `step` or `step[key]`.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.step, self.key.as_ref())
    }
}

/// How people see a step or one of its instances: `step` or `step[key]`.
#[must_use]
pub fn label(step: &Name, key: Option<&Name>) -> String {
    match key {
        Some(key) => alloc::format!("{step}[{key}]"),
        None => String::from(step.as_str()),
    }
}
