//! The rehearsal lab: a small CEPtra deployment on loopback and real files, which breaks in the real
//! ways and judges from its own records.
//!
//! ```no_run
//! # async fn rehearse(dir: &std::path::Path) -> Result<(), ceptra_flow_lab::LabError> {
//! use ceptra_flow_lab as lab;
//!
//! let config = lab::LabConfig { scenario: lab::Scenario::RegionLoss, ..lab::LabConfig::default() };
//! lab::create(dir, &config)?;
//! lab::serve(dir).await?; // usually in a process of its own
//! assert_eq!(lab::judge(dir)?.verdict, lab::Word::Bad); // nobody recovered anything
//! # Ok(())
//! # }
//! ```
//!
//! The lab knows nothing of runbooks, plans or runs: it offers operations over HTTP and files, as a
//! real installation would, and docs/reference/lab-api.md lists them. It has no consensus protocol
//! of its own: replicas of a cluster live in one process, and agreeing is a lock. Start at
//! [`LabConfig`], [`create`], [`serve`] and [`judge`].

use std::io;
use std::path::{Path, PathBuf};

mod checkouts;
pub mod client;
mod clients;
mod config;
mod control_plane;
mod control_plane_port;
mod create;
mod data_port;
mod disk;
mod evidence;
mod gate;
mod group;
mod http;
mod ingress;
mod judge;
mod layout;
mod ledger;
mod membership;
mod node;
mod objects;
mod readiness;
mod replica;
mod serve;
mod snapshots;
mod switchboard;
mod target;
mod tls;
mod world;

pub use config::{
    DR, FIRST_EPOCH, Fault, FaultKind, LabConfig, OPERATOR, PRIMARY, ROUTES, Scenario, UnknownFault, When,
};
pub use create::create;
pub use judge::{Verdict, Word, judge};
pub use serve::{endpoints, inject, is_ready, is_running, serve, serve_until, settle, stop};
pub use target::{target_toml, target_toml_for};

/// What can go wrong with a lab itself, as opposed to in it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Sizes or a scenario that no lab can have.
    #[error("{0}")]
    Config(String),
    /// There is a lab already.
    #[error("there is a lab in `{}` already", dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// Another process serves the lab, or does not let go of it.
    #[error("another process serves the lab in `{}`", dir.display())]
    Running {
        /// Which lab.
        dir: PathBuf,
    },
    /// The lab has not said yet where its parts are.
    #[error("the lab in `{}` is not ready", dir.display())]
    NotReady {
        /// Which lab.
        dir: PathBuf,
    },
    /// A file can't be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the lab's own is not what the lab writes.
    #[error("`{}` is not what a lab writes", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// A file has the right form and the wrong content.
    #[error("`{}`: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate can't be made.
    #[error("cannot make a certificate")]
    Certificate {
        /// Why.
        source: rcgen::Error,
    },
    /// Certificates are there and can't be used.
    #[error("cannot use the certificates in `{}`: {reason}", path.display())]
    Tls {
        /// Where they are.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No port can be had.
    #[error("cannot listen on the loopback interface")]
    Bind(#[source] io::Error),
    /// The lab runs and does not answer.
    #[error("no answer from {url}")]
    Unreachable {
        /// Where it should listen.
        url: String,
        /// What the system says.
        source: io::Error,
    },
    /// A fault that has a name and can't be caused yet.
    #[error("fault `{fault}` is not available yet")]
    NotAvailable {
        /// Its name.
        fault: String,
    },
    /// A part of the lab ended that never should.
    #[error("a part of the lab ended by itself")]
    Ended,
}

impl LabError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// What a port says when the lab's own files fail it.
    fn reply(&self) -> http::Reply {
        http::Reply::error(500, self.to_string())
    }
}
