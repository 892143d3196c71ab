//! The lab from outside: recovered by plain HTTP calls, sabotaged, killed, and judged.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod driver;
mod kill;
mod recovery;
mod sabotage;
mod surface;
