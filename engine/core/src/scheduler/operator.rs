//! What people ask for: accepted and recorded with who and why, or refused without a trace.

use super::doubt::Claim;
use super::{Rejected, Turn, failure};
use crate::event::{self, Outcome};
use crate::ids::{Name, Purpose};
use crate::input::{Actor, Command, Left, Operation, Request, Verdict};
use crate::json::{Json, Output};
use crate::plan::TargetKind;
use crate::state::{Place, Stage, Status};
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

impl Turn<'_> {
    pub(super) fn operator(&mut self, request: Request) -> Result<(), Rejected> {
        let Request { by, reason, what } = request;
        match what {
            Operation::Approve { step, key, choice, fields } => {
                self.approve(&step, key.as_ref(), by, choice, fields, reason)
            }
            Operation::Reject { step, key } => self.reject(&step, key.as_ref(), by, reason),
            Operation::Resolve { step, key, verdict, fields } => {
                self.resolve(&step, key.as_ref(), verdict, fields, by, reason)
            }
            Operation::Note { text } => {
                self.record(event::NoteAdded { text, by });
                Ok(())
            }
            Operation::Pause => {
                self.is_going_on("paused")?;
                self.record(event::RunPaused { by: Some(by), reason });
                Ok(())
            }
            Operation::Unpause => {
                if !self.state().is_paused() {
                    return Err(Rejected::NotPaused);
                }
                self.record(event::RunUnpaused { by });
                self.allow();
                self.find_open_steps();
                Ok(())
            }
            Operation::Cancel => self.cancel(by, reason),
            Operation::Undo { to, past_point_of_no_return } => {
                self.ask_for_undo(to, by, reason, past_point_of_no_return)
            }
            Operation::Retry { step, key } => self.retry(step, key, by, reason),
        }
    }

    fn is_going_on(&self, what: &'static str) -> Result<(), Rejected> {
        match self.state().outcome() {
            Some(outcome) => Err(Rejected::Over(outcome.as_str(), what)),
            None => Ok(()),
        }
    }

    fn approve(
        &mut self,
        step: &Name,
        key: Option<&Name>,
        by: Actor,
        choice: Option<String>,
        fields: Option<Json>,
        reason: Option<String>,
    ) -> Result<(), Rejected> {
        let place = self.asked_about(step, key)?;
        if self.state().at(place).open_request().is_some_and(|asked| asked.manual) {
            return self.resolve(step, key, Verdict::Done, fields, by, reason);
        }
        let choice = self.is_entitled(place, &by, choice)?;
        self.record(event::ApprovalGranted { step: step.clone(), key: key.cloned(), by, choice, fields, reason });
        if self.state().at(place).is_approved() {
            self.make_ready(place);
        }
        Ok(())
    }

    /// The instance that waits for a person.
    fn asked_about(&self, step: &Name, key: Option<&Name>) -> Result<Place, Rejected> {
        let place = self.locate(step, key)?;
        let instance = self.state().at(place);
        let request =
            instance.open_request().filter(|_| instance.status == Status::Pending && self.is_asked_for(place));
        let in_time = |asked: &event::ApprovalRequested| asked.expires_at.is_none_or(|at| self.now < at);
        if !request.is_some_and(in_time) || self.scheduler.in_flight.contains_key(&place) {
            return Err(Rejected::NotAsked(self.label(place)));
        }
        Ok(place)
    }

    /// Whether this step may still start, so that it makes sense to decide about it.
    fn is_asked_for(&self, place: Place) -> bool {
        self.state().is_on_stage(place.0) && *self.state().stage() != Stage::Undoing
    }

    /// Whether this person may agree, in these words.
    fn is_entitled(&self, place: Place, by: &Actor, choice: Option<String>) -> Result<Option<String>, Rejected> {
        let instance = self.state().at(place);
        let Some(asked) = instance.open_request() else { return Err(Rejected::NotAsked(self.label(place))) };
        let step = || self.label(place);
        let waved = !matches!(by.via.as_str(), "terminal" | "command");
        let strict = asked.approvers > 1 || asked.not_initiator;
        if waved && strict && self.state().plan().target.kind == TargetKind::Production {
            return Err(Rejected::NotWaved(step()));
        }
        if !waved {
            let started_by = self.state().started_by().map(|actor| actor.name.as_str());
            if asked.not_initiator && started_by == Some(by.name.as_str()) {
                return Err(Rejected::Initiator { step: step(), who: by.name.clone() });
            }
            let granted = instance.more.as_ref().map_or(&[][..], |more| &more.granted);
            if granted.iter().any(|granted| granted.by.name == by.name) {
                return Err(Rejected::Twice { step: step(), who: by.name.clone(), approvers: asked.approvers });
            }
        }
        match choice {
            None if waved => Ok(asked.choices.first().cloned()),
            None if asked.choices.is_empty() => Ok(None),
            Some(choice) if asked.choices.contains(&choice) => Ok(Some(choice)),
            Some(_) | None => Err(Rejected::NotAChoice { step: step(), choices: asked.choices.clone() }),
        }
    }

    /// An `approval` step has its answer: it is done, and the answer is its output.
    pub(super) fn approval_is_given(&mut self, place: Place) {
        let instance = self.state().at(place);
        let granted = instance.more.as_ref().map_or(&[][..], |more| &more.granted);
        let mut people: Vec<&str> = granted.iter().map(|granted| granted.by.name.as_str()).collect();
        people.dedup();
        let mut output = Map::new();
        output.insert(String::from("approved"), Value::Bool(true));
        output.insert(String::from("by"), people.into());
        let choice = granted.iter().rev().find_map(|granted| granted.choice.clone());
        output.insert(String::from("choice"), choice.map_or(Value::Null, Value::String));
        for fields in granted.iter().filter_map(|granted| granted.fields.as_ref()) {
            if let Value::Object(fields) = fields.value() {
                output.extend(fields);
            }
        }
        let attempt = self.next_attempt(place, Purpose::Do);
        self.record(event::StepDone { attempt, output: Output::Inline(Json::from(Value::Object(output))) });
    }

    fn reject(&mut self, step: &Name, key: Option<&Name>, by: Actor, reason: Option<String>) -> Result<(), Rejected> {
        let place = self.asked_about(step, key)?;
        let why = reason.as_ref().map_or(String::new(), |reason| alloc::format!(": {reason}"));
        let error = failure("rejected", alloc::format!("{} said no{why}", by.name), Left::Nothing);
        self.record(event::ApprovalRejected { step: step.clone(), key: key.cloned(), by, reason });
        self.refuse(place, error);
        Ok(())
    }

    fn resolve(
        &mut self,
        step: &Name,
        key: Option<&Name>,
        verdict: Verdict,
        fields: Option<Json>,
        by: Actor,
        reason: Option<String>,
    ) -> Result<(), Rejected> {
        let place = self.locate(step, key)?;
        let instance = self.state().at(place);
        let status = instance.status;
        let in_doubt = matches!(status, Status::Unknown | Status::Stuck);
        if in_doubt && !self.state().is_on_stage(place.0) {
            let stage = self.state().outcome().map_or("at its last steps", Outcome::as_str);
            return Err(Rejected::Over(stage, "resolved"));
        }
        let instructed = instance.open_request().is_some_and(|asked| asked.manual);
        let asked = status == Status::Pending && instructed && self.is_asked_for(place);
        let busy = self.scheduler.in_flight.contains_key(&place);
        if busy || !(in_doubt || asked) {
            return Err(Rejected::NotInDoubt { step: self.label(place), status: status.as_str() });
        }
        match (asked, verdict) {
            (true, Verdict::Done) => {
                let fields = fields.unwrap_or_else(|| Json::from(Value::Object(Map::new())));
                self.check_claim(place, Claim { by, reason, fields });
            }
            (true, Verdict::NotDone) => return self.reject(step, key, by, reason),
            (false, Verdict::Done | Verdict::NotDone | Verdict::Skip) | (true, Verdict::Skip) => {
                self.record(event::StepResolved { step: step.clone(), key: key.cloned(), verdict, by, reason });
                match (status, verdict) {
                    (Status::Unknown, Verdict::NotDone) => {
                        self.scheduler.ready.insert(place);
                    }
                    (Status::Stuck, Verdict::NotDone) => self.undo_again(place),
                    (_, Verdict::Done | Verdict::NotDone | Verdict::Skip) => {}
                }
            }
        }
        Ok(())
    }

    fn cancel(&mut self, by: Actor, reason: Option<String>) -> Result<(), Rejected> {
        self.is_going_on("cancelled")?;
        match self.state().stage() {
            Stage::Main => {
                self.record(event::CancelRequested { by: Some(by), reason });
                self.stop_everything();
                Ok(())
            }
            Stage::Undoing => Err(Rejected::Undoing),
            Stage::Finally | Stage::Ended(_) => Err(Rejected::Over("at its last steps", "cancelled")),
        }
    }

    /// Asks for everything in flight to be stopped; it reports how it ended.
    pub(super) fn stop_everything(&mut self) {
        let attempts: Vec<_> = self.scheduler.in_flight.values().cloned().collect();
        for attempt in attempts {
            self.command(Command::Stop { attempt });
        }
    }

    pub(super) fn interrupted(&mut self, signal: Name) {
        self.scheduler.interrupting = Some(signal);
    }

    fn retry(&mut self, step: Name, key: Option<Name>, by: Actor, reason: Option<String>) -> Result<(), Rejected> {
        let at = self.state().find(&step).ok_or_else(|| Rejected::NoSuchStep(String::from(step.as_str())))?;
        self.may_go_back(at)?;
        let fits = |instance: &&crate::state::Instance| key.is_none() || instance.key == key;
        let mut named = self.state().instances(at).iter().filter(fits).peekable();
        if named.peek().is_none() && key.is_some() {
            return Err(Rejected::NoSuchStep(crate::ids::label(&step, key.as_ref())));
        }
        if !named.any(|instance| instance.status == Status::Failed) {
            let status = self.state().status(at).as_str();
            return Err(Rejected::NotFailed { step: crate::ids::label(&step, key.as_ref()), status });
        }
        let had_ended = self.state().outcome().is_some();
        self.record(event::RetryRequested { step, key, by, reason });
        if had_ended {
            self.find_everything();
        } else {
            self.find_open_steps();
        }
        Ok(())
    }

    /// Whether the run can still go back to where this step is tried again.
    fn may_go_back(&self, step: crate::StepIx) -> Result<(), Rejected> {
        let state = self.state();
        let is_main = !state.plan().is_finally(step);
        match state.stage() {
            Stage::Main if state.is_giving_up() => Err(Rejected::Over("being cancelled", "tried again")),
            Stage::Undoing => Err(Rejected::Over("undone", "tried again")),
            Stage::Finally if is_main => Err(Rejected::Over("at its last steps", "tried again")),
            Stage::Ended(_) if is_main && state.undo().is_some() => Err(Rejected::Over("undone", "tried again")),
            Stage::Main | Stage::Finally | Stage::Ended(_) => Ok(()),
        }
    }

    pub(super) fn ended_as(&self) -> Outcome {
        self.state().resting_outcome()
    }
}
