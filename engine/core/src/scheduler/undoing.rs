//! Reversing what was done, the furthest from the start first, one level of the graph after the other.

use super::{Due, Rejected, Turn, failure};
use crate::Effect;
use crate::event;
use crate::ids::{Attempt, Name, Purpose, Seq, StepIx};
use crate::input::{Actor, Failure, Left, Result as Report};
use crate::plan::{OnFailure, Plan, Undo};
use crate::state::{Instance, Place, Stage, Status};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// What is still to be reversed in this tenure.
#[derive(Debug, Default)]
pub(super) struct UndoPlan {
    /// Instances by depth in the graph; `None` until made.
    levels: Option<BTreeMap<u32, Vec<Place>>>,
    /// Instances whose undo may start as soon as there is room.
    ready: BTreeSet<Place>,
}

impl Turn<'_> {
    pub(super) fn ask_for_undo(
        &mut self,
        to: Option<Name>,
        by: Actor,
        reason: Option<String>,
        past_point_of_no_return: bool,
    ) -> Result<(), Rejected> {
        if *self.state().stage() == Stage::Undoing {
            return Err(Rejected::Undoing);
        }
        if *self.state().stage() == Stage::Finally {
            return Err(Rejected::Over("at its last steps", "undone"));
        }
        let from = match &to {
            None => Seq(0),
            Some(to) => self.done_since(to)?,
        };
        if !past_point_of_no_return && let Some(point) = self.point_passed(from) {
            return Err(Rejected::PastPoint(point));
        }
        if self.reversible(from).is_empty() && self.scheduler.in_flight.is_empty() {
            return Err(Rejected::NothingToUndo);
        }
        let had_ended = self.state().outcome().is_some();
        self.record(event::UndoRequested { to, by: Some(by), reason, past_point_of_no_return });
        self.scheduler.undo_plan = UndoPlan::default();
        if had_ended {
            self.find_everything();
        }
        Ok(())
    }

    /// The record since which a step (and what came after it) is done.
    fn done_since(&self, step: &Name) -> Result<Seq, Rejected> {
        let at = self.state().find(step).ok_or_else(|| Rejected::NoSuchStep(String::from(step.as_str())))?;
        let done = self.state().instances(at).iter().map(|instance| instance.done_seq).filter(|seq| seq.0 > 0);
        done.min().ok_or(Rejected::NothingToUndo)
    }

    /// The point of no return, when it is done and lies in what would be reversed.
    fn point_passed(&self, from: Seq) -> Option<String> {
        let plan = self.state().plan();
        let mut points = plan.places().filter(|(_, step)| step.is_point_of_no_return());
        let passed = |one: &Instance| match one.status {
            Status::Done | Status::Undoing | Status::Stuck => one.done_seq >= from,
            Status::Running | Status::Unknown => true,
            Status::Failed => one.intents > 0 && one.error().is_none_or(|error| error.left == Left::Partial),
            Status::Pending | Status::Skipped | Status::Blocked | Status::Undone => false,
        };
        points
            .find(|(at, _)| self.state().instances(*at).iter().any(passed))
            .map(|(_, step)| String::from(step.id.as_str()))
    }

    /// What is done since a record and knows how to be reversed.
    fn reversible(&self, from: Seq) -> Vec<Place> {
        let plan = self.state().plan();
        let mut places = Vec::new();
        for (at, step) in plan.places().take(plan.main_count as usize) {
            if step.undo().is_none() {
                continue;
            }
            let instances = self.state().instances(at).iter().enumerate();
            let done = instances.filter(|(_, one)| one.status == Status::Done && one.done_seq >= from);
            places.extend(done.filter_map(|(index, _)| Some((at, u32::try_from(index).ok()?))));
        }
        places
    }

    /// Orders what is to be reversed.
    pub(super) fn plan_undo(&mut self) {
        let from = self.state().undo().map_or(Seq(0), |undo| undo.from);
        let depths = depths(self.state().plan());
        let mut levels: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        let kept = |place: &Place| self.state().undo().is_some_and(|undo| undo.keeps(*place));
        for place in self.reversible(from).into_iter().filter(|place| !kept(place)) {
            levels.entry(depths[place.0.at()]).or_default().push(place);
        }
        self.scheduler.undo_plan.levels = Some(levels);
    }

    /// Goes on with an undo as far as it can without hearing from the world.
    pub(super) fn advance_undo(&mut self) {
        if self.scheduler.interrupting.is_some() || self.state().is_paused() {
            return;
        }
        if let Some(step) = self.wanted_undo() {
            self.begin_wanted_undo(step);
        }
        if *self.state().stage() != Stage::Undoing {
            return;
        }
        if self.scheduler.undo_plan.levels.is_none() {
            // What is in flight or in doubt may yet turn out to be done, and is then reversed as well.
            if !self.scheduler.in_flight.is_empty() {
                return;
            }
            self.abandon_retries();
            if self.someone(Status::Unknown) {
                return;
            }
            self.clear_waiting();
            self.plan_undo();
        }
        self.start_undos();
        if self.scheduler.in_flight.is_empty() && self.level_is_over() {
            let deepest = self.scheduler.undo_plan.levels.as_mut().and_then(BTreeMap::pop_last);
            self.scheduler.undo_plan.ready.extend(deepest.into_iter().flat_map(|(_, places)| places));
            self.start_undos();
        }
    }

    fn level_is_over(&self) -> bool {
        self.scheduler.undo_plan.ready.is_empty() && !self.someone(Status::Undoing) && !self.someone(Status::Stuck)
    }

    /// Starts what may be reversed now, while there is room.
    fn start_undos(&mut self) {
        let room = super::starting::room(self.state().plan());
        while self.scheduler.in_flight.len() < room {
            let Some(place) = self.scheduler.undo_plan.ready.pop_first() else { return };
            let waits = matches!(self.state().at(place).status, Status::Done | Status::Undoing);
            if waits && !self.scheduler.in_flight.contains_key(&place) {
                self.start_undo(place);
            }
        }
    }

    /// The failed step whose `on_failure` is to reverse what was done, if the main steps have come to rest and
    /// there is something to reverse on this side of the point of no return. Read off the state, so that no crash loses it.
    pub(super) fn wanted_undo(&self) -> Option<StepIx> {
        let state = self.state();
        let rests = *state.stage() == Stage::Main && self.scheduler.in_flight.is_empty() && state.cancelled().is_none();
        let step = state.halted_by().find(|step| rests && state.plan().step(*step).on_failure() == OnFailure::Undo)?;
        (self.point_passed(Seq(0)).is_none() && !self.reversible(Seq(0)).is_empty()).then_some(step)
    }

    /// The point of no return that kept a failed step's `on_failure` from reversing what was done.
    pub(super) fn undo_was_refused(&self) -> Option<String> {
        let state = self.state();
        let wanted = state.halted_by().any(|step| state.plan().step(step).on_failure() == OnFailure::Undo);
        if wanted && state.undo().is_none() { self.point_passed(Seq(0)) } else { None }
    }

    fn begin_wanted_undo(&mut self, step: StepIx) {
        let reason = Some(alloc::format!("`{}` failed, and its `on_failure` is `undo`", self.plan().step(step).id));
        self.record(event::UndoRequested { to: None, by: None, reason, past_point_of_no_return: false });
        self.scheduler.undo_plan = UndoPlan::default();
    }

    pub(super) fn someone(&self, status: Status) -> bool {
        self.state().active().iter().any(|place| self.state().at(*place).status == status)
    }

    fn start_undo(&mut self, place: Place) {
        let instance = self.state().at(place);
        // Its own number: a target that keeps keys must not take the undo for a repetition of the step.
        let intent = if instance.status == Status::Undoing { instance.intents } else { instance.intents + 1 };
        let attempt = self.next_attempt(place, Purpose::Undo);
        self.record(event::UndoIntent { attempt: attempt.clone(), intent });
        self.launch(place, attempt, intent, None);
    }

    /// Another try at an undo.
    pub(super) fn undo_again(&mut self, place: Place) {
        if self.state().at(place).status == Status::Undoing {
            self.scheduler.undo_plan.ready.insert(place);
        }
    }

    /// An undo was in flight when the last tenure ended.
    pub(super) fn undo_lost(&mut self, place: Place) {
        if self.undo_repeats(place) {
            self.undo_again(place);
            return;
        }
        let attempt = self.left_attempt(place, Purpose::Undo);
        let error = failure("engine_lost", "the engine stopped while the step was being undone", Left::Partial);
        self.record(event::UndoFailed { attempt, error, retry_at: None });
    }

    /// Whether an undo in doubt may simply run again.
    fn undo_repeats(&self, place: Place) -> bool {
        let step = self.state().plan().step(place.0);
        let effect = match step.undo() {
            Some(Undo::Body(body)) => body.effect,
            // A type's own inverse asks the world before it acts.
            Some(Undo::Auto) | None => Effect::Idempotent,
        };
        match effect {
            Effect::Read | Effect::Idempotent | Effect::Keyed => true,
            Effect::Probe | Effect::Once => false,
        }
    }

    pub(super) fn undo_tried(&mut self, place: Place, attempt: &Attempt, result: Report) {
        match result {
            Report::Done(output) | Report::NotDone(output) => {
                self.record(event::UndoDone { attempt: attempt.clone(), output })
            }
            Report::Failed(error) => self.undo_failed(place, attempt, error, true),
            Report::Unknown(error) => {
                let repeats = self.undo_repeats(place);
                self.undo_failed(place, attempt, error, repeats);
            }
        }
    }

    fn undo_failed(&mut self, place: Place, attempt: &Attempt, error: Failure, may_repeat: bool) {
        let retry_at = self.retry_at(place, &error).filter(|_| may_repeat);
        self.record(event::UndoFailed { attempt: attempt.clone(), error, retry_at });
        if let Some(at) = retry_at {
            self.scheduler.due.insert((at, Due::Undo(place)));
        }
    }

    /// Whether an undo has nothing left to do.
    pub(super) fn undo_is_over(&self) -> bool {
        let levels = self.scheduler.undo_plan.levels.as_ref();
        levels.is_some_and(BTreeMap::is_empty) && self.level_is_over()
    }
}

/// Each step's distance from the furthest root.
fn depths(plan: &Plan) -> Vec<u32> {
    let mut depths = vec![0_u32; plan.steps.len()];
    let mut waiting: Vec<u32> =
        plan.steps.iter().map(|step| u32::try_from(step.needs.len()).unwrap_or(u32::MAX)).collect();
    let mut dependents: Vec<Vec<StepIx>> = vec![Vec::new(); plan.steps.len()];
    for (at, step) in plan.places() {
        for need in &step.needs {
            dependents[need.at()].push(at);
        }
    }
    let mut todo: Vec<StepIx> = plan.places().map(|(at, _)| at).filter(|at| waiting[at.at()] == 0).collect();
    while let Some(from) = todo.pop() {
        for to in &dependents[from.at()] {
            depths[to.at()] = depths[to.at()].max(depths[from.at()] + 1);
            waiting[to.at()] -= 1;
            if waiting[to.at()] == 0 {
                todo.push(*to);
            }
        }
    }
    depths
}
