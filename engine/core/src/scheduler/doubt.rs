//! Steps in doubt: what their effect says is done about them (durability.md, "Step life").

use super::{Due, Turn, failure};
use crate::Effect;
use crate::event::{self, ProbeVerdict};
use crate::ids::{Attempt, Purpose};
use crate::input::{Actor, Failure, Left, Result as Report};
use crate::json::Json;
use crate::state::{Place, Status};
use alloc::string::String;

/// Tries at asking the world before a person is asked.
const PROBES_MAX: u32 = 3;
/// Tries at an effect that may be repeated, or is known not to have happened, when attempts end in doubt.
const DOUBTFUL_TRIES_MAX: u32 = 3;
/// The pause between probes, in ms; it doubles.
const PROBE_PAUSE_MS: u64 = 500;

/// What a person says they carried out.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) by: Actor,
    pub(super) reason: Option<String>,
    /// Typed answers, an object.
    pub(super) fields: Json,
}

impl Turn<'_> {
    /// A live attempt ended in doubt: a timeout, a lost connection.
    pub(super) fn in_doubt(&mut self, place: Place, attempt: &Attempt, error: Failure) {
        match self.state().plan().step(place.0).effect {
            // Nothing was changed, so nothing is in doubt: it simply failed.
            Effect::Read => self.failed(place, attempt, Failure { left: Left::Nothing, ..error }),
            Effect::Idempotent | Effect::Keyed => {
                self.record(event::StepUnknown { attempt: attempt.clone(), error: error.clone() });
                self.run_again(place, attempt, error);
            }
            Effect::Probe | Effect::Once => {
                self.record(event::StepUnknown { attempt: attempt.clone(), error });
                self.probe(place);
            }
        }
    }

    /// Runs an attempt in doubt again, as its effect allows: at least [`DOUBTFUL_TRIES_MAX`] tries, more if its policy says so.
    fn run_again(&mut self, place: Place, attempt: &Attempt, error: Failure) {
        let policy = self.state().plan().step(place.0).retry();
        let tries_max = policy.map_or(1, |policy| policy.attempts_max).max(DOUBTFUL_TRIES_MAX);
        let tries = self.state().at(place).tries;
        let at = self.retry_at(place, &error).unwrap_or_else(|| self.now.plus_ms(doubled(PROBE_PAUSE_MS, tries)));
        if tries < tries_max && !self.state().is_giving_up() && self.is_before_deadline(place, at) {
            self.scheduler.due.insert((at, Due::Retry(place)));
        } else {
            self.record(event::StepFailed { attempt: attempt.clone(), error, retry_at: None });
        }
    }

    /// An attempt was in the world when an earlier tenure ended.
    pub(super) fn doubt_after_crash(&mut self, place: Place, attempt: &Attempt, error: Failure) {
        match self.state().plan().step(place.0).effect {
            Effect::Read => {
                self.scheduler.ready.insert(place);
            }
            Effect::Idempotent | Effect::Keyed => {
                self.record(event::StepUnknown { attempt: attempt.clone(), error });
                self.scheduler.ready.insert(place);
            }
            Effect::Probe | Effect::Once => {
                self.record(event::StepUnknown { attempt: attempt.clone(), error });
                self.probe(place);
            }
        }
    }

    /// Whether an instance in doubt may simply be tried again: by its effect, or because nothing is known to have happened.
    pub(super) fn may_repeat(&self, place: Place) -> bool {
        match self.state().plan().step(place.0).effect {
            Effect::Read | Effect::Idempotent | Effect::Keyed => true,
            Effect::Probe | Effect::Once => self.scheduler.cleared.contains(&place),
        }
    }

    /// A tenure begins with this instance in doubt.
    pub(super) fn ask_again(&mut self, place: Place) {
        match self.state().plan().step(place.0).effect {
            Effect::Read | Effect::Idempotent | Effect::Keyed => {
                self.scheduler.ready.insert(place);
            }
            Effect::Probe => self.probe(place),
            Effect::Once => {}
        }
    }

    /// Asks the world, where it can be asked and nobody has given the run up.
    pub(super) fn probe(&mut self, place: Place) {
        let step = self.state().plan().step(place.0);
        let asks = step.effect == Effect::Probe && step.can_probe();
        let waits = self.state().at(place).status == Status::Unknown && !self.scheduler.in_flight.contains_key(&place);
        let may =
            self.state().is_on_stage(place.0) && !self.state().is_giving_up() && self.scheduler.interrupting.is_none();
        if !asks || !waits || !may {
            return;
        }
        *self.scheduler.probes.entry(place).or_default() += 1;
        let attempt = self.next_attempt(place, Purpose::Probe);
        let intent = self.state().at(place).intents;
        self.launch(place, attempt, intent, None);
    }

    /// Checks what a person says was done.
    pub(super) fn check_claim(&mut self, place: Place, claim: Claim) {
        let attempt = self.next_attempt(place, Purpose::Probe);
        let intent = self.state().at(place).intents.max(1);
        self.launch(place, attempt, intent, Some(claim.fields.clone()));
        self.scheduler.claims.insert(place, claim);
    }

    /// A claim held: who made it, and why, goes into the record with it.
    fn claim_held(&mut self, place: Place, claim: Claim) {
        let Claim { by, reason, fields } = claim;
        let (step, key) = (self.id(place), self.key(place));
        self.record(event::ApprovalGranted { step, key, by, choice: None, fields: Some(fields), reason });
    }

    /// The world answered, about a doubt or a claim.
    pub(super) fn probed(&mut self, place: Place, attempt: &Attempt, result: Report) {
        let is_claim = self.state().at(place).status == Status::Pending;
        let claim = self.scheduler.claims.remove(&place);
        match result {
            Report::Done(output) => {
                let answer = Some(output.clone());
                self.answered(attempt, Some(ProbeVerdict::Done), answer, None);
                if let Some(claim) = claim {
                    self.claim_held(place, claim);
                }
                self.record(event::StepDone { attempt: attempt.clone(), output });
                self.scheduler.probes.remove(&place);
            }
            Report::NotDone(output) => {
                self.answered(attempt, Some(ProbeVerdict::NotDone), Some(output), None);
                if !is_claim {
                    self.was_not_done(place, attempt);
                }
            }
            Report::Failed(error) | Report::Unknown(error) if is_claim => {
                self.answered(attempt, Some(ProbeVerdict::NotDone), None, Some(error));
            }
            Report::Failed(error) | Report::Unknown(error) => self.could_not_tell(place, attempt, error),
        }
    }

    fn answered(
        &mut self,
        attempt: &Attempt,
        verdict: Option<ProbeVerdict>,
        output: Option<crate::Output>,
        error: Option<Failure>,
    ) {
        self.record(event::ProbeAnswered { attempt: attempt.clone(), verdict, output, error });
    }

    /// The effect did not happen: do it, as the same intent. After a crash always; after a failure as often as its policy says.
    fn was_not_done(&mut self, place: Place, attempt: &Attempt) {
        self.scheduler.probes.remove(&place);
        self.scheduler.cleared.insert(place);
        let crashed = self.state().at(place).error().is_some_and(|error| &*error.class == "engine_lost");
        if crashed {
            self.scheduler.ready.insert(place);
            return;
        }
        let error = self.state().at(place).error().cloned();
        let error = error.unwrap_or_else(|| failure("unknown", "the attempt was in doubt", Left::Nothing));
        self.run_again(place, attempt, Failure { left: Left::Nothing, ..error });
    }

    fn could_not_tell(&mut self, place: Place, attempt: &Attempt, error: Failure) {
        let asked = self.scheduler.probes.get(&place).copied().unwrap_or(PROBES_MAX);
        let said_unknown = &*error.class == "unknown";
        if asked < PROBES_MAX && !said_unknown {
            let at = self.now.plus_ms(doubled(PROBE_PAUSE_MS, asked));
            self.scheduler.due.insert((at, Due::Probe(place)));
            return;
        }
        self.scheduler.probes.remove(&place);
        self.answered(attempt, None, None, Some(error));
    }
}

/// A pause that doubles with every try, to a limit.
fn doubled(pause_ms: u64, tries: u32) -> u64 {
    /// Half a second becomes half a minute.
    const DOUBLINGS_MAX: u32 = 6;
    pause_ms << tries.min(DOUBLINGS_MAX)
}
