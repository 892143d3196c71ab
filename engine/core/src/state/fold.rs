//! Applying one record. Every change of a run's state is on this page, or begins here.

use super::{Corrupt, Instance, Place, RunState, Stage, Status, StepState};
use crate::event::{self, Event, Outcome, Record};
use crate::ids::{Attempt, Name, Seq, StepIx, Timestamp};
use crate::input::Verdict;
use crate::json::Output;
use crate::plan::{OnFailure, Plan, SEMANTICS, place, sha256_hex};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::graph::Graph;

impl RunState {
    /// What these records add up to.
    ///
    /// # Errors
    /// When they cannot be the records of one run.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, Corrupt> {
        let mut state = Self::default();
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Adds one record: the only way in which a run's state changes.
    ///
    /// # Errors
    /// When the record cannot come after those before it.
    pub fn apply(&mut self, record: &Record) -> Result<(), Corrupt> {
        if record.seq.0 != self.head.0 + 1 {
            return Err(Corrupt::Gap { expected: self.head.0 + 1, found: record.seq.0 });
        }
        if matches!(record.event, Event::RunStarted(_)) == self.plan.is_some() {
            return Err(Corrupt::NoStart(record.seq.0));
        }
        let opens = matches!(record.event, Event::EpochOpened(_) | Event::RunStarted(_));
        if record.epoch < self.epoch || (record.epoch > self.epoch && !opens) {
            return Err(Corrupt::Epoch { seq: record.seq.0, found: record.epoch.0, current: self.epoch.0 });
        }
        self.absorb(record)?;
        self.head = record.seq;
        self.last_at = record.at;
        self.epoch = record.epoch;
        Ok(())
    }

    fn absorb(&mut self, record: &Record) -> Result<(), Corrupt> {
        let (seq, at) = (record.seq, record.at);
        match &record.event {
            Event::RunStarted(event) => self.run_started(event, at),
            Event::EpochOpened(event) => {
                self.engine = Some(event.engine.clone());
                self.interrupted = false;
                if event.go_on {
                    self.end_pause();
                }
                Ok(())
            }
            Event::StepExpanded(event) => self.step_expanded(seq, event),
            Event::StepSkipped(event) => self.step_skipped(seq, at, event),
            Event::StepIntent(event) => {
                let place = self.started(seq, &event.attempt, at)?;
                let instance = self.at_mut(place);
                instance.tries = if instance.intents == event.intent { instance.tries + 1 } else { 1 };
                instance.intents = event.intent;
                instance.status = Status::Running;
                self.active.insert(place);
                Ok(())
            }
            Event::StepDone(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                self.finish_well(place, Status::Done, event.output.clone(), seq, at);
                Ok(())
            }
            Event::StepFailed(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                self.step_failed(place, event, at);
                Ok(())
            }
            Event::StepUnknown(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                let askable =
                    self.plan().step(place.0).effect != crate::Effect::Once && self.plan().step(place.0).can_probe();
                let rerun = self.plan().step(place.0).effect < crate::Effect::Probe;
                let instance = self.at_mut(place);
                instance.status = Status::Unknown;
                let more = instance.more_mut();
                more.error = Some(event.error.clone());
                more.retry_at = None;
                more.needs_verdict = !askable && !rerun;
                self.active.insert(place);
                Ok(())
            }
            Event::ProbeAnswered(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                let instance = self.at_mut(place);
                if event.verdict.is_none() && instance.status == Status::Unknown {
                    instance.more_mut().needs_verdict = true;
                }
                if let Some(error) = &event.error {
                    instance.more_mut().error = Some(error.clone());
                }
                Ok(())
            }
            Event::StepResolved(event) => self.step_resolved(seq, at, event),
            Event::ApprovalRequested(event) => {
                let place = self.place(seq, &event.step, event.key.as_ref())?;
                let more = self.at_mut(place).more_mut();
                more.asked = Some(event.clone());
                more.granted = Vec::new();
                more.refused = false;
                self.active.insert(place);
                Ok(())
            }
            Event::ApprovalGranted(event) => {
                let place = self.place(seq, &event.step, event.key.as_ref())?;
                let instance = self.at_mut(place);
                let waved = !matches!(event.by.via.as_str(), "terminal" | "command");
                let asked = instance.more_mut().asked.as_ref().map_or(1, |asked| asked.approvers);
                let count = if waved { asked as usize } else { 1 };
                instance.more_mut().granted.extend(core::iter::repeat_n(event.clone(), count));
                if instance.is_approved() && instance.status == Status::Pending {
                    self.active.remove(&place);
                }
                Ok(())
            }
            Event::ApprovalRejected(event) => self.refused(seq, &event.step, event.key.as_ref()),
            Event::ApprovalExpired(event) => self.refused(seq, &event.step, event.key.as_ref()),
            Event::NoteAdded(_) => Ok(()),
            Event::RunPaused(_) => {
                self.paused = true;
                Ok(())
            }
            Event::RunUnpaused(_) => {
                self.end_pause();
                Ok(())
            }
            Event::CancelRequested(event) => {
                // Who gives a paused run up wants its last steps to run.
                self.paused = false;
                self.cancelled = Some((event.by.clone(), event.reason.clone()));
                Ok(())
            }
            Event::RetryRequested(event) => self.retry_requested(seq, at, event),
            Event::UndoRequested(event) => self.undo_requested(seq, event),
            Event::UndoIntent(event) => {
                let place = self.started(seq, &event.attempt, at)?;
                let instance = self.at_mut(place);
                instance.tries = if instance.intents == event.intent { instance.tries + 1 } else { 1 };
                instance.intents = event.intent;
                instance.status = Status::Undoing;
                self.active.insert(place);
                Ok(())
            }
            Event::UndoDone(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                let instance = self.at_mut(place);
                instance.status = Status::Undone;
                instance.ended_at = Some(at);
                self.active.remove(&place);
                Ok(())
            }
            Event::UndoFailed(event) => {
                let place = self.attempted(seq, &event.attempt)?;
                let instance = self.at_mut(place);
                instance.status = if event.retry_at.is_some() { Status::Undoing } else { Status::Stuck };
                let more = instance.more_mut();
                more.error = Some(event.error.clone());
                more.retry_at = event.retry_at;
                self.active.insert(place);
                Ok(())
            }
            Event::FinallyStarted(event) => {
                self.stage = Stage::Finally;
                self.main_outcome = Some(event.outcome);
                self.finally_ran = true;
                self.undo_after_main();
                for at in self.finally_places() {
                    self.need_met(at);
                }
                Ok(())
            }
            Event::RunFinished(event) => {
                self.stage = Stage::Ended(event.outcome);
                self.main_outcome.get_or_insert(event.outcome);
                self.reasons.clone_from(&event.reasons);
                self.ended_at = Some(at);
                Ok(())
            }
            Event::RunInterrupted(_) => {
                self.interrupted = true;
                Ok(())
            }
        }
    }

    fn run_started(&mut self, event: &event::RunStarted, at: Timestamp) -> Result<(), Corrupt> {
        if sha256_hex(event.plan.as_str().as_bytes()) != event.digest {
            return Err(Corrupt::Digest);
        }
        let plan: Plan = event.plan.parse().map_err(|error| Corrupt::Plan(alloc::format!("{error}")))?;
        if plan.semantics != SEMANTICS {
            return Err(Corrupt::Semantics { found: plan.semantics });
        }
        let outside = || Corrupt::Plan(String::from("a step needs one that is not there"));
        self.graph = Graph::of(&plan).ok_or_else(outside)?;
        if plan.main_count as usize > plan.steps.len() {
            return Err(outside());
        }
        self.run = event.run.clone();
        self.digest.clone_from(&event.digest);
        self.path.clone_from(&event.path);
        self.started_by = Some(event.by.clone());
        self.started_at = at;
        self.timed_from = at;
        self.until_holds = plan.until.is_some();
        self.main_open = plan.main_count;
        self.steps = plan.places().map(|(at, step)| StepState::new(&plan, at, step.for_each().is_some())).collect();
        self.unlocked = plan.places().filter(|(at, _)| self.steps[at.at()].waiting == 0).map(|(at, _)| at).collect();
        self.plan = Some(Arc::new(plan));
        Ok(())
    }

    /// A person said to go on: a pause ends, and so does `--until` where it was what paused the run.
    fn end_pause(&mut self) {
        let reached = self.plan().until.is_some_and(|until| self.is_released(until));
        if self.paused && reached {
            self.until_holds = false;
        }
        self.paused = false;
    }

    fn step_expanded(&mut self, seq: Seq, event: &event::StepExpanded) -> Result<(), Corrupt> {
        let (step, _) = self.place_of_step(seq, &event.step)?;
        let state = &mut self.steps[step.at()];
        let (attempts, intents) = state.numbers_used;
        state.instances = event
            .items
            .iter()
            .map(|item| Instance {
                key: Some(item.key.clone()),
                item: Some(item.item.clone()),
                attempts,
                intents,
                ..Instance::new()
            })
            .collect();
        let count = u32::try_from(event.items.len()).unwrap_or(u32::MAX);
        state.keys = (0..count).collect();
        let instances = &state.instances;
        state.keys.sort_by(|one, other| instances[*one as usize].key.cmp(&instances[*other as usize].key));
        state.open = count;
        state.expanded = true;
        if state.open == 0 {
            self.release(step);
        }
        Ok(())
    }

    fn step_skipped(&mut self, seq: Seq, at: Timestamp, event: &event::StepSkipped) -> Result<(), Corrupt> {
        let (step, _) = self.place_of_step(seq, &event.step)?;
        if event.key.is_none() && !self.steps[step.at()].expanded {
            let state = &mut self.steps[step.at()];
            state.expanded = true;
            state.skipped = true;
            state.open = 0;
            self.release(step);
            return Ok(());
        }
        let place = self.place(seq, &event.step, event.key.as_ref())?;
        self.at_mut(place).more_mut().skipped = Some(event.reason.clone());
        self.finish_well(place, Status::Skipped, Output::null(), seq, at);
        Ok(())
    }

    fn step_failed(&mut self, place: Place, event: &event::StepFailed, at: Timestamp) {
        let instance = self.at_mut(place);
        let more = instance.more_mut();
        more.error = Some(event.error.clone());
        more.retry_at = event.retry_at;
        if event.retry_at.is_some() {
            instance.status = Status::Running;
            self.active.insert(place);
            return;
        }
        instance.status = Status::Failed;
        instance.ended_at = Some(at);
        self.active.remove(&place);
        self.turned_bad(place.0);
    }

    fn step_resolved(&mut self, seq: Seq, at: Timestamp, event: &event::StepResolved) -> Result<(), Corrupt> {
        let place = self.place(seq, &event.step, event.key.as_ref())?;
        let instance = self.at_mut(place);
        let more = instance.more_mut();
        more.resolved = Some((event.verdict, event.by.clone()));
        more.needs_verdict = false;
        let stuck = instance.status == Status::Stuck;
        match (stuck, event.verdict) {
            (true, Verdict::Done) => {
                instance.status = Status::Undone;
                self.active.remove(&place);
            }
            (true, Verdict::NotDone) => {
                instance.status = Status::Undoing;
                instance.more_mut().retry_at = Some(at);
            }
            (true, Verdict::Skip) => {
                // Left as it is: its effect stays in the world, and the undo goes on without it.
                instance.status = Status::Done;
                self.active.remove(&place);
                if let Some(undo) = &mut self.undo {
                    undo.kept.insert(place);
                }
            }
            (false, Verdict::Done) => self.finish_well(place, Status::Done, Output::null(), seq, at),
            (false, Verdict::NotDone) => {
                instance.status = Status::Running;
                instance.more_mut().retry_at = Some(at);
            }
            (false, Verdict::Skip) => {
                self.at_mut(place).more_mut().skipped = Some(String::from("an operator said to go on without it"));
                self.finish_well(place, Status::Skipped, Output::null(), seq, at);
            }
        }
        Ok(())
    }

    fn refused(&mut self, seq: Seq, step: &Name, key: Option<&Name>) -> Result<(), Corrupt> {
        let place = self.place(seq, step, key)?;
        self.at_mut(place).more_mut().refused = true;
        self.active.remove(&place);
        Ok(())
    }

    fn undo_after_main(&mut self) {
        if let Some(undo) = &mut self.undo {
            undo.after_end = false;
        }
    }

    pub(super) fn finally_places(&self) -> impl Iterator<Item = StepIx> + use<> {
        (self.plan().main_count as usize..self.plan().steps.len()).map(place)
    }

    /// An attempt that starts now.
    fn started(&mut self, seq: Seq, attempt: &Attempt, at: Timestamp) -> Result<Place, Corrupt> {
        let place = self.attempted(seq, attempt)?;
        let instance = self.at_mut(place);
        instance.started_at.get_or_insert(at);
        if let Some(more) = &mut instance.more {
            more.retry_at = None;
            more.needs_verdict = false;
        }
        Ok(place)
    }

    fn attempted(&mut self, seq: Seq, attempt: &Attempt) -> Result<Place, Corrupt> {
        let (step, state) = self.place_of_step(seq, &attempt.step)?;
        if !state.expanded && attempt.key.is_none() {
            // It failed before its instances were known: one without a key stands for all.
            let state = &mut self.steps[step.at()];
            state.instances = vec![Instance::new()];
            state.expanded = true;
        }
        let at = self.locate(step, attempt.key.as_ref());
        let at = at.ok_or_else(|| Corrupt::Stranger { seq: seq.0, subject: attempt.label() })?;
        let place = (step, at);
        let instance = self.at_mut(place);
        instance.attempts = instance.attempts.max(attempt.number);
        Ok(place)
    }

    fn finish_well(&mut self, place: Place, status: Status, output: Output, seq: Seq, at: Timestamp) {
        let instance = self.at_mut(place);
        let was_settled = matches!(instance.status, Status::Done | Status::Skipped);
        instance.status = status;
        instance.output = Some(output);
        instance.ended_at = Some(at);
        instance.done_seq = if status == Status::Done { seq } else { Seq(0) };
        if let Some(more) = &mut instance.more {
            more.retry_at = None;
            more.needs_verdict = false;
        }
        self.active.remove(&place);
        if was_settled {
            return;
        }
        let state = &mut self.steps[place.0.at()];
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            self.release(place.0);
        }
    }

    /// A step is settled well: those that need it wait for one less.
    fn release(&mut self, step: StepIx) {
        if core::mem::replace(&mut self.steps[step.at()].released, true) {
            return;
        }
        if !self.plan().is_finally(step) {
            self.main_open -= 1;
        }
        for at in 0..self.graph.dependents(step).len() {
            self.need_met(self.graph.dependents(step)[at]);
        }
    }

    fn need_met(&mut self, step: StepIx) {
        let state = &mut self.steps[step.at()];
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 {
            self.unlocked.push(step);
        }
    }

    /// One more instance failed for good: it may stop the run, and the first one blocks whoever needs the step.
    fn turned_bad(&mut self, step: StepIx) {
        let plan = self.plan_shared();
        if !plan.is_finally(step) {
            match plan.step(step).on_failure() {
                OnFailure::Halt | OnFailure::Undo => {
                    self.halting.insert(step);
                }
                OnFailure::Continue => {}
            }
        }
        let state = &mut self.steps[step.at()];
        state.failed += 1;
        if state.failed == 1 {
            self.spread(step, true);
        }
    }

    pub(super) fn turned_good_again(&mut self, step: StepIx) {
        let state = &mut self.steps[step.at()];
        state.failed = state.failed.saturating_sub(1);
        if state.failed > 0 {
            return;
        }
        self.spread(step, false);
    }

    /// Blocks, or unblocks, what needs a step, directly or through others. Each edge is walked once per change.
    fn spread(&mut self, step: StepIx, blocks: bool) {
        let mut todo = vec![step];
        while let Some(from) = todo.pop() {
            for at in 0..self.graph.dependents(from).len() {
                let to = self.graph.dependents(from)[at];
                let state = &mut self.steps[to.at()];
                let was_blocked = state.bad_needs > 0;
                state.bad_needs = if blocks { state.bad_needs + 1 } else { state.bad_needs.saturating_sub(1) };
                if was_blocked == (state.bad_needs > 0) {
                    continue;
                }
                let (was, is) =
                    if blocks { (Status::Pending, Status::Blocked) } else { (Status::Blocked, Status::Pending) };
                for instance in &mut state.instances {
                    if instance.status == was {
                        instance.status = is;
                    }
                }
                todo.push(to);
            }
        }
    }

    pub(super) fn place_of_step(&self, seq: Seq, step: &Name) -> Result<(StepIx, &StepState), Corrupt> {
        let stranger = || Corrupt::Stranger { seq: seq.0, subject: String::from(step.as_str()) };
        let at = self.find(step).ok_or_else(stranger)?;
        Ok((at, &self.steps[at.at()]))
    }

    fn place(&self, seq: Seq, step: &Name, key: Option<&Name>) -> Result<Place, Corrupt> {
        let (at, _) = self.place_of_step(seq, step)?;
        match self.locate(at, key) {
            Some(instance) => Ok((at, instance)),
            None => Err(Corrupt::Stranger { seq: seq.0, subject: crate::ids::label(step, key) }),
        }
    }

    /// The index of an instance.
    pub(crate) fn locate(&self, step: StepIx, key: Option<&Name>) -> Option<u32> {
        let (at, _) = self.instance(step, key.map(Name::as_str))?;
        u32::try_from(at).ok()
    }

    fn at_mut(&mut self, place: Place) -> &mut Instance {
        &mut self.steps[place.0.at()].instances[place.1 as usize]
    }
}

impl StepState {
    pub(super) fn new(plan: &Plan, at: StepIx, is_for_each: bool) -> Self {
        let needs = u32::try_from(plan.step(at).needs.len()).unwrap_or(u32::MAX);
        Self {
            instances: if is_for_each { Vec::new() } else { vec![Instance::new()] },
            waiting: needs + u32::from(plan.is_finally(at)),
            bad_needs: 0,
            open: 1,
            failed: 0,
            expanded: !is_for_each,
            skipped: false,
            released: false,
            keys: Vec::new(),
            numbers_used: (0, 0),
        }
    }

    pub(super) fn by_key(&self, key: &str) -> Option<usize> {
        let at = self.keys.binary_search_by(|at| self.instances[*at as usize].key.as_deref().cmp(&Some(key))).ok()?;
        Some(self.keys[at] as usize)
    }

    /// The highest attempt and intent of its instances, those before included.
    pub(super) fn highest_numbers(&self) -> (u32, u32) {
        let highest =
            |before: u32, number: fn(&Instance) -> u32| self.instances.iter().map(number).fold(before, u32::max);
        (highest(self.numbers_used.0, |one| one.attempts), highest(self.numbers_used.1, |one| one.intents))
    }
}

/// How main steps that came to rest ended.
impl RunState {
    pub(crate) fn resting_outcome(&self) -> Outcome {
        match &self.cancelled {
            Some((Some(_), _)) => Outcome::Cancelled,
            Some((None, _)) => Outcome::Failed,
            None if self.main_open == 0 => Outcome::Done,
            None => Outcome::Failed,
        }
    }
}
