//! Large plans by shape, and a world in which everything succeeds at once.

use super::{Table, engine, output, started};
use ceptra_flow_core::input::{Command, Result as Report};
use ceptra_flow_core::plan::{Limits, RunbookInfo, SEMANTICS, StepPlan, TargetInfo, TargetKind};
use ceptra_flow_core::{Effect, Input, Json, Name, Plan, Scheduler, StepIx, Timestamp};
use std::collections::VecDeque;

/// How a large plan's edges run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Each step needs the one before.
    Chain,
    /// One step, all the others at once, one step that needs them all.
    Fan,
    /// Layers of a hundred steps, each with three needs in the layer before.
    Layers,
    /// One `for_each` step.
    Items,
}

/// Every shape.
pub(crate) const SHAPES: [Shape; 4] = [Shape::Chain, Shape::Fan, Shape::Layers, Shape::Items];

/// A plan of about `count` steps (or instances).
pub(crate) fn shaped(shape: Shape, count: u32) -> Plan {
    if let Shape::Items = shape {
        let keys: Vec<String> = (0..count).map(|at| format!("k{at}")).collect();
        return super::plan(&format!("s: each={}", keys.join("+")));
    }
    let needs = |at: u32| -> Vec<StepIx> {
        match shape {
            Shape::Chain => at.checked_sub(1).into_iter().map(StepIx).collect(),
            Shape::Fan if at == 0 => vec![],
            Shape::Fan if at + 1 < count => vec![StepIx(0)],
            Shape::Fan => (1..at).map(StepIx).collect(),
            Shape::Layers if at < 100 => vec![],
            Shape::Layers => (0..3).map(|need| StepIx((at / 100 - 1) * 100 + (at + need * 37) % 100)).collect(),
            Shape::Items => vec![],
        }
    };
    let steps = (0..count).map(|at| StepPlan {
        id: Name::from(format!("step_{at}")),
        kind: Name::from("set"),
        needs: needs(at),
        with: Json::null(),
        effect: Effect::Once,
        timeout_ms: 1000,
        more: None,
    });
    Plan {
        semantics: SEMANTICS,
        runbook: RunbookInfo { name: "large".to_owned(), title: "Large".to_owned(), ..RunbookInfo::default() },
        target: TargetInfo { name: "t".to_owned(), kind: TargetKind::Lab, value: Json::null() },
        inputs: Json::null(),
        secrets: vec![],
        env: Json::null(),
        limits: Limits::default(),
        guard: None,
        steps: steps.collect(),
        main_count: count,
        until: None,
    }
}

/// Runs a plan to its end, each attempt succeeding in turn; how many records that took.
pub(crate) fn succeed(plan: &Plan) -> usize {
    let (mut scheduler, decision) =
        Scheduler::start(started(plan), engine(), &Table, Timestamp(0)).expect("the plan is of this version");
    let mut records = 0;
    let mut flights = VecDeque::new();
    let mut next = Some(decision);
    while let Some(decision) = next.take() {
        records += decision.records().len();
        let head = scheduler.state().head();
        for order in decision.release(head).expect("the records are durable") {
            if let Command::Run { attempt, .. } = order {
                flights.push_back(attempt);
            }
        }
        if let Some(attempt) = flights.pop_front() {
            let report = Input::Finished { attempt, result: Report::Done(output("ok")) };
            next = Some(scheduler.handle(Timestamp(1), report, &Table).expect("it is in flight"));
        }
    }
    assert!(scheduler.state().outcome().is_some(), "the run has come to its end");
    records
}
