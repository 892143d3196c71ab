//! Every step type of this installation. A new type is one file and one line here.

use crate::step::Step;
use crate::{ceptra, generic};
use ceptra_flow_core::catalog::StepType;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Every step type: the generic ones, then CEPtra's.
pub fn registry() -> impl Iterator<Item = &'static dyn Step> {
    generic::STEPS.iter().chain(ceptra::STEPS).copied()
}

/// What is known of every step type without its code.
#[must_use]
pub fn catalog() -> Vec<StepType> {
    registry().map(|step| step.describe()).collect()
}

/// The step type with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Step> {
    static BY_NAME: OnceLock<BTreeMap<&'static str, &'static dyn Step>> = OnceLock::new();
    BY_NAME.get_or_init(|| registry().map(|step| (step.describe().name, step)).collect()).get(name).copied()
}
