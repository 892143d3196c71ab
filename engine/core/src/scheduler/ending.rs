//! When nothing more can happen: the run parks, goes on to its `finally` steps, or ends.

use super::{Due, Turn};
use crate::event::{self, Outcome};
use crate::state::{Place, Stage, Status};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Turn<'_> {
    /// Ends the current stage if nothing is left to do in it; tells whether another has begun.
    pub(super) fn come_to_rest(&mut self) -> bool {
        if !self.scheduler.in_flight.is_empty() {
            return false;
        }
        if self.scheduler.interrupting.is_some() && !self.is_over_anyway() {
            return self.stop_here();
        }
        match self.state().stage() {
            Stage::Main => self.rest_main(),
            Stage::Undoing => self.rest_undo(),
            Stage::Finally => self.rest_finally(),
            Stage::Ended(_) => false,
        }
    }

    /// Whether nothing is left to start in this stage, so that an interrupted run may as well go on to the next.
    fn is_over_anyway(&self) -> bool {
        match self.state().stage() {
            Stage::Main => self.state().main_open() == 0,
            Stage::Undoing => self.undo_is_over(),
            Stage::Finally => !self.something_waits_in_finally(),
            Stage::Ended(_) => true,
        }
    }

    fn stop_here(&mut self) -> bool {
        if let Some(signal) = self.scheduler.interrupting.clone().filter(|_| !self.state().is_interrupted()) {
            self.record(event::RunInterrupted { signal });
        }
        false
    }

    fn rest_main(&mut self) -> bool {
        let gives_up = self.state().cancelled().is_some() || self.state().is_halted();
        if gives_up {
            self.abandon_retries();
            if self.wanted_undo().is_some() {
                // It begins in this very turn, or when the pause ends.
                return !self.state().is_paused();
            }
            if self.state().cancelled().is_none() && self.someone(Status::Unknown) {
                return false;
            }
            self.clear_waiting();
            return self.end_main();
        }
        if self.state().main_open() == 0 {
            return self.end_main();
        }
        if self.state().is_paused() || self.something_waits() {
            return false;
        }
        let plan = self.plan();
        if let Some(until) = plan.until.filter(|until| self.state().until_holds() && self.state().is_released(*until)) {
            let reason = Some(format!("`{}` is done, and the run was to go no further (--until)", plan.step(until).id));
            self.record(event::RunPaused { by: None, reason });
            return false;
        }
        self.end_main()
    }

    /// Whether anything is ready, due, or before a person.
    fn something_waits(&self) -> bool {
        let due = self.scheduler.due.iter().any(|(_, due)| match due {
            Due::Retry(_) | Due::Probe(_) | Due::Undo(_) => true,
            Due::Expiry(_) | Due::RunTimeout => false,
        });
        due || !self.scheduler.ready.is_empty()
            || !self.scheduler.unlocked.is_empty()
            || !self.scheduler.locking.is_empty()
            || !self.scheduler.contended.is_empty()
            || !self.state().active().is_empty()
    }

    fn end_main(&mut self) -> bool {
        let outcome = self.ended_as();
        let plan = self.plan();
        if plan.main_count as usize == plan.steps.len() || self.state().finally_ran() {
            return self.end_run(outcome);
        }
        self.record(event::FinallyStarted { outcome });
        true
    }

    fn rest_undo(&mut self) -> bool {
        if self.state().is_paused() || !self.undo_is_over() {
            return false;
        }
        let asked_for = self.state().undo().is_some_and(|undo| undo.by.is_some());
        let outcome = if asked_for { Outcome::Cancelled } else { Outcome::Failed };
        let plan = self.plan();
        if plan.main_count as usize == plan.steps.len() || self.state().finally_ran() {
            return self.end_run(outcome);
        }
        self.record(event::FinallyStarted { outcome });
        true
    }

    fn rest_finally(&mut self) -> bool {
        if self.state().is_paused() || self.something_waits_in_finally() {
            return false;
        }
        let outcome = self.state().main_outcome().unwrap_or(Outcome::Failed);
        self.end_run(outcome)
    }

    fn something_waits_in_finally(&self) -> bool {
        let plan = self.state().plan();
        let mine = |place: &Place| plan.is_finally(place.0);
        let due = self.scheduler.due.iter().any(|(_, due)| match due {
            Due::Retry(place) | Due::Probe(place) | Due::Undo(place) => mine(place),
            Due::Expiry(_) | Due::RunTimeout => false,
        });
        due || self.scheduler.ready.iter().any(mine)
            || self.scheduler.locking.keys().any(mine)
            || self.scheduler.contended.values().flatten().any(mine)
            || self.scheduler.unlocked.iter().any(|step| plan.is_finally(*step))
            || self.state().active().iter().any(mine)
    }

    fn end_run(&mut self, outcome: Outcome) -> bool {
        let reasons = self.reasons();
        // A `finally` step or an undo that failed is never silent: what ended well did not.
        let spoilt = self.state().plan().places().any(|(at, _)| {
            self.state().plan().is_finally(at)
                && matches!(self.state().status(at), Status::Failed | Status::Unknown | Status::Blocked)
        });
        let outcome = if spoilt && outcome == Outcome::Done { Outcome::Failed } else { outcome };
        self.record(event::RunFinished { outcome, reasons });
        false
    }

    /// Everything that did not end well, in the plan's order, as people are told.
    fn reasons(&self) -> Vec<String> {
        /// More would hide the first ones, and `show` lists all.
        const REASONS_MAX: usize = 20;
        let plan = self.state().plan();
        let mut reasons = Vec::new();
        if let Some(point) = self.undo_was_refused() {
            reasons.push(format!("nothing was undone: `{point}` is the point of no return"));
        }
        if let Some((by, why)) = self.state().cancelled() {
            let who = by.as_ref().map_or("the engine", |by| by.name.as_str());
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            reasons.push(format!("cancelled by {who}{why}"));
        }
        for (at, step) in plan.places() {
            for instance in self.state().instances(at) {
                let what = match instance.status {
                    Status::Failed => "failed",
                    Status::Unknown => "is in doubt",
                    Status::Stuck => "could not be undone",
                    Status::Pending
                    | Status::Running
                    | Status::Done
                    | Status::Skipped
                    | Status::Blocked
                    | Status::Undoing
                    | Status::Undone => continue,
                };
                let why = instance.error().map_or(String::new(), |error| format!(": {}", error.message));
                reasons.push(format!("`{}` {what}{why}", crate::ids::label(&step.id, instance.key.as_ref())));
                if reasons.len() >= REASONS_MAX {
                    return reasons;
                }
            }
        }
        reasons
    }

    /// Failed attempts that were to be tried again will not be: the run is giving up.
    pub(super) fn abandon_retries(&mut self) {
        let mut waiting: Vec<Place> = Vec::new();
        self.scheduler.due.retain(|(_, due)| match due {
            Due::Retry(place) => {
                waiting.push(*place);
                false
            }
            Due::Probe(_) | Due::Undo(_) | Due::Expiry(_) | Due::RunTimeout => true,
        });
        let scheduler = &self.scheduler;
        waiting.extend(
            scheduler.ready.iter().chain(scheduler.contended.values().flatten()).chain(scheduler.locking.keys()),
        );
        waiting.extend(scheduler.queued.iter().flat_map(|(step, places)| places.iter().map(|at| (*step, *at))));
        for place in waiting {
            self.give_up(place);
        }
    }

    fn give_up(&mut self, place: Place) {
        let status = self.state().at(place).status;
        if status != Status::Running && !(status == Status::Unknown && self.may_repeat(place)) {
            return;
        }
        self.scheduler.ready.remove(&place);
        let error = self.state().at(place).error().cloned();
        let error = error.unwrap_or_else(|| {
            super::failure("given_up", "the run ended before another try", crate::input::Left::Partial)
        });
        let attempt = self.left_attempt(place, crate::ids::Purpose::Do);
        self.record(event::StepFailed { attempt, error, retry_at: None });
    }
}
