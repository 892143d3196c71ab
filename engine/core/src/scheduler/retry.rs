//! Failures and second tries, and everything else that is due at a time.

use super::{Due, Turn, failure};
use crate::Effect;
use crate::event;
use crate::ids::{Attempt, Timestamp};
use crate::input::{Failure, Left};
use crate::plan::RetryPolicy;
use crate::state::{Place, Stage, Status};
use alloc::string::String;

impl Turn<'_> {
    /// An attempt failed: again later, or for good.
    pub(super) fn failed(&mut self, place: Place, attempt: &Attempt, error: Failure) {
        let retry_at = self.retry_at(place, &error);
        self.record(event::StepFailed { attempt: attempt.clone(), error, retry_at });
        if let Some(at) = retry_at {
            self.scheduler.due.insert((at, Due::Retry(place)));
        }
    }

    /// When a failed attempt is tried again, if its policy, its deadline and its effect let it.
    pub(super) fn retry_at(&self, place: Place, error: &Failure) -> Option<Timestamp> {
        let plan = self.state().plan();
        let step = plan.step(place.0);
        let instance = self.state().at(place);
        let policy = step.retry()?;
        // An effect that is there and must not repeat is not repeated because a check of its result did not hold.
        let must_not = step.effect == Effect::Once && &*error.class == "verify" && error.left == Left::Partial;
        if instance.tries >= policy.attempts_max || must_not || !policy.covers(error) || self.state().is_giving_up() {
            return None;
        }
        let pause_ms = policy.pause_ms(instance.tries, self.spread(place));
        let at = self.now.plus_ms(pause_ms);
        self.is_before_deadline(place, at).then_some(at)
    }

    /// Whether a try at this time is within the step's `deadline`. An undo has none: it comes when the step is long over.
    pub(super) fn is_before_deadline(&self, place: Place, at: Timestamp) -> bool {
        let step = self.state().plan().step(place.0);
        let instance = self.state().at(place);
        let deadline_ms = step.more.as_ref().and_then(|more| more.deadline_ms);
        let deadline = deadline_ms.map(|ms| instance.started_at.unwrap_or(self.now).plus_ms(ms));
        instance.status == Status::Undoing || deadline.is_none_or(|deadline| at < deadline)
    }

    /// A number that differs between instances and tries, and is the same whenever it is asked for: the source of jitter.
    fn spread(&self, place: Place) -> u64 {
        let instance = self.state().at(place);
        let key = instance.key.as_ref().map_or("", |key| key.as_str());
        let words = [self.state().run().as_str(), self.state().plan().step(place.0).id.as_str(), key];
        let seed = words.iter().flat_map(|word| word.bytes()).chain(instance.tries.to_le_bytes());
        // FNV-1a, then a finaliser so that near seeds differ in every bit.
        let hash =
            seed.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
    }

    /// Everything that is due by now.
    pub(super) fn tick(&mut self) {
        while let Some((at, due)) = self.scheduler.due.first().copied() {
            if at > self.now {
                return;
            }
            self.scheduler.due.pop_first();
            match due {
                Due::Retry(place) => self.try_again(place, at),
                Due::Probe(place) => self.probe(place),
                Due::Undo(place) => self.undo_again(place),
                Due::Expiry(place) => self.expired(place, at),
                Due::RunTimeout => self.run_timed_out(),
            }
        }
    }

    /// Another try is due, unless it came about in another way meanwhile.
    fn try_again(&mut self, place: Place, at: Timestamp) {
        let instance = self.state().at(place);
        let waits = match instance.status {
            Status::Running => instance.retry_at() == Some(at),
            Status::Unknown => self.may_repeat(place),
            Status::Pending
            | Status::Done
            | Status::Failed
            | Status::Skipped
            | Status::Blocked
            | Status::Undoing
            | Status::Undone
            | Status::Stuck => false,
        };
        if waits && !self.scheduler.in_flight.contains_key(&place) {
            self.scheduler.ready.insert(place);
        }
    }

    /// Nobody answered in time.
    fn expired(&mut self, place: Place, at: Timestamp) {
        let stands = self.state().at(place).open_request().is_some_and(|asked| asked.expires_at == Some(at));
        if !stands || self.state().at(place).status != Status::Pending {
            return;
        }
        let (step, key) = (self.id(place), self.key(place));
        self.record(event::ApprovalExpired { step, key });
        let error = failure("expired", "nobody decided in time", Left::Nothing);
        self.refuse(place, error);
    }

    /// A person, or the clock, said no: the step fails for good.
    pub(super) fn refuse(&mut self, place: Place, error: Failure) {
        let attempt = self.next_attempt(place, crate::ids::Purpose::Do);
        self.record(event::StepFailed { attempt, error, retry_at: None });
    }

    fn run_timed_out(&mut self) {
        if *self.state().stage() == Stage::Main && self.state().cancelled().is_none() {
            let reason = Some(String::from("the run's `limits.timeout` passed"));
            self.record(event::CancelRequested { by: None, reason });
            self.stop_everything();
        }
    }
}

impl RetryPolicy {
    /// Whether it tries again after this failure.
    #[must_use]
    pub fn covers(&self, error: &Failure) -> bool {
        let code = error.exit_code.map(|code| alloc::format!("{code}"));
        self.on.is_empty() || self.on.iter().any(|on| *on == error.class || Some(on.as_str()) == code.as_deref())
    }

    /// The pause after the given number of tries, in ms; `spread` (32 bits) moves it inside its upper half.
    #[must_use]
    pub fn pause_ms(&self, tries: u32, spread: u64) -> u64 {
        let doublings = if self.exponential { tries.saturating_sub(1).min(63) } else { 0 };
        let most = self.backoff_ms_max.max(self.backoff_ms_min);
        let pause = self.backoff_ms_min.saturating_mul(1_u64 << doublings).min(most);
        if !self.jitter {
            return pause;
        }
        let half = pause / 2;
        half + (half.saturating_mul(spread) >> 32)
    }
}
