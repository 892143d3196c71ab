//! The form of a plan: what can run side by side, and what it cannot end before.

use ceptra_flow_core::plan::place;
use ceptra_flow_core::{Plan, StepIx};
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

/// The main steps in order of their depth, and the longest chain among them.
pub(super) struct Shape {
    /// `waves[d]` are the steps that `d` others, one after the other, come before; each in the file's order.
    pub(super) waves: Vec<Vec<StepIx>>,
    /// The chain that takes longest.
    pub(super) critical: Vec<StepIx>,
    /// All main steps, each after those that it needs.
    pub(super) order: Vec<StepIx>,
}

/// What a step adds to a chain: its usual time, then itself.
type Weight = (u64, u32);

impl Shape {
    /// The shape of a plan's main steps. `usual_ms` is how long a step takes as a rule, 0 where nobody knows.
    pub(super) fn of(plan: &Plan, usual_ms: impl Fn(StepIx) -> u64) -> Self {
        let order = order(plan);
        let main = plan.main_count as usize;
        let mut depth = vec![0_usize; main];
        let mut length: Vec<Weight> = vec![(0, 0); main];
        let mut before: Vec<Option<StepIx>> = vec![None; main];
        for step in order.iter().copied() {
            let planned = plan.step(step);
            let mut best: Option<(Weight, StepIx)> = None;
            for need in main_needs(plan, step) {
                depth[step.at()] = depth[step.at()].max(depth[need.at()] + 1);
                let way = length[need.at()];
                // Of equal ways the one through the earlier step, so that the same plan shows the same path.
                let longer = best.is_none_or(|(most, through)| way > most || (way == most && need < through));
                if longer {
                    best = Some((way, need));
                }
            }
            let (way, through) = best.map_or(((0, 0), None), |(way, need)| (way, Some(need)));
            let own = if planned.left_out().is_some() { (0, 0) } else { (usual_ms(step), 1) };
            length[step.at()] = (way.0.saturating_add(own.0), way.1 + own.1);
            before[step.at()] = through;
        }
        let mut waves: Vec<Vec<StepIx>> = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
        for (at, depth) in depth.iter().enumerate() {
            waves[*depth].push(place(at));
        }
        Self { critical: chain(&length, &before), waves, order }
    }
}

/// The steps that a main step needs; a plan's main steps need main steps only.
fn main_needs(plan: &Plan, step: StepIx) -> impl Iterator<Item = StepIx> {
    plan.step(step).needs.iter().copied().filter(|need| !plan.is_finally(*need))
}

fn order(plan: &Plan) -> Vec<StepIx> {
    let main = plan.main_count as usize;
    let edges = plan.steps[..main].iter().map(|step| step.needs.len()).sum();
    let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(main, edges);
    for _ in 0..main {
        graph.add_node(());
    }
    for step in (0..main).map(place) {
        for need in main_needs(plan, step) {
            graph.add_edge(NodeIndex::new(need.at()), NodeIndex::new(step.at()), ());
        }
    }
    let sorted = toposort(&graph, None).expect("a plan that exists has no cycle: `runbook` refuses them");
    sorted.into_iter().map(|node| place(node.index())).collect()
}

fn chain(length: &[Weight], before: &[Option<StepIx>]) -> Vec<StepIx> {
    let mut last: Option<StepIx> = None;
    for at in (0..length.len()).map(place) {
        if last.is_none_or(|last| length[at.at()] > length[last.at()]) {
            last = Some(at);
        }
    }
    let mut chain: Vec<StepIx> = std::iter::successors(last, |step| before[step.at()]).collect();
    chain.reverse();
    chain
}
