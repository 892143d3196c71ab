//! The lab from outside: recovered by plain HTTP calls, sabotaged, killed, and judged.

mod driver;
mod kill;
mod recovery;
mod sabotage;
mod surface;
