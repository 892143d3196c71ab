//! Decides what happens next: a state machine without I/O, clock or randomness.
//!
//! One turn: an [`Input`] comes in, [`Scheduler::handle`] says which records follow and which commands; the commands stay
//! locked in the [`Decision`] until the journal shows the records. What must survive a crash is never a command: it is
//! read off the state again by [`Input::Opened`], which is all that resuming is. Work per turn is proportional to
//! the edges of the steps that the input concerns.

mod doubt;
mod ending;
mod opening;
mod operator;
mod retry;
mod starting;
mod undoing;

use crate::event::{self, Event, Record};
use crate::expressions::{self, Expressions};
use crate::ids::{Attempt, Name, Purpose, Seq, StepIx, Timestamp};
use crate::input::{Command, Engine, Failure, Input, Left, Result as Report};
use crate::json::Json;
use crate::plan::Plan;
use crate::state::{Corrupt, Place, RunState};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

/// Attempts in flight per run where the runbook sets no limit. Runs lean on shared control planes (DNS, Kubernetes)
/// that throttle well below this; more would only queue there, unseen.
pub const IN_FLIGHT_MAX: usize = 64;

/// Why an input was refused. Refusing records nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A report for any but the current attempt.
    #[error("attempt {} of `{}` (epoch {}) is not the current one", .0.number, .0.label(), .0.epoch.0)]
    Stale(Attempt),
    /// The plan has no such step, or the step no such instance.
    #[error("this run has no step `{0}`")]
    NoSuchStep(String),
    /// Nobody asked.
    #[error("`{0}` does not wait for a decision; `show` lists what does")]
    NotAsked(String),
    /// A decision in the wrong words.
    #[error("`{step}` wants one of: {}", .choices.join(", "))]
    NotAChoice {
        /// The step or instance.
        step: String,
        /// What may be answered.
        choices: Vec<String>,
    },
    /// The initiator may not approve.
    #[error("{who} started this run, and `{step}` must be approved by somebody else")]
    Initiator {
        /// The step or instance.
        step: String,
        /// Who.
        who: String,
    },
    /// The same person twice.
    #[error("{who} has approved `{step}` already; it takes {approvers} different people")]
    Twice {
        /// The step or instance.
        step: String,
        /// Who.
        who: String,
        /// How many it takes.
        approvers: u32,
    },
    /// Production approvals cannot be waved through.
    #[error("`{0}` needs a decision by name on a production target: use `approve`, not --yes")]
    NotWaved(String),
    /// The step is not in doubt, not manual and not stuck.
    #[error("`{step}` is {status}, not in doubt: there is nothing to resolve")]
    NotInDoubt {
        /// The step or instance.
        step: String,
        /// What it is.
        status: &'static str,
    },
    /// The step did not fail.
    #[error("`{step}` is {status}: only a failed step can be tried again")]
    NotFailed {
        /// The step.
        step: String,
        /// What it is.
        status: &'static str,
    },
    /// The run is over, or in a part of its life in which this cannot be asked for.
    #[error("nothing can be {1} now: the run is {0}")]
    Over(&'static str, &'static str),
    /// Undo was asked for past the point of no return.
    #[error("`{0}` is the point of no return, and is done or under way: undo needs --past-point-of-no-return")]
    PastPoint(String),
    /// Nothing to undo.
    #[error("nothing that is done can be undone")]
    NothingToUndo,
    /// An undo goes on already.
    #[error("an undo goes on already")]
    Undoing,
    /// The records of this run cannot be continued.
    #[error("the run cannot go on: {0}")]
    Corrupt(#[from] Corrupt),
    /// Nothing is paused.
    #[error("the run is not paused")]
    NotPaused,
}

/// Records that must be durable before the commands go out.
#[derive(Debug, Default)]
#[must_use = "a decision that is neither recorded nor released is lost"]
pub struct Decision {
    records: Vec<Record>,
    commands: Vec<Command>,
}

/// The journal does not show the records yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal ends at {head:?}, but the decision's records end at {needed:?}")]
pub struct NotDurable {
    /// Where the journal ends.
    pub head: Seq,
    /// Where it must end.
    pub needed: Seq,
}

impl Decision {
    /// What to append, in order, in one transaction.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a later decision, so that both are recorded in one transaction.
    pub fn merge(&mut self, later: Self) {
        self.records.extend(later.records);
        self.commands.extend(later.commands);
    }

    /// The commands, once the journal's head covers the records.
    ///
    /// # Errors
    /// When it does not: the commands stay locked.
    pub fn release(self, head: Seq) -> Result<Vec<Command>, NotDurable> {
        match self.records.last() {
            Some(last) if last.seq > head => Err(NotDurable { head, needed: last.seq }),
            Some(_) | None => Ok(self.commands),
        }
    }
}

/// Where a run stands, for whoever drives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Attempts are in flight, or something is due later.
    Working,
    /// Nothing can happen before a person decides, or ends a pause.
    Parked,
    /// The process may stop: it was asked to, and nothing is in flight.
    Interrupted,
    /// The run came to its end.
    Ended(event::Outcome),
}

/// What is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Another try of an instance.
    Retry(Place),
    /// Another probe of an instance in doubt.
    Probe(Place),
    /// Another try of an undo.
    Undo(Place),
    /// The end of an approval's time.
    Expiry(Place),
    /// The end of the run's time.
    RunTimeout,
}

/// The state machine of one run, in one tenure.
#[derive(Debug, Default)]
pub struct Scheduler {
    state: RunState,
    /// Whether this tenure has begun: nothing starts before.
    opened: bool,
    /// The signal that asked the process to stop.
    interrupting: Option<Name>,
    /// Steps whose needs are met, not looked at yet.
    unlocked: VecDeque<StepIx>,
    /// Instances that may start as soon as there is room.
    ready: BTreeSet<Place>,
    /// Instances of steps at their own `max_parallel`.
    queued: BTreeMap<StepIx, BTreeSet<u32>>,
    /// Attempts in flight per `for_each` step.
    running_of: BTreeMap<StepIx, u32>,
    /// What the world is doing for us.
    in_flight: BTreeMap<Place, Attempt>,
    due: BTreeSet<(Timestamp, Due)>,
    /// Tries at asking the world about an instance in doubt, in this tenure.
    probes: BTreeMap<Place, u32>,
    /// Instances in doubt of which the world said that nothing happened, until they start again.
    cleared: BTreeSet<Place>,
    /// What people say they carried out, while it is checked.
    claims: BTreeMap<Place, doubt::Claim>,
    /// Who holds which mutex inside this run.
    mutexes: BTreeMap<Name, Place>,
    /// Instances that asked the driver for their mutexes, and whether they have them.
    locking: BTreeMap<Place, bool>,
    /// Instances that wait for a mutex which another instance of this run holds, by that mutex; no set is empty.
    contended: BTreeMap<Name, BTreeSet<Place>>,
    /// The highest attempt numbers given to probes: a probe is recorded only once it is answered.
    numbered: BTreeMap<Place, u32>,
    /// Steps that `--until` allows; empty when it does not hold.
    allowed: Vec<bool>,
    undo_plan: undoing::UndoPlan,
}

impl Scheduler {
    /// A new run: `run_started` and the first tenure's `epoch_opened`, then whatever can start.
    ///
    /// # Errors
    /// When the plan is of another semantics.
    pub fn start(
        start: event::RunStarted,
        engine: Engine,
        expressions: &dyn Expressions,
        now: Timestamp,
    ) -> Result<(Self, Decision), Rejected> {
        let mut scheduler = Self::default();
        let mut decision = Decision::default();
        let by = start.by.clone();
        let first = Record { seq: Seq(1), at: now, epoch: crate::Epoch(1), event: start.into() };
        scheduler.state.apply(&first)?;
        decision.records.push(first);
        let opened = Input::Opened { epoch: crate::Epoch(1), by, engine, go_on: false };
        decision.merge(scheduler.handle(now, opened, expressions)?);
        Ok((scheduler, decision))
    }

    /// A run as its records left it; nothing starts before [`Input::Opened`].
    #[must_use]
    pub fn resume(mut state: RunState) -> Self {
        drop(state.take_unlocked());
        Self { state, ..Self::default() }
    }

    /// The fold so far.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The fold so far, when nothing is to be decided any more.
    #[must_use]
    pub fn into_state(self) -> RunState {
        self.state
    }

    /// Attempts in flight.
    pub fn in_flight(&self) -> impl Iterator<Item = &Attempt> {
        self.in_flight.values()
    }

    /// When [`Input::Tick`] is next wanted.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// One turn.
    ///
    /// # Errors
    /// When the input does not fit the run; it then leaves no trace.
    pub fn handle(
        &mut self,
        now: Timestamp,
        input: Input,
        expressions: &dyn Expressions,
    ) -> Result<Decision, Rejected> {
        let mut turn = Turn { scheduler: self, expressions, now, decision: Decision::default() };
        match input {
            Input::Opened { epoch, by, engine, go_on } => turn.opened(epoch, by, engine, go_on)?,
            Input::Finished { attempt, result } => turn.finished(&attempt, result)?,
            Input::Locked { step, key } => turn.locked(&step, key.as_ref()),
            Input::Tick => turn.tick(),
            Input::Operator(request) => turn.operator(request)?,
            Input::Interrupted { signal } => turn.interrupted(signal),
        }
        turn.advance();
        Ok(turn.decision)
    }

    /// Where the run stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if let Some(outcome) = self.state.outcome() {
            return Standing::Ended(outcome);
        }
        if !self.in_flight.is_empty() {
            return Standing::Working;
        }
        if self.interrupting.is_some() {
            return Standing::Interrupted;
        }
        let waits_for_locks = self.locking.values().any(|held| !held);
        let something_due = self.due.iter().any(|(_, due)| match due {
            Due::Retry(_) | Due::Probe(_) | Due::Undo(_) => !self.state.is_paused(),
            Due::Expiry(_) | Due::RunTimeout => false,
        });
        if waits_for_locks || something_due { Standing::Working } else { Standing::Parked }
    }
}

/// One turn of the scheduler: what it knows, and what it has decided so far.
struct Turn<'a> {
    scheduler: &'a mut Scheduler,
    expressions: &'a dyn Expressions,
    now: Timestamp,
    decision: Decision,
}

impl Turn<'_> {
    fn state(&self) -> &RunState {
        &self.scheduler.state
    }

    fn plan(&self) -> alloc::sync::Arc<Plan> {
        self.scheduler.state.plan_shared()
    }

    /// Records a fact: it is part of the state from here on.
    fn record(&mut self, event: impl Into<Event>) {
        let state = &mut self.scheduler.state;
        let record = Record { seq: Seq(state.head().0 + 1), at: self.now, epoch: state.epoch(), event: event.into() };
        self.push(record);
    }

    fn push(&mut self, record: Record) {
        self.scheduler.state.apply(&record).expect("the scheduler's own records continue its own state");
        self.scheduler.unlocked.extend(self.scheduler.state.take_unlocked());
        self.decision.records.push(record);
    }

    fn command(&mut self, command: Command) {
        self.decision.commands.push(command);
    }

    fn id(&self, place: Place) -> Name {
        self.state().plan().step(place.0).id.clone()
    }

    fn key(&self, place: Place) -> Option<Name> {
        self.state().at(place).key.clone()
    }

    fn label(&self, place: Place) -> String {
        crate::ids::label(&self.id(place), self.key(place).as_ref())
    }

    fn where_is(&self, place: Place) -> expressions::Place<'_> {
        expressions::Place { state: self.state(), step: place.0, instance: place.1 as usize, now: self.now }
    }

    /// The next attempt at an instance.
    fn next_attempt(&self, place: Place, purpose: Purpose) -> Attempt {
        let unrecorded = self.scheduler.numbered.get(&place).copied().unwrap_or(0);
        Attempt {
            step: self.id(place),
            key: self.key(place),
            purpose,
            number: self.state().at(place).attempts.max(unrecorded) + 1,
            epoch: self.state().epoch(),
        }
    }

    /// The instance that a step's id and a key name.
    fn locate(&self, step: &Name, key: Option<&Name>) -> Result<Place, Rejected> {
        let stranger = || Rejected::NoSuchStep(crate::ids::label(step, key));
        let at = self.state().find(step).ok_or_else(stranger)?;
        Ok((at, self.state().locate(at, key).ok_or_else(stranger)?))
    }

    fn launch(&mut self, place: Place, attempt: Attempt, intent: u32, claim: Option<Json>) {
        if self.state().plan().step(place.0).for_each().is_some() {
            *self.scheduler.running_of.entry(place.0).or_default() += 1;
        }
        match attempt.purpose {
            Purpose::Probe => drop(self.scheduler.numbered.insert(place, attempt.number)),
            Purpose::Do => drop(self.scheduler.cleared.remove(&place)),
            Purpose::Undo => {}
        }
        self.scheduler.in_flight.insert(place, attempt.clone());
        self.command(Command::Run { attempt, intent, claim });
    }

    /// An attempt reports its end.
    fn finished(&mut self, attempt: &Attempt, result: Report) -> Result<(), Rejected> {
        let stale = || Rejected::Stale(attempt.clone());
        let place = self.locate(&attempt.step, attempt.key.as_ref()).map_err(|_| stale())?;
        if self.scheduler.in_flight.get(&place) != Some(attempt) {
            return Err(stale());
        }
        self.scheduler.in_flight.remove(&place);
        self.landed(place);
        match attempt.purpose {
            Purpose::Do => self.tried(place, attempt, result),
            Purpose::Probe => self.probed(place, attempt, result),
            Purpose::Undo => self.undo_tried(place, attempt, result),
        }
        Ok(())
    }

    /// Makes room for what waited for this instance.
    fn landed(&mut self, place: Place) {
        if let Some(running) = self.scheduler.running_of.get_mut(&place.0) {
            *running = running.saturating_sub(1);
            if let Some(next) = self.scheduler.queued.get_mut(&place.0).and_then(BTreeSet::pop_first) {
                self.scheduler.ready.insert((place.0, next));
            }
        }
        self.unlock(place);
    }

    /// An attempt at a step's effect ended.
    fn tried(&mut self, place: Place, attempt: &Attempt, result: Report) {
        match result {
            Report::Done(output) => self.record(event::StepDone { attempt: attempt.clone(), output }),
            Report::NotDone(_) => {
                let error = failure("internal", "the step reported `not done`, which only a probe can", Left::Partial);
                self.failed(place, attempt, error);
            }
            Report::Failed(error) => self.failed(place, attempt, error),
            Report::Unknown(error) => self.in_doubt(place, attempt, error),
        }
    }
}

/// A failure without exit code or detail.
pub(crate) fn failure(class: &str, message: impl Into<String>, left: Left) -> Failure {
    Failure { class: Name::from(class), message: message.into(), left, exit_code: None, detail: None }
}
