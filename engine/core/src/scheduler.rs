//! Decides what happens next.
