//! The records that send a run back: another try, and the undoing of what was done.

use super::{Corrupt, RunState, Stage, Status, StepState, UndoScope};
use crate::event;
use crate::ids::{Seq, Timestamp};
use alloc::collections::BTreeSet;

impl RunState {
    pub(super) fn retry_requested(
        &mut self,
        seq: Seq,
        at: Timestamp,
        event: &event::RetryRequested,
    ) -> Result<(), Corrupt> {
        let (step, _) = self.place_of_step(seq, &event.step)?;
        // Whoever retries one step wants the run to go on, although another may still be failed.
        self.halting.clear();
        for instance in 0..self.steps[step.at()].instances.len() {
            let state = &mut self.steps[step.at()].instances[instance];
            if state.status != Status::Failed || (event.key.is_some() && state.key != event.key) {
                continue;
            }
            state.status = Status::Pending;
            // Its deadline counts anew.
            state.started_at = None;
            state.ended_at = None;
            state.more = None;
            // A new intent: whatever keeps the old key must not take this for a repetition.
            state.intents += 1;
            state.tries = 0;
            self.turned_good_again(step);
        }
        let stands_for_all = self.plan().step(step).for_each().is_some()
            && self.steps[step.at()].instances.first().is_some_and(|instance| instance.key.is_none());
        if stands_for_all {
            let state = &mut self.steps[step.at()];
            state.numbers_used = state.highest_numbers();
            state.instances.clear();
            state.expanded = false;
        }
        if self.outcome().is_some() {
            self.timed_from = at;
        }
        if !self.plan().is_finally(step) {
            self.reopen_main();
        }
        self.stage = if self.plan().is_finally(step) { Stage::Finally } else { Stage::Main };
        self.ended_at = None;
        self.unlocked.push(step);
        Ok(())
    }

    /// The main steps go on after the run had come to its end: `finally` runs again at the new end.
    fn reopen_main(&mut self) {
        self.cancelled = None;
        self.undo = None;
        if !self.finally_ran {
            return;
        }
        self.finally_ran = false;
        self.main_outcome = None;
        let plan = self.plan_shared();
        for at in self.finally_places() {
            for instance in 0..self.steps[at.at()].instances.len() {
                self.active.remove(&(at, u32::try_from(instance).unwrap_or(u32::MAX)));
            }
            // Attempts and intents go on rising: a key that was used once is not used for another effect.
            let (attempts, intents) = self.steps[at.at()].highest_numbers();
            let numbers = (attempts, intents + 1);
            let state = StepState::new(&plan, at, plan.step(at).for_each().is_some());
            self.steps[at.at()] = StepState { numbers_used: numbers, ..state };
            for instance in &mut self.steps[at.at()].instances {
                (instance.attempts, instance.intents) = numbers;
            }
        }
    }

    pub(super) fn undo_requested(&mut self, seq: Seq, event: &event::UndoRequested) -> Result<(), Corrupt> {
        let from = match &event.to {
            None => Seq(0),
            Some(to) => {
                let (step, _) = self.place_of_step(seq, to)?;
                self.instances(step)
                    .iter()
                    .map(|instance| instance.done_seq)
                    .filter(|seq| seq.0 > 0)
                    .min()
                    .unwrap_or(seq)
            }
        };
        let after_end = self.outcome().is_some();
        self.undo = Some(UndoScope { from, by: event.by.clone(), after_end, kept: BTreeSet::new() });
        self.stage = Stage::Undoing;
        // How it ends is open again, and whoever undoes a paused run wants it undone.
        self.main_outcome = None;
        self.paused = false;
        self.ended_at = None;
        Ok(())
    }
}
