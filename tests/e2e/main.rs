//! End to end: the real binary, real files, real processes. One module per promise; start at [`support`].

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod approvals;
mod basics;
mod doubt;
mod guard;
mod house;
mod journal;
mod rehearsal;
mod rubbish;
mod secrets;
mod steering;
mod support;
