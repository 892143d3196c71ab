//! The table of runs.

use crate::{Clock, RunView};
use ceptra_flow_core::Timestamp;
use std::fmt;

/// The table that `runs` prints, in the order given.
///
/// # Errors
/// When the writer fails.
pub fn write_runs(out: &mut dyn fmt::Write, runs: &[RunView], clock: &Clock, now: Timestamp) -> fmt::Result {
    let _ = (runs, clock, now);
    out.write_str("")
}
