//! A plan's edges the other way round, and its steps by name: made once, compact, never changed.

use crate::ids::StepIx;
use crate::plan::{Plan, place};
use alloc::vec;
use alloc::vec::Vec;

/// Who needs whom, and who is called what.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// `dependents[starts[s]..starts[s + 1]]` are the steps that need step `s`.
    starts: Vec<u32>,
    dependents: Vec<StepIx>,
    /// All steps, sorted by id.
    by_id: Vec<StepIx>,
}

impl Graph {
    /// The graph of a plan; `None` when a need points outside the plan.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let count = plan.steps.len();
        let mut starts = vec![0_u32; count + 1];
        for need in plan.steps.iter().flat_map(|step| &step.needs) {
            *starts.get_mut(need.at() + 1)? += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut dependents = vec![StepIx(0); starts[count] as usize];
        for (at, step) in plan.places() {
            for need in &step.needs {
                let slot = &mut next[need.at()];
                dependents[*slot as usize] = at;
                *slot += 1;
            }
        }
        let mut by_id: Vec<StepIx> = (0..count).map(place).collect();
        by_id.sort_by(|one, other| plan.step(*one).id.cmp(&plan.step(*other).id));
        Some(Self { starts, dependents, by_id })
    }

    pub(super) fn dependents(&self, step: StepIx) -> &[StepIx] {
        &self.dependents[self.starts[step.at()] as usize..self.starts[step.at() + 1] as usize]
    }

    pub(super) fn find(&self, plan: &Plan, id: &str) -> Option<StepIx> {
        let at = self.by_id.binary_search_by(|step| plan.step(*step).id.as_str().cmp(id)).ok()?;
        Some(self.by_id[at])
    }
}
