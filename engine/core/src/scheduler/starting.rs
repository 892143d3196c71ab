//! Which steps start, and when: conditions, instances, approvals, room, mutexes.

use super::{Due, IN_FLIGHT_MAX, Turn, failure};
use crate::event::{self, Item};
use crate::ids::{Name, Purpose, StepIx};
use crate::input::{Command, Left};
use crate::plan::Plan;
use crate::state::{Place, Stage, Status};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

impl Turn<'_> {
    /// Goes on as far as the state allows without hearing from the world.
    pub(super) fn advance(&mut self) {
        if !self.scheduler.opened {
            return;
        }
        loop {
            // A step may fail as it is entered, and that may stop the run.
            while self.may_start()
                && let Some(step) = self.scheduler.unlocked.pop_front()
            {
                self.enter(step);
            }
            if self.may_start() {
                self.start_ready();
            }
            self.advance_undo();
            if !self.come_to_rest() {
                break;
            }
        }
    }

    /// Whether anything new may start in this stage of the run.
    fn may_start(&self) -> bool {
        let state = self.state();
        if self.scheduler.interrupting.is_some() {
            return false;
        }
        match state.stage() {
            Stage::Main => !state.is_paused() && !state.is_halted() && state.cancelled().is_none(),
            Stage::Finally => !state.is_paused(),
            Stage::Undoing | Stage::Ended(_) => false,
        }
    }

    /// A step all of whose needs are settled well.
    fn enter(&mut self, step: StepIx) {
        // `--until` leaves out main steps only: the last steps run at every end.
        let allowed =
            self.state().plan().is_finally(step) || self.scheduler.allowed.get(step.at()).copied().unwrap_or(true);
        if !self.state().is_on_stage(step) || !allowed || self.state().waits(step) || self.state().is_released(step) {
            return;
        }
        if !self.is_touched(step) && !self.passes_conditions(step) {
            return;
        }
        if !self.state().is_expanded(step) && !self.expand(step) {
            return;
        }
        let count = u32::try_from(self.state().instances(step).len()).unwrap_or(u32::MAX);
        for at in 0..count {
            self.make_ready((step, at));
        }
    }

    /// Whether a step was given its instances or has begun, so that its condition was judged before.
    fn is_touched(&self, step: StepIx) -> bool {
        let has_items = self.state().plan().step(step).for_each().is_some() && self.state().is_expanded(step);
        has_items
            || self
                .state()
                .instances(step)
                .iter()
                .any(|instance| instance.status != Status::Pending || instance.more.is_some())
    }

    fn passes_conditions(&mut self, step: StepIx) -> bool {
        let plan = self.plan();
        let id = plan.step(step).id.clone();
        if let Some(why) = plan.step(step).left_out() {
            self.record(event::StepSkipped { step: id, key: None, reason: String::from(why) });
            return false;
        }
        if plan.step(step).when().is_none() {
            return true;
        }
        match self.expressions.when(self.where_is((step, 0))) {
            Ok(true) => true,
            Ok(false) => {
                let reason = String::from("its `when` is false");
                self.record(event::StepSkipped { step: id, key: None, reason });
                false
            }
            Err(message) => {
                self.fails_unstarted(step, "template", message);
                false
            }
        }
    }

    /// Gives a `for_each` step its instances.
    fn expand(&mut self, step: StepIx) -> bool {
        let items = self.expressions.items(self.where_is((step, 0))).and_then(|items| match twice(&items) {
            Some(key) => Err(alloc::format!("two instances have the key `{key}`")),
            None => Ok(items),
        });
        match items {
            Ok(items) => {
                let id = self.plan().step(step).id.clone();
                self.record(event::StepExpanded { step: id, items });
                true
            }
            Err(message) => {
                self.fails_unstarted(step, "template", message);
                false
            }
        }
    }

    /// A step fails before any attempt at its effect.
    fn fails_unstarted(&mut self, step: StepIx, class: &str, message: String) {
        let id = self.plan().step(step).id.clone();
        let epoch = self.state().epoch();
        let attempt = crate::Attempt {
            step: id,
            key: None,
            purpose: Purpose::Do,
            number: self.state().attempts(step) + 1,
            epoch,
        };
        let error = failure(class, message, Left::Nothing);
        self.record(event::StepFailed { attempt, error, retry_at: None });
    }

    /// An instance that may start, but for approvals and room.
    pub(super) fn make_ready(&mut self, place: Place) {
        let instance = self.state().at(place);
        if instance.status != Status::Pending || self.scheduler.in_flight.contains_key(&place) {
            return;
        }
        let plan = self.plan();
        let step = plan.step(place.0);
        let asked = instance.more.as_ref().and_then(|more| more.asked.as_ref());
        let instructed = asked.is_some_and(|asked| asked.manual);
        match asked {
            // The refusal is recorded, but what follows from it was lost.
            Some(_) if instance.is_refused() => {
                self.refuse(place, failure("rejected", "it was refused", Left::Nothing))
            }
            None if step.approval().is_some() => self.ask(place, false),
            None if step.manual().is_some() => self.ask(place, true),
            Some(_) if !instance.is_approved() => {}
            // The claim is recorded, but that it held was lost.
            Some(_) if instructed => self.ask(place, true),
            // Allowed first, then carried out.
            Some(_) if step.manual().is_some() => self.ask(place, true),
            Some(_) if step.is_approval() => self.approval_is_given(place),
            None | Some(_) => {
                self.scheduler.ready.insert(place);
            }
        }
    }

    /// Puts a question before a person: may it start, or the instructions that the person carries out.
    fn ask(&mut self, place: Place, manual: bool) {
        let plan = self.plan();
        let step = plan.step(place.0);
        let shown = match self.expressions.prompt(self.where_is(place)) {
            Ok(shown) => shown,
            Err(message) => {
                let attempt = self.next_attempt(place, Purpose::Do);
                let error = failure("template", message, Left::Nothing);
                self.record(event::StepFailed { attempt, error, retry_at: None });
                return;
            }
        };
        let approval = step.approval().filter(|_| !manual);
        let expires_at = approval.and_then(|approval| approval.expires_ms).map(|ms| self.now.plus_ms(ms));
        let fields = approval.and_then(|approval| approval.fields.clone());
        self.record(event::ApprovalRequested {
            step: step.id.clone(),
            key: self.key(place),
            manual,
            prompt: shown.prompt,
            choices: approval.map(|approval| approval.choices.clone()).unwrap_or_default(),
            approvers: approval.map_or(1, |approval| approval.approvers),
            not_initiator: approval.is_some_and(|approval| approval.not_initiator),
            expires_at,
            evidence: shown.evidence,
            fields: fields.or_else(|| step.manual().and_then(|manual| manual.fields.clone())),
        });
        if let Some(at) = expires_at {
            self.scheduler.due.insert((at, Due::Expiry(place)));
        }
    }

    /// Starts what is ready while there is room.
    fn start_ready(&mut self) {
        let plan = self.plan();
        let room = room(&plan);
        while self.scheduler.in_flight.len() < room {
            let Some(place) = self.scheduler.ready.pop_first() else { return };
            if !self.may_try(place) {
                self.unlock(place);
                self.wake(plan.step(place.0).locks());
                continue;
            }
            if !self.has_room_in_step(place) {
                self.scheduler.queued.entry(place.0).or_default().insert(place.1);
                continue;
            }
            if !self.has_mutexes(place) {
                continue;
            }
            let intent = self.state().at(place).intents.max(1);
            let attempt = self.next_attempt(place, Purpose::Do);
            self.record(event::StepIntent { attempt: attempt.clone(), intent });
            self.launch(place, attempt, intent, None);
        }
    }

    /// Whether an instance still waits for a try: between being found ready and now, a person or another path may have settled it.
    fn may_try(&self, place: Place) -> bool {
        let waits = match self.state().at(place).status {
            Status::Pending | Status::Running => true,
            Status::Unknown => self.may_repeat(place),
            Status::Done
            | Status::Failed
            | Status::Skipped
            | Status::Blocked
            | Status::Undoing
            | Status::Undone
            | Status::Stuck => false,
        };
        waits && self.state().is_on_stage(place.0) && !self.scheduler.in_flight.contains_key(&place)
    }

    fn has_room_in_step(&self, place: Place) -> bool {
        let most = self.state().plan().step(place.0).for_each().and_then(|each| each.max_parallel);
        let running = self.scheduler.running_of.get(&place.0).copied().unwrap_or(0);
        most.is_none_or(|most| running < most.max(1))
    }

    /// Whether an instance holds its mutexes; asks for them if it does not.
    fn has_mutexes(&mut self, place: Place) -> bool {
        let plan = self.plan();
        let names = plan.step(place.0).locks();
        if names.is_empty() {
            return true;
        }
        if let Some(held) = self.scheduler.locking.get(&place) {
            return *held;
        }
        if let Some(taken) = names.iter().find(|name| self.scheduler.mutexes.contains_key(*name)) {
            self.scheduler.contended.entry(taken.clone()).or_default().insert(place);
            self.wake(names);
            return false;
        }
        for name in names {
            self.scheduler.mutexes.insert(name.clone(), place);
        }
        self.scheduler.locking.insert(place, false);
        let mut locks: Vec<Name> = names.to_vec();
        locks.sort();
        locks.dedup();
        let (step, key) = (self.id(place), self.key(place));
        self.command(Command::Lock { step, key, locks });
        false
    }

    /// The driver holds an instance's mutexes now.
    pub(super) fn locked(&mut self, step: &Name, key: Option<&Name>) {
        let Ok(place) = self.locate(step, key) else { return };
        if let Some(held) = self.scheduler.locking.get_mut(&place).filter(|held| !**held) {
            *held = true;
            self.scheduler.ready.insert(place);
        }
    }

    /// An instance lets go of its mutexes, and whoever waited for them may ask.
    pub(super) fn unlock(&mut self, place: Place) {
        if self.scheduler.locking.remove(&place).is_none() {
            return;
        }
        let plan = self.plan();
        let names = plan.step(place.0).locks();
        for name in names {
            self.scheduler.mutexes.remove(name);
        }
        let (step, key) = (self.id(place), self.key(place));
        self.command(Command::Unlock { step, key });
        self.wake(names);
    }

    /// The first in line for each of these mutexes that is free may try for it. One only: the next is woken when that
    /// one lets go, or finds that another of its mutexes is taken.
    fn wake(&mut self, names: &[Name]) {
        for name in names {
            if self.scheduler.mutexes.contains_key(name) {
                continue;
            }
            let Some(line) = self.scheduler.contended.get_mut(name) else { continue };
            self.scheduler.ready.extend(line.pop_first());
            if line.is_empty() {
                self.scheduler.contended.remove(name);
            }
        }
    }

    /// Forgets what waits to start: the run is ending.
    pub(super) fn clear_waiting(&mut self) {
        self.scheduler.contended.clear();
        self.scheduler.queued.clear();
        let locking: Vec<Place> = self.scheduler.locking.keys().copied().collect();
        for place in locking {
            self.unlock(place);
        }
        self.scheduler.ready.clear();
    }
}

/// Attempts that may be in flight at the same time.
pub(super) fn room(plan: &Plan) -> usize {
    plan.limits.max_parallel.map_or(IN_FLIGHT_MAX, |most| most.max(1) as usize)
}

/// A key that two instances have.
fn twice(items: &[Item]) -> Option<&Name> {
    let mut seen = BTreeSet::new();
    items.iter().map(|item| &item.key).find(|key| !seen.insert(*key))
}
