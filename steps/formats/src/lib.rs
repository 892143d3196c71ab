//! The bytes CEPtra and Clustor keep: encoding, decoding and judging them, and nothing else.
//!
//! Pure functions over slices and values. The crate does not link `std`, so it opens no file, knows
//! no clock and asks no server; whoever calls it has read the files already. It never panics on and
//! never allocates by a length that a hostile file claims.
//!
//! Start at [`frame`] for one WAL entry, at [`scan`] for the verdict over a whole log, at
//! [`dr_plan`] for the disaster-recovery plan and its report.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bootstrap;
pub mod dr_plan;
pub mod durability;
pub mod frame;
pub mod hash;
pub mod json;
pub mod manifest;
pub mod pins;
pub mod scan;
pub mod shipment;

#[cfg(test)]
mod recorded;

/// Property tests try the same cases every time, and write no file.
#[cfg(test)]
fn seeded() -> proptest::test_runner::Config {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(0xce97);
    proptest::test_runner::Config { rng_seed, failure_persistence: None, ..Default::default() }
}
