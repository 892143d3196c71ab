//! The environment that a runbook acts on.

use crate::{Diagnostic, Source};
use ceptra_flow_core::plan::TargetInfo;
use serde_json::Value;
use std::sync::Arc;

/// A checked target file.
#[derive(Clone, Debug)]
pub struct Target {
    /// What a plan keeps of it.
    pub info: TargetInfo,
    /// The whole file as JSON, the same as `info.value`.
    pub value: Arc<Value>,
}

impl Target {
    /// Reads a target file: the target, if there is no error, and everything there is to say.
    #[must_use]
    pub fn parse(source: &Source<'_>) -> (Option<Self>, Vec<Diagnostic>) {
        let _ = source;
        unimplemented!()
    }
}
