//! The step types of CEPtra: each calls operations that the target binds, never a URL of its own.

use crate::step::Step;

/// Every CEPtra step type, in the order in which they are listed.
pub const STEPS: &[&dyn Step] = &[];
