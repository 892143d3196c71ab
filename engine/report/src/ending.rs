//! The last lines of a run: the verdict, what was recovered, the time it took, and what goes on.

use crate::{Blobs, Commands, Liveness};
use ceptra_flow_core::{RunState, Timestamp};
use std::fmt;

/// The last lines of `run` and `resume`.
pub struct Ending<'a> {
    /// The run.
    pub state: &'a RunState,
    /// Whether somebody still drives it (after `--detach`).
    pub liveness: Liveness,
    /// Now.
    pub now: Timestamp,
    /// How commands are spelled.
    pub commands: &'a Commands,
    /// Where the report was written, if it was.
    pub report: Option<&'a str>,
    /// Documents kept beside the journal.
    pub blobs: Blobs<'a>,
}

impl Ending<'_> {
    /// Writes them.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("")
    }
}
