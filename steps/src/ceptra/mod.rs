//! The step types of CEPtra: each calls operations that the target binds, never a URL of its own.
//!
//! A mutating type has the effect `probe`: it calls the operation, then asks the world until the effect
//! shows. What a DR plan is made of comes from such steps' evidence only. Start at [`STEPS`];
//! operations and bindings are in `ops` and `binding`.

mod binding;
mod client;
mod cutover;
mod elect;
mod epoch;
mod evidence;
mod fingerprint;
mod freeze;
mod ingress;
mod membership;
mod ops;
mod plan;
mod preflight;
mod readyz;
mod restore;
mod shape;
mod shipments;
mod snapshot;
mod spec_check;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod validate;
mod wal_backfill;
mod wal_scan;
mod wal_verify;
mod world;

pub use fingerprint::fingerprint;

use crate::step::Step;

/// Every CEPtra step type, in the order in which a recovery uses them.
pub const STEPS: &[&dyn Step] = &[
    &preflight::Preflight,
    &spec_check::SpecCheck,
    &freeze::Freeze,
    &elect::Elect,
    &membership::PromoteVoter,
    &membership::EvictVoter,
    &snapshot::SnapshotVerify,
    &restore::RestoreControlPlane,
    &wal_scan::WalScan,
    &wal_backfill::WalBackfill,
    &wal_verify::WalVerify,
    &epoch::ClusterEpoch,
    &plan::Plan,
    &validate::Validate,
    &cutover::Cutover,
    &ingress::SwitchIngress,
    &ingress::ObserveIngress,
    &readyz::Readyz,
];
