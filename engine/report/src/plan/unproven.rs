//! What a plan leaves to trust: said before the run, because afterwards it is too late.

use super::shape::Shape;
use crate::text::some_of;
use ceptra_flow_core::plan::StepPlan;
use ceptra_flow_core::{Effect, Plan, StepIx};

/// Named in a list; the rest is counted.
const NAMES_MAX: usize = 6;

/// What is unproven, one line each.
pub(super) fn unproven(plan: &Plan, shape: &Shape) -> Vec<String> {
    let around = Around::of(plan, shape);
    let named = |wanted: &dyn Fn(StepIx, &StepPlan) -> bool| -> Option<String> {
        let mut found = plan
            .places()
            .filter(|(at, step)| step.left_out().is_none() && wanted(*at, step))
            .map(|(_, step)| &step.id)
            .peekable();
        found.peek()?;
        Some(some_of(found, NAMES_MAX, ", "))
    };
    let changes = |step: &StepPlan| !step.effect.is_read();
    let mut lines = Vec::new();
    if let Some(names) = named(&|_, step| step.effect == Effect::Once) {
        lines.push(format!("{names}: once cut short, only you can tell whether it happened (once)"));
    }
    if let Some(names) =
        named(&|at, step| around.is_after(plan, at) && changes(step) && !step.can_probe() && !is_verified(step))
    {
        lines.push(format!(
            "{names}: at or past the point of no return, with nothing that checks the result (no verify, no probe)"
        ));
    }
    if let Some(names) = named(&|at, step| step.is_point_of_no_return() && !around.asked[at.at()]) {
        lines.push(format!("{names}: the point of no return, and nobody is asked before it"));
    }
    if let Some(names) = named(&|at, step| around.is_before(plan, at) && changes(step) && step.undo().is_none()) {
        lines.push(format!("{names}: cannot be undone, though before the point of no return (no undo)"));
    }
    lines
}

fn is_verified(step: &StepPlan) -> bool {
    step.more.as_ref().is_some_and(|more| !more.verify.is_empty() || more.until.is_some())
}

/// Where the steps are, seen from the points of no return.
struct Around {
    /// A point of no return, or behind one.
    after: Vec<bool>,
    /// Before one.
    before: Vec<bool>,
    /// A person decides on the way to it, or at it.
    asked: Vec<bool>,
}

impl Around {
    fn of(plan: &Plan, shape: &Shape) -> Self {
        let count = plan.steps.len();
        let mut around = Self { after: vec![false; count], before: vec![false; count], asked: vec![false; count] };
        for step in shape.order.iter().copied() {
            let planned = plan.step(step);
            let needs = || planned.needs.iter();
            around.after[step.at()] = planned.is_point_of_no_return() || needs().any(|need| around.after[need.at()]);
            around.asked[step.at()] = planned.approval().is_some() || needs().any(|need| around.asked[need.at()]);
        }
        for step in shape.order.iter().rev().copied() {
            let planned = plan.step(step);
            if planned.is_point_of_no_return() || around.before[step.at()] {
                for need in &planned.needs {
                    around.before[need.at()] = true;
                }
            }
        }
        around
    }

    fn is_after(&self, plan: &Plan, at: StepIx) -> bool {
        self.after[at.at()] && !plan.is_finally(at)
    }

    fn is_before(&self, plan: &Plan, at: StepIx) -> bool {
        self.before[at.at()] && !self.after[at.at()] && !plan.is_finally(at)
    }
}
