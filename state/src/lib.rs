//! The state store: journals, their owners, blobs, the inbox, locks, audit and signatures.
//!
//! Knows what a record is, not what it means: no scheduling, no rendering, no network, and nothing here prints. A process
//! that writes here should ignore SIGXFSZ (the command line does), so that a file-size limit is an error and not a death.
//! Start at [`Store`]; what every journal does is [`Journal`].

pub mod audit;
pub mod blobs;
pub mod chain;
pub mod conformance;
pub mod error;
pub mod faulty;
pub mod inbox;
pub mod journal;
pub mod lock;
pub mod memory;
pub mod owned;
pub mod reader;
pub mod run_id;
pub mod signing;
pub mod sqlite;
pub mod store;

#[cfg(feature = "crash-points")]
mod crash;
mod files;

pub use audit::{AuditReport, Break, BreakKind, audit};
pub use blobs::Blobs;
pub use chain::Hash;
pub use error::{AppendError, LockError, OpenError, ReadError, StoreError};
pub use faulty::{Fault, Faulty};
pub use inbox::{Inbox, Posted, Reply};
pub use journal::{Head, Journal, Journals, RequestId};
pub use lock::{Holder, NamedLocks, Who};
pub use memory::{MemoryJournal, MemoryStore};
pub use owned::Owned;
pub use reader::{Reader, Records};
pub use run_id::{Found, RunId};
pub use signing::{Signature, Signer};
pub use sqlite::SqliteJournal;
pub use store::Store;
