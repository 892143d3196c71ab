//! A tenure begins: what was in flight when the last one ended is settled, and everything that waits is found again.

use super::{Due, Rejected, Turn, failure};
use crate::event;
use crate::ids::{Attempt, Epoch, Purpose, StepIx};
use crate::input::{Actor, Engine, Left};
use crate::state::{Corrupt, Place, Status};
use alloc::vec;
use alloc::vec::Vec;

impl Turn<'_> {
    pub(super) fn opened(&mut self, epoch: Epoch, by: Actor, engine: Engine, go_on: bool) -> Result<(), Rejected> {
        let state = &mut self.scheduler.state;
        if state.engine().is_some() && epoch <= state.epoch() {
            // Reports of two tenures with one number could not be told apart.
            let seq = state.head().0 + 1;
            return Err(Corrupt::Epoch { seq, found: epoch.0, current: state.epoch().0 }.into());
        }
        let record = event::Record {
            seq: crate::Seq(state.head().0 + 1),
            at: self.now,
            epoch,
            event: event::EpochOpened { by, engine, go_on }.into(),
        };
        state.apply(&record)?;
        self.decision.records.push(record);
        self.scheduler.opened = true;
        drop(self.scheduler.state.take_unlocked());
        if self.state().outcome().is_some() {
            return Ok(());
        }
        self.find_everything();
        Ok(())
    }

    /// Reads off the state all that waits: at the beginning of a tenure, and when a run that had ended goes on.
    pub(super) fn find_everything(&mut self) {
        self.clear_waiting();
        self.scheduler.due.clear();
        self.scheduler.unlocked.clear();
        self.allow();
        self.wind_clocks();
        // What ran out while nobody drove the run is dealt with before anything starts.
        self.tick();
        self.find_open_steps();
        self.settle_what_was_in_flight();
    }

    /// Which steps `--until` lets start: the named one and all that it needs.
    pub(super) fn allow(&mut self) {
        self.scheduler.allowed.clear();
        let plan = self.plan();
        let Some(until) = plan.until.filter(|_| self.state().until_holds()) else { return };
        let mut allowed = vec![false; plan.steps.len()];
        let mut todo = vec![until];
        while let Some(step) = todo.pop() {
            if !core::mem::replace(&mut allowed[step.at()], true) {
                todo.extend(plan.step(step).needs.iter().copied());
            }
        }
        self.scheduler.allowed = allowed;
    }

    fn wind_clocks(&mut self) {
        if let Some(ms) = self.state().plan().limits.timeout_ms {
            let at = self.state().timed_from().plus_ms(ms);
            self.scheduler.due.insert((at, Due::RunTimeout));
        }
        let active: Vec<Place> = self.state().active().iter().copied().collect();
        for place in active {
            let expires = self.state().at(place).open_request().and_then(|asked| asked.expires_at);
            if let Some(at) = expires {
                self.scheduler.due.insert((at, Due::Expiry(place)));
            }
        }
    }

    pub(super) fn find_open_steps(&mut self) {
        let plan = self.plan();
        let open: Vec<StepIx> = plan
            .places()
            .map(|(at, _)| at)
            .filter(|at| !self.state().waits(*at) && !self.state().is_released(*at))
            .collect();
        self.scheduler.unlocked.extend(open);
    }

    fn settle_what_was_in_flight(&mut self) {
        let active: Vec<Place> = self.state().active().iter().copied().collect();
        for place in active {
            let instance = self.state().at(place);
            let retry_at = instance.retry_at();
            match (instance.status, retry_at) {
                (Status::Running, Some(at)) => {
                    self.scheduler.due.insert((at, Due::Retry(place)));
                }
                (Status::Running, None) => self.lost(place),
                (Status::Unknown, _) => self.ask_again(place),
                (Status::Undoing, Some(at)) => {
                    self.scheduler.due.insert((at, Due::Undo(place)));
                }
                (Status::Undoing, None) => self.undo_lost(place),
                (
                    Status::Pending
                    | Status::Done
                    | Status::Failed
                    | Status::Skipped
                    | Status::Blocked
                    | Status::Undone
                    | Status::Stuck,
                    _,
                ) => {}
            }
        }
    }

    /// The attempt that an earlier tenure left in the world.
    pub(super) fn left_attempt(&self, place: Place, purpose: Purpose) -> Attempt {
        Attempt { number: self.state().at(place).attempts, ..self.next_attempt(place, purpose) }
    }

    /// An attempt was in flight when the last tenure ended: nobody knows how it went.
    fn lost(&mut self, place: Place) {
        let attempt = self.left_attempt(place, Purpose::Do);
        let error = failure("engine_lost", "the engine stopped while the step was running", Left::Partial);
        self.doubt_after_crash(place, &attempt, error);
    }
}
