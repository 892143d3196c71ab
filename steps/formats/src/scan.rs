//! The verdict over a whole log.
