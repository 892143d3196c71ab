//! The step types: what each needs, what it gives back, what it does to the world, and its code.
//!
//! A type is one file with one implementation of [`Step`], listed in [`registry()`]. The rest of the
//! workspace sees [`catalog()`] (plain data, for checking and for documentation) and [`carry_out()`] (one
//! attempt). Deliberately without any knowledge of plans, journals, retries or `verify`: a step is
//! given its rendered parameters and a [`StepContext`], and nothing else of the engine.

pub mod carry_out;
pub mod ceptra;
pub mod context;
pub mod endpoints;
pub mod error;
pub mod generic;
pub mod log;
pub mod process;
pub mod redact;
pub mod registry;
pub mod step;
pub mod values;

pub use carry_out::{Carried, Work, carry_out};
pub use context::{RunInfo, StepContext};
pub use error::{Aftermath, StepError};
pub use log::{LogSink, Stream};
pub use redact::Redactor;
pub use registry::{catalog, find, registry};
pub use step::{BoxFuture, Probed, Step};
