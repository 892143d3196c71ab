//! One file per verb: its options, and what it does with them.

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod lab;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod note;
pub(crate) mod pause;
pub(crate) mod pictures;
pub(crate) mod plan;
pub(crate) mod reject;
pub(crate) mod report;
pub(crate) mod resolve;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod steps;
pub(crate) mod undo;
