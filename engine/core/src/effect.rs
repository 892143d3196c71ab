//! What running a step again does to the world.

use serde::{Deserialize, Serialize};

/// What re-running a step does to the world; decides what happens to an attempt in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing: run again.
    Read,
    /// Running twice equals running once: run again.
    Idempotent,
    /// The target rejects a repeated idempotency key: run again with the same key.
    Keyed,
    /// The world can be asked: run the probe.
    Probe,
    /// Cannot be asked, must not repeat: an operator decides.
    Once,
}

impl Effect {
    /// The name used in runbooks, plans and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Probe => "probe",
            Self::Once => "once",
        }
    }

    /// The effect with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == name)
    }

    /// Whether the world is left as it was.
    #[must_use]
    pub fn is_read(self) -> bool {
        match self {
            Self::Read => true,
            Self::Idempotent | Self::Keyed | Self::Probe | Self::Once => false,
        }
    }

    /// Every effect, from the laxest to the strictest.
    pub const ALL: [Self; 5] = [Self::Read, Self::Idempotent, Self::Keyed, Self::Probe, Self::Once];
}
