//! What can be said of a runbook before it runs: names, shapes, order.
//!
//! [`expressions`] reads templates and conditions and checks every name in them, [`shape`] checks parameters against a step
//! type's declaration, [`graph`] checks who waits for whom. Findings go to a [`Sink`](crate::diagnostic::Sink).

pub(crate) mod expressions;
pub(crate) mod fields;
pub(crate) mod graph;
pub(crate) mod shape;
