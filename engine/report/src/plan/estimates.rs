//! How long it usually takes, from earlier runs.

use ceptra_flow_core::event::Outcome;
use ceptra_flow_core::{Name, RunState, Timestamp};
use std::collections::BTreeMap;

/// How long earlier runs of the same runbook on the same target took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimates {
    /// How many runs.
    pub runs: usize,
    /// The whole run, ms: half of them were faster.
    pub p50_ms: u64,
    /// The whole run, ms: one in twenty was slower.
    pub p95_ms: u64,
    /// Steps by id, ms: the usual duration.
    pub steps: BTreeMap<Name, u64>,
}

impl Estimates {
    /// What the runs that ended well tell; `None` when none did. The caller picks those of the runbook and target.
    #[must_use]
    pub fn from_runs<'a>(runs: impl IntoIterator<Item = &'a RunState>) -> Option<Self> {
        let mut whole: Vec<u64> = Vec::new();
        let mut steps: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
        for state in runs {
            let Some(ended) = state.ended_at().filter(|_| state.outcome() == Some(Outcome::Done)) else { continue };
            whole.push(ended.ms_since(state.started_at()));
            for (at, step) in state.plan().places() {
                let instances = state.instances(at);
                let first = instances.iter().filter_map(|instance| instance.started_at).min();
                let last = instances.iter().filter_map(|instance| instance.ended_at).max();
                if let (Some(first), Some(last)) = (first, last) {
                    steps.entry(step.id.clone()).or_default().push(Timestamp::ms_since(last, first));
                }
            }
        }
        whole.sort_unstable();
        let (p50_ms, p95_ms) = (nearest_rank(&whole, 50)?, nearest_rank(&whole, 95)?);
        let usual = |(id, mut taken): (Name, Vec<u64>)| {
            taken.sort_unstable();
            Some((id, nearest_rank(&taken, 50)?))
        };
        Some(Self { runs: whole.len(), p50_ms, p95_ms, steps: steps.into_iter().filter_map(usual).collect() })
    }
}

/// The smallest value that this percentage of all values does not exceed.
fn nearest_rank(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}
