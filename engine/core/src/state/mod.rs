//! The fold: what a run's records add up to. The only place where a run's state changes.
//!
//! Running, resuming, watching, reporting and auditing all call [`RunState::apply`]. It decides nothing and asks
//! nobody. Work per record is proportional to the step's own edges.

mod fold;
mod graph;
mod instance;
mod questions;
mod reopening;

use crate::event::Outcome;
use crate::ids::{Epoch, Name, Seq, StepIx, Timestamp};
use crate::input::{Actor, Engine};
use crate::plan::{Plan, SEMANTICS, StepPlan};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use graph::Graph;
use instance::taken_together;
pub use instance::{Instance, InstanceMore, Status};
pub use questions::{Question, QuestionKind};

/// Why records cannot be those of one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// A place is missing or taken twice.
    #[error("event {found} stands where event {expected} should be")]
    Gap {
        /// The place that is due.
        expected: u64,
        /// The place found.
        found: u64,
    },
    /// The first record must be `run_started`, and only it.
    #[error("event {0} cannot be there: a run begins with `run_started`, once")]
    NoStart(u64),
    /// The plan cannot be read.
    #[error("the plan in event 1 cannot be read: {0}")]
    Plan(String),
    /// Another version's decisions.
    #[error("the plan has semantics {found}, this version knows {SEMANTICS}; use the version that made it")]
    Semantics {
        /// What the plan says.
        found: u32,
    },
    /// The plan's digest does not match its bytes.
    #[error("the plan in event 1 does not have the digest that the event names")]
    Digest,
    /// A step that the plan does not have.
    #[error("event {seq} names `{subject}`, which the plan does not have")]
    Stranger {
        /// The record's place.
        seq: u64,
        /// The step or instance.
        subject: String,
    },
    /// The epoch fell.
    #[error("event {seq} is of epoch {found}, after epoch {current}")]
    Epoch {
        /// The record's place.
        seq: u64,
        /// The epoch it names.
        found: u64,
        /// The epoch before it.
        current: u64,
    },
}

/// Which part of its life a run is in.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// The main steps run.
    Main,
    /// What was done is being reversed.
    Undoing,
    /// The `finally` steps run.
    Finally,
    /// It came to its end.
    Ended(Outcome),
}

/// A step as a whole: what its instances add up to.
#[derive(Clone, Debug, Default)]
struct StepState {
    instances: Vec<Instance>,
    /// Needs that are not settled well, and for a `finally` step the end of the main steps.
    waiting: u32,
    /// Needs that failed or are blocked.
    bad_needs: u32,
    /// Instances that are not settled well.
    open: u32,
    /// Instances that failed for good.
    failed: u32,
    /// Whether its instances are known: always, but for `for_each` before it is expanded.
    expanded: bool,
    /// Whether it was left out as a whole.
    skipped: bool,
    /// Whether dependents were told that it is settled well.
    released: bool,
    /// The instances' indexes, sorted by key.
    keys: Vec<u32>,
    /// Attempts and intents of an earlier end's instances: new ones count on from there.
    numbers_used: (u32, u32),
}

/// An undo that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct UndoScope {
    /// Everything done at or after this record is to be reversed.
    pub from: Seq,
    /// Who asked; nobody when a step's `on_failure` did.
    pub by: Option<Actor>,
    /// Whether it was asked for after the run had come to its end.
    pub after_end: bool,
    /// Instances whose undo an operator gave up: they stay done.
    kept: BTreeSet<Place>,
}

impl UndoScope {
    /// Whether an operator said that this instance stays as it is.
    pub(crate) fn keeps(&self, place: Place) -> bool {
        self.kept.contains(&place)
    }
}

/// What a run's records add up to.
#[derive(Clone, Debug)]
pub struct RunState {
    head: Seq,
    last_at: Timestamp,
    epoch: Epoch,
    engine: Option<Engine>,
    run: Name,
    digest: String,
    path: Option<String>,
    started_by: Option<Actor>,
    started_at: Timestamp,
    /// Since when `limits.timeout` counts: the start, or the retry that reopened the run.
    timed_from: Timestamp,
    ended_at: Option<Timestamp>,
    plan: Option<Arc<Plan>>,
    graph: Graph,
    steps: Vec<StepState>,
    stage: Stage,
    main_outcome: Option<Outcome>,
    reasons: Vec<String>,
    /// Main steps that are not settled well.
    main_open: u32,
    /// Failed main steps whose failure stops the run.
    halting: BTreeSet<StepIx>,
    paused: bool,
    until_holds: bool,
    cancelled: Option<(Option<Actor>, Option<String>)>,
    interrupted: bool,
    undo: Option<UndoScope>,
    finally_ran: bool,
    /// Instances that are neither untouched nor settled: running, in doubt, being asked about, undoing, stuck.
    active: BTreeSet<Place>,
    /// Steps all of whose needs are settled well, since the last [`RunState::take_unlocked`].
    unlocked: Vec<StepIx>,
}

/// A step's place and its instance's index.
pub(crate) type Place = (StepIx, u32);

impl Default for RunState {
    fn default() -> Self {
        Self {
            head: Seq(0),
            last_at: Timestamp(0),
            epoch: Epoch(0),
            engine: None,
            run: Name::from(""),
            digest: String::new(),
            path: None,
            started_by: None,
            started_at: Timestamp(0),
            timed_from: Timestamp(0),
            ended_at: None,
            plan: None,
            graph: Graph::default(),
            steps: Vec::new(),
            stage: Stage::Main,
            main_outcome: None,
            reasons: Vec::new(),
            main_open: 0,
            halting: BTreeSet::new(),
            paused: false,
            until_holds: false,
            cancelled: None,
            interrupted: false,
            undo: None,
            finally_ran: false,
            active: BTreeSet::new(),
            unlocked: Vec::new(),
        }
    }
}

impl RunState {
    /// The plan.
    ///
    /// # Panics
    /// Before the first record was applied.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.plan.as_ref().expect("a run's first record holds its plan, and nothing is asked before it")
    }

    /// The plan, shared.
    ///
    /// # Panics
    /// Before the first record was applied.
    #[must_use]
    pub fn plan_shared(&self) -> Arc<Plan> {
        Arc::clone(self.plan.as_ref().expect("a run's first record holds its plan, and nothing is asked before it"))
    }

    /// Whether the first record was applied.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.plan.is_some()
    }

    /// The place of the last record.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The time of the last record.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// The current tenure.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The process of the current tenure.
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &Name {
        &self.run
    }

    /// SHA-256 of the plan, hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the runbook was read from.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Who started it.
    #[must_use]
    pub fn started_by(&self) -> Option<&Actor> {
        self.started_by.as_ref()
    }

    /// When it started.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// When it came to its end.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// Which part of its life it is in.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// How the run ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended(outcome) => Some(outcome),
            Stage::Main | Stage::Undoing | Stage::Finally => None,
        }
    }

    /// How the main steps ended; `None` before the `finally` steps begin. It is `run.outcome` in expressions.
    #[must_use]
    pub fn main_outcome(&self) -> Option<Outcome> {
        self.main_outcome
    }

    /// What made the outcome so, for people.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Whether somebody paused it, or `--until` was reached.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a failure stopped it from starting more.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        !self.halting.is_empty()
    }

    /// The failed steps that stopped it.
    pub fn halted_by(&self) -> impl Iterator<Item = StepIx> {
        self.halting.iter().copied()
    }

    /// Whether it was given up, by whom and why.
    #[must_use]
    pub fn cancelled(&self) -> Option<&(Option<Actor>, Option<String>)> {
        self.cancelled.as_ref()
    }

    /// Whether the last tenure ended by a signal.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether only the ancestors of [`Plan::until`] may start.
    #[must_use]
    pub fn until_holds(&self) -> bool {
        self.until_holds
    }

    /// The undo that was asked for last.
    #[must_use]
    pub fn undo(&self) -> Option<&UndoScope> {
        self.undo.as_ref()
    }

    /// The place of the step with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.graph.find(self.plan(), id)
    }

    /// The plan of the step with this id, and its place.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<(StepIx, &StepPlan)> {
        let at = self.find(id)?;
        Some((at, self.plan().step(at)))
    }

    /// The steps that need this one.
    #[must_use]
    pub fn dependents(&self, step: StepIx) -> &[StepIx] {
        self.graph.dependents(step)
    }

    /// The instances of a step; empty before a `for_each` is expanded.
    #[must_use]
    pub fn instances(&self, step: StepIx) -> &[Instance] {
        &self.steps[step.at()].instances
    }

    /// One instance, by key.
    #[must_use]
    pub fn instance(&self, step: StepIx, key: Option<&str>) -> Option<(usize, &Instance)> {
        let state = &self.steps[step.at()];
        let at = match key {
            None => state.instances.iter().position(|instance| instance.key.is_none())?,
            Some(key) => state.by_key(key)?,
        };
        Some((at, state.instances.get(at)?))
    }

    /// Whether a `for_each` step has its instances.
    #[must_use]
    pub fn is_expanded(&self, step: StepIx) -> bool {
        self.steps[step.at()].expanded
    }

    /// Where a step is: its instances taken together, the most pressing first.
    #[must_use]
    pub fn status(&self, step: StepIx) -> Status {
        let state = &self.steps[step.at()];
        if state.skipped {
            return Status::Skipped;
        }
        if !state.expanded {
            return if state.bad_needs > 0 {
                Status::Blocked
            } else if state.failed > 0 {
                Status::Failed
            } else {
                Status::Pending
            };
        }
        let mut seen = state.instances.iter().map(|instance| instance.status);
        let Some(first) = seen.next() else { return Status::Done };
        seen.fold(first, taken_together)
    }

    /// Tries of all instances together.
    #[must_use]
    pub fn attempts(&self, step: StepIx) -> u32 {
        self.instances(step).iter().map(|instance| instance.attempts).sum()
    }

    /// Main and `finally` steps that are settled well, and all of them.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.steps.iter().filter(|step| step.released).count(), self.steps.len())
    }

    pub(crate) fn take_unlocked(&mut self) -> Vec<StepIx> {
        core::mem::take(&mut self.unlocked)
    }

    pub(crate) fn active(&self) -> &BTreeSet<Place> {
        &self.active
    }

    pub(crate) fn main_open(&self) -> u32 {
        self.main_open
    }

    pub(crate) fn finally_ran(&self) -> bool {
        self.finally_ran
    }

    /// Since when `limits.timeout` counts.
    pub(crate) fn timed_from(&self) -> Timestamp {
        self.timed_from
    }

    /// Whether the run is in the part of its life in which this step acts, is asked about and is settled.
    pub(crate) fn is_on_stage(&self, step: StepIx) -> bool {
        match self.stage {
            Stage::Main | Stage::Undoing => !self.plan().is_finally(step),
            Stage::Finally => self.plan().is_finally(step),
            Stage::Ended(_) => false,
        }
    }

    /// Whether the main steps were given up and are being brought to their end.
    pub(crate) fn is_giving_up(&self) -> bool {
        self.stage == Stage::Main && self.cancelled.is_some()
    }

    pub(crate) fn waits(&self, step: StepIx) -> bool {
        let state = &self.steps[step.at()];
        state.waiting > 0 || state.bad_needs > 0
    }

    pub(crate) fn is_released(&self, step: StepIx) -> bool {
        self.steps[step.at()].released
    }

    pub(crate) fn at(&self, place: Place) -> &Instance {
        &self.steps[place.0.at()].instances[place.1 as usize]
    }
}
