//! Reads every record as it becomes durable and checks it against the rules, with a fold of its own.

use crate::world::World;
use ceptra_flow_core::event::{Event, Outcome, Record};
use ceptra_flow_core::ids::{Attempt, Name};
use ceptra_flow_core::input::Verdict;
use ceptra_flow_core::plan::{OnFailure, StepPlan};
use ceptra_flow_core::state::{Stage, Status};
use ceptra_flow_core::{RunState, Scheduler, StepIx};

/// The fold over what is durable.
#[derive(Default)]
pub(crate) struct Audit {
    pub(crate) state: RunState,
}

impl Audit {
    /// One record: what must hold before it, then its effect on the fold.
    pub(crate) fn read(&mut self, record: &Record, world: &mut World) {
        self.judge(record, world);
        self.state.apply(record).expect("durable records continue the run");
    }

    fn judge(&self, record: &Record, world: &mut World) {
        match &record.event {
            Event::StepIntent(event) => self.may_start(&event.attempt),
            Event::UndoIntent(event) => {
                assert_eq!(*self.state.stage(), Stage::Undoing, "an undo starts only while undoing");
                assert!(!self.state.is_paused(), "an undo starts in a pause");
                let status = self.status(&event.attempt);
                assert!(matches!(status, Status::Done | Status::Undoing), "an undo of what is {status:?}");
                self.dependents_are_undone(&event.attempt);
            }
            Event::StepDone(event) => {
                let (at, step) = self.state.step(&event.attempt.step).expect("a step of the plan");
                let label = event.attempt.label();
                if step.is_approval() {
                    world.done_by_hand(&label);
                }
                assert!(world.is_there(&label), "`{label}` is recorded as done and is not there");
                let status = self.status(&event.attempt);
                assert!(
                    matches!(status, Status::Running | Status::Unknown | Status::Pending),
                    "{label} was {status:?}"
                );
                assert!(!self.state.plan().is_finally(at) || *self.state.stage() == Stage::Finally);
            }
            Event::UndoDone(event) => {
                let label = event.attempt.label();
                assert!(!world.is_there(&label), "`{label}` is recorded as undone and is there");
            }
            Event::RetryRequested(event) => self.reopened(&event.step, event.key.as_ref(), world),
            Event::FinallyStarted(_) => self.main_is_at_rest(),
            Event::RunFinished(event) => self.is_over(event.outcome, world),
            Event::RunStarted(_)
            | Event::EpochOpened(_)
            | Event::StepExpanded(_)
            | Event::StepSkipped(_)
            | Event::StepFailed(_)
            | Event::StepUnknown(_)
            | Event::ProbeAnswered(_)
            | Event::StepResolved(_)
            | Event::ApprovalRequested(_)
            | Event::ApprovalGranted(_)
            | Event::ApprovalRejected(_)
            | Event::ApprovalExpired(_)
            | Event::NoteAdded(_)
            | Event::RunPaused(_)
            | Event::RunUnpaused(_)
            | Event::CancelRequested(_)
            | Event::UndoRequested(_)
            | Event::UndoFailed(_)
            | Event::RunInterrupted(_) => {}
        }
    }

    fn status(&self, attempt: &Attempt) -> Status {
        let at = self.state.find(&attempt.step).expect("a step of the plan");
        let key = attempt.key.as_ref().map(Name::as_str);
        self.state.instance(at, key).map_or(Status::Pending, |(_, instance)| instance.status)
    }

    fn may_start(&self, attempt: &Attempt) {
        let label = attempt.label();
        let (at, step) = self.state.step(&attempt.step).expect("a step of the plan");
        let status = self.status(attempt);
        assert!(
            matches!(status, Status::Pending | Status::Running | Status::Unknown),
            "`{label}` starts although it is {status:?}"
        );
        let is_finally = self.state.plan().is_finally(at);
        let stage = if is_finally { Stage::Finally } else { Stage::Main };
        assert_eq!(*self.state.stage(), stage, "`{label}` starts in its part of the run's life");
        assert!(!self.state.is_paused(), "`{label}` starts in a pause");
        assert!(is_finally || !self.state.is_halted(), "`{label}` starts although the run is halted");
        assert!(is_finally || self.state.cancelled().is_none(), "`{label}` starts although the run is cancelled");
        for need in &step.needs {
            let status = self.state.status(*need);
            assert!(
                matches!(status, Status::Done | Status::Skipped),
                "`{label}` starts although what it needs is {status:?}"
            );
        }
        if self.state.until_holds() && !is_finally {
            let until = self.state.plan().until.expect("it holds");
            assert!(
                self.leads_to(at, until),
                "`{label}` starts although the run is to go no further than another step"
            );
        }
    }

    fn leads_to(&self, from: StepIx, to: StepIx) -> bool {
        from == to || self.state.dependents(from).iter().any(|next| self.leads_to(*next, to))
    }

    /// What needs a step is reversed before it.
    fn dependents_are_undone(&self, attempt: &Attempt) {
        let at = self.state.find(&attempt.step).expect("a step of the plan");
        for dependent in self.state.dependents(at) {
            let can_be_undone = self.state.plan().step(*dependent).undo().is_some();
            for instance in self.state.instances(*dependent) {
                assert!(instance.status != Status::Undoing, "`{}` is undone before what needs it", attempt.label());
                let scope = self.state.undo().expect("an undo was asked for").from;
                let given_up = instance.more.as_ref().and_then(|more| more.resolved.as_ref());
                let stays = given_up.is_some_and(|(verdict, _)| *verdict == Verdict::Skip);
                let is_due = instance.status == Status::Done && instance.done_seq >= scope && can_be_undone && !stays;
                assert!(!is_due, "`{}` is undone before what needs it was", attempt.label());
                assert!(
                    instance.status != Status::Unknown || !can_be_undone,
                    "`{}` is undone while nobody knows about what needs it",
                    attempt.label()
                );
            }
        }
    }

    /// A person asked for another try: new keys may bring effects again, and last steps are wanted once more.
    fn reopened(&self, step: &Name, key: Option<&Name>, world: &mut World) {
        let at = self.state.find(step).expect("a step of the plan");
        for instance in self.state.instances(at) {
            if key.is_none() || instance.key.as_ref() == key {
                world.excuse(&ceptra_flow_core::ids::label(step, instance.key.as_ref()));
            }
        }
        if !self.state.plan().is_finally(at) {
            for (at, step) in self.state.plan().places().filter(|(at, _)| self.state.plan().is_finally(*at)) {
                if self.state.attempts(at) > 0 || self.state.main_outcome().is_some() {
                    world.wanted_anew(&step.id);
                }
            }
        }
    }

    fn main_is_at_rest(&self) {
        self.wanted_undo_was_made();
        let plan = self.state.plan();
        for (at, step) in plan.places().filter(|(at, _)| !plan.is_finally(*at)) {
            for instance in self.state.instances(at) {
                let rests = !matches!(instance.status, Status::Running | Status::Undoing | Status::Stuck);
                assert!(rests, "`{}` is {:?} when the last steps start", step.id, instance.status);
                let given_up = self.state.cancelled().is_some();
                assert!(
                    given_up || instance.status != Status::Unknown,
                    "`{}` is in doubt when the last steps start",
                    step.id
                );
            }
        }
    }

    /// A failed step's `on_failure = "undo"` is not forgotten.
    fn wanted_undo_was_made(&self) {
        let plan = self.state.plan();
        let is_wanted = self.state.halted_by().any(|step| plan.step(step).on_failure() == OnFailure::Undo);
        if *self.state.stage() != Stage::Main || self.state.cancelled().is_some() || !is_wanted {
            return;
        }
        if plan.steps.iter().any(StepPlan::is_point_of_no_return) {
            return;
        }
        for (at, step) in plan.places().filter(|(at, step)| !plan.is_finally(*at) && step.undo().is_some()) {
            let done = self.state.instances(at).iter().any(|instance| instance.status == Status::Done);
            assert!(!done, "`{}` was to be undone", step.id);
        }
    }

    fn is_over(&self, outcome: Outcome, world: &World) {
        let plan = self.state.plan();
        self.main_is_at_rest();
        for (at, step) in plan.places() {
            let status = self.state.status(at);
            if plan.is_finally(at) {
                let settled = matches!(status, Status::Done | Status::Skipped | Status::Failed | Status::Blocked);
                assert!(settled, "the last step `{}` is {status:?} at the end", step.id);
            }
            if outcome == Outcome::Done {
                assert!(
                    matches!(status, Status::Done | Status::Skipped),
                    "`{}` is {status:?} in a run that is done",
                    step.id
                );
                for instance in self.state.instances(at).iter().filter(|instance| instance.status == Status::Done) {
                    let label = ceptra_flow_core::ids::label(&step.id, instance.key.as_ref());
                    assert!(world.is_there(&label), "the run is done and `{label}` is not there");
                }
            }
        }
    }

    /// The live state is what replaying gives.
    pub(crate) fn agrees_with(&self, scheduler: &Scheduler) {
        let replayed = Scheduler::resume(self.state.clone());
        assert_eq!(
            format!("{:?}", replayed.state()),
            format!("{:?}", scheduler.state()),
            "replaying gives the live state"
        );
    }
}
