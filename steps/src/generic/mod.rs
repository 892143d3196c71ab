//! The types that every installation has, one file each.

mod approval;
mod assert;
mod exec;
mod file;
pub(crate) mod http;
mod manual;
mod set;
mod template;
mod wait;

mod atomic;
mod helpers;

pub use assert::{Checked, judge};

use crate::step::Step;

/// Every generic step type, in the order in which they are listed.
pub const STEPS: &[&dyn Step] = &[
    &exec::Exec,
    &http::Http,
    &wait::Wait,
    &assert::Assert,
    &approval::Approval,
    &manual::Manual,
    &template::Template,
    &file::File,
    &set::Set,
];

#[cfg(test)]
mod tests;
