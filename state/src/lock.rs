//! OS locks on files, which end with the process that holds them: who drives a run, and locks across runs.
//!
//! A lock file is never removed (removing one that another process just opened would give two owners); what is written in it
//! is only for messages. Locks are not inherited by child processes that exec.

use crate::error::{LockError, StoreError};
use crate::files;
use ceptra_flow_core::ids::Epoch;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Who takes something, for the messages that others get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The person.
    pub user: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
}

/// Who holds a lock, as written in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 when it has not said so yet.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// The person who started it.
    pub user: String,
    /// Since when, UTC.
    pub since: String,
    /// The epoch it drives in; for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The run it drives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return out.write_str("another process");
        }
        write!(out, "process {} of {} on {} (since {})", self.pid, self.user, self.host, self.since)
    }
}

impl Who {
    /// This process on this host, started by `user`.
    #[must_use]
    pub fn here(user: &str) -> Self {
        todo!()
    }
}

/// Locks across runs, held until dropped.
#[derive(Debug)]
pub struct NamedLocks {
    held: Vec<File>,
}
