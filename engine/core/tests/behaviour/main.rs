//! Every rule of the scheduler, one short run each.
//!
//! A test is a plan, a script of what the world and people do, and the text of what follows: [`play::check`].

#[path = "../support/mod.rs"]
mod support;

mod doubt;
mod ending;
mod instances;
mod order;
mod people;
mod play;
mod retries;
mod rules;
mod undoing;
