//! The pure core: vocabulary, plan, the fold over a run's records, and the scheduler.
//!
//! Deliberately without `std`: no clock, no file, no thread, no environment, no randomness and no map
//! whose order changes. Time and everything else that happens arrives as an [`Input`]; what is to
//! be remembered leaves as [`Record`]s; what is to be done leaves as [`Command`]s, locked in a
//! [`Decision`] until the records are durable. Start at [`Scheduler`].
#![no_std]

extern crate alloc;

pub mod catalog;
pub mod effect;
pub mod event;
pub mod expressions;
pub mod ids;
pub mod input;
pub mod json;
pub mod plan;
pub mod scheduler;
pub mod state;

pub use effect::Effect;
pub use event::{Event, Record};
pub use expressions::{Expressions, Place, Prompt};
pub use ids::{Attempt, Epoch, Name, Seq, StepIx, Timestamp};
pub use input::{Command, Input};
pub use json::{BlobRef, Json, Output};
pub use plan::Plan;
pub use scheduler::{Decision, Scheduler, Standing};

pub use state::RunState;
