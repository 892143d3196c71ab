//! Everything anyone sees of a plan or a run: folds over plans and records, and their renderings.
//!
//! Writes to a writer it is given or returns values that serialise; opens no file, asks no clock, writes no journal,
//! decides nothing. Secrets never reach it. Start at [`PlanView`] for `plan`, [`RunView`] for `show`, [`Lines`] and
//! [`Ending`] for `run`, [`ReportBuilder`] for `report`.

mod commands;
mod cutover;
mod ending;
mod events;
mod incident;
mod lines;
mod outcome;
mod phrases;
mod plan;
mod runs;
mod screen;
mod show;
pub mod text;
mod time;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use commands::Commands;
pub use cutover::{Blobs, CutoverView, cutover, cutover_text, no_blobs};
pub use ending::Ending;
pub use events::event_json;
pub use incident::{
    AttemptRow, Checks, Decision, DecisionKind, Doubt, Evidence, Report, ReportBuilder, SettledBy, TimelineEntry,
};
pub use lines::Lines;
pub use outcome::{Head, Liveness, RunOutcome, outcome};
pub use plan::{Effects, Estimate, Estimates, PlanStep, PlanView, PlanWords};
pub use runs::write_runs;
pub use screen::Show;
pub use show::{ErrorView, OutputView, QuestionRow, RunView, StepRow};
pub use time::{Clock, duration, utc};
