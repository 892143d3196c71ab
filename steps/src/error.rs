//! Why an attempt did not succeed, and what is known of the world after it.

use ceptra_flow_core::input::{Failure, Left};
use ceptra_flow_core::json::Json;
use ceptra_flow_core::{Effect, Name, input};
use serde_json::Value;

/// What is known of the effect of an attempt that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// It failed, and this is what it left.
    Left(Left),
    /// Nobody knows whether the effect happened.
    Unknown,
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// `exit`, `timeout`, `spawn`, `connect`, `status`, `parse`, …: what `retry.on` names.
    pub class: &'static str,
    /// What happened, for people; one or a few lines.
    pub message: String,
    /// What is known of the effect.
    pub left: Aftermath,
    /// The exit code, where there is one.
    pub exit_code: Option<i64>,
    /// More for machines; boxed, because errors travel through many hands and seldom have one.
    pub detail: Option<Box<Value>>,
}

impl StepError {
    /// A failure before anything happened to the world.
    #[must_use]
    pub fn nothing(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(class, message, Aftermath::Left(Left::Nothing))
    }

    /// A failure that left something, perhaps all of the effect.
    #[must_use]
    pub fn partial(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(class, message, Aftermath::Left(Left::Partial))
    }

    /// An end after which nobody knows whether the effect happened. For a step that only reads it is an
    /// ordinary failure; [`StepError::into_result`] makes that difference, a step need not.
    #[must_use]
    pub fn unknown(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(class, message, Aftermath::Unknown)
    }

    /// Parameters that are wrong only once rendered; class `parameter`.
    #[must_use]
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::nothing("parameter", message)
    }

    /// Asked for something that the type cannot do; class `unsupported`.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::nothing("unsupported", message)
    }

    /// Stopped before anything began; class `cancelled`.
    #[must_use]
    pub fn cancelled_before_start() -> Self {
        Self::nothing("cancelled", "stopped before it began")
    }

    /// The same, with an exit code.
    #[must_use]
    pub fn with_exit_code(mut self, code: i64) -> Self {
        self.exit_code = Some(code);
        self
    }

    /// The same, with more for machines.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }

    /// Whether nobody knows if the effect happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self.left {
            Aftermath::Unknown => true,
            Aftermath::Left(_) => false,
        }
    }

    /// The report to the scheduler: `Unknown` only where the effect changes the world.
    #[must_use]
    pub fn into_result(self, effect: Effect) -> input::Result {
        let unknown = self.is_unknown() && !effect.is_read();
        let left = match (self.left, effect.is_read()) {
            (_, true) => Left::Nothing,
            (Aftermath::Left(left), false) => left,
            (Aftermath::Unknown, false) => Left::Partial,
        };
        let failure = Failure {
            class: Name::from(self.class),
            message: self.message,
            left,
            exit_code: self.exit_code,
            detail: self.detail.map(|detail| Json::from(*detail)),
        };
        if unknown { input::Result::Unknown(failure) } else { input::Result::Failed(failure) }
    }

    fn new(class: &'static str, message: impl Into<String>, left: Aftermath) -> Self {
        Self { class, message: message.into(), left, exit_code: None, detail: None }
    }
}
