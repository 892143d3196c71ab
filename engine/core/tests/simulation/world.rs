//! What is really there. The engine hears of it only by reports; the rules about effects are judged here.

use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::input::{Command, Failure, Left, Result as Report};
use ceptra_flow_core::plan::Undo;
use ceptra_flow_core::{Attempt, Effect, Json, Name, Output, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// How a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does what it is for, and says so.
    Well,
    /// It fails and leaves nothing.
    Clean,
    /// It fails half way.
    Partial,
    /// It does what it is for, but nobody hears.
    UnheardDone,
    /// It does not, and nobody hears.
    UnheardNot,
    /// A probe that cannot tell.
    CannotTell,
}

/// Work that the engine asked for.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) attempt: Attempt,
    intent: u32,
}

/// Facts by instance, and what is going on.
#[derive(Default)]
pub(crate) struct World {
    /// Instances whose effect is there, with the intent that brought it.
    there: BTreeMap<String, u32>,
    /// Instances whose effect a person asked for again although it may be there.
    excused: BTreeSet<String>,
    /// Keys of last steps that were used at an earlier end.
    spent: BTreeSet<(String, u32)>,
    pub(crate) jobs: BTreeMap<String, Job>,
    /// Who holds which mutex, and what was asked for but not granted yet.
    held: BTreeMap<Name, String>,
    pub(crate) wanted: BTreeMap<String, (Name, Option<Name>, Vec<Name>)>,
}

impl World {
    pub(crate) fn is_there(&self, label: &str) -> bool {
        self.there.contains_key(label)
    }

    /// Everything that is there, for comparing ends.
    pub(crate) fn facts(&self) -> Vec<String> {
        self.there.keys().cloned().collect()
    }

    /// A person does what a manual step says.
    pub(crate) fn done_by_hand(&mut self, label: &str) {
        self.there.insert(label.to_owned(), 0);
    }

    /// A person asked for this again: what the target thinks of a new key is their business.
    pub(crate) fn excuse(&mut self, label: &str) {
        self.excused.insert(label.to_owned());
    }

    /// A last step is wanted once more, at a new end.
    pub(crate) fn wanted_anew(&mut self, step: &str) {
        let is_of_step = |label: &str| label == step || label.starts_with(&format!("{step}["));
        let spent = self.there.extract_if(.., |label, _| is_of_step(label));
        self.spent.extend(spent);
    }

    /// Takes an order of the engine.
    pub(crate) fn take(&mut self, plan: &Plan, order: Command) {
        match order {
            Command::Run { attempt, intent, .. } => {
                self.holds_mutexes(plan, &attempt);
                let label = attempt.label();
                let before = self.jobs.insert(label.clone(), Job { attempt, intent });
                assert!(before.is_none(), "two attempts at `{label}` at the same time");
            }
            // Stopping is a wish: the job may end in any way.
            Command::Stop { .. } => {}
            Command::Lock { step, key, locks } => {
                let label = ceptra_flow_core::ids::label(&step, key.as_ref());
                let before = self.wanted.insert(label.clone(), (step, key, locks));
                assert!(before.is_none(), "`{label}` asks twice for its mutexes");
            }
            Command::Unlock { step, key } => {
                let label = ceptra_flow_core::ids::label(&step, key.as_ref());
                self.wanted.remove(&label);
                self.held.retain(|_, holder| *holder != label);
            }
        }
    }

    fn holds_mutexes(&self, plan: &Plan, attempt: &Attempt) {
        if attempt.purpose != Purpose::Do {
            return;
        }
        let step = plan.steps.iter().find(|step| step.id == attempt.step).expect("a step of the plan");
        for name in step.locks() {
            assert_eq!(
                self.held.get(name),
                Some(&attempt.label()),
                "`{}` starts without its mutex `{name}`",
                attempt.label()
            );
        }
    }

    /// Gives an instance the mutexes that it asked for.
    pub(crate) fn grant(&mut self, label: &str) -> (Name, Option<Name>) {
        let (step, key, locks) = self.wanted.remove(label).expect("it asked");
        for name in locks {
            let before = self.held.insert(name.clone(), label.to_owned());
            assert_eq!(before, None, "the mutex `{name}` is given to two");
        }
        (step, key)
    }

    /// The engine is gone: jobs end unheard, as `happens` says of each, and mutexes fall free.
    pub(crate) fn abandoned(&mut self, plan: &Plan, mut happens: impl FnMut(&Attempt) -> bool) -> Vec<Attempt> {
        let jobs = std::mem::take(&mut self.jobs);
        self.held.clear();
        self.wanted.clear();
        for job in jobs.values() {
            if job.attempt.purpose != Purpose::Probe && happens(&job.attempt) {
                self.strike(plan, job);
            }
        }
        jobs.into_values().map(|job| job.attempt).collect()
    }

    /// A job ends; what it reports.
    pub(crate) fn end(&mut self, plan: &Plan, label: &str, ending: Ending) -> (Attempt, Report) {
        let job = self.jobs.remove(label).expect("it runs");
        let report = match job.attempt.purpose {
            Purpose::Probe => self.answer(label, ending),
            Purpose::Do | Purpose::Undo => match ending {
                Ending::Well => {
                    self.strike(plan, &job);
                    Report::Done(Output::Inline(Json::of("ok")))
                }
                Ending::Clean => Report::Failed(failure("exit", Left::Nothing)),
                Ending::Partial => Report::Failed(failure("exit", Left::Partial)),
                Ending::UnheardDone => {
                    self.strike(plan, &job);
                    Report::Unknown(failure("timeout", Left::Partial))
                }
                Ending::UnheardNot | Ending::CannotTell => Report::Unknown(failure("timeout", Left::Partial)),
            },
        };
        (job.attempt, report)
    }

    fn answer(&self, label: &str, ending: Ending) -> Report {
        match ending {
            Ending::CannotTell => Report::Unknown(failure("connect", Left::Nothing)),
            Ending::UnheardNot => Report::Failed(failure("unknown", Left::Nothing)),
            Ending::Well | Ending::Clean | Ending::Partial | Ending::UnheardDone if self.is_there(label) => {
                Report::Done(Output::Inline(Json::of("probed")))
            }
            Ending::Well | Ending::Clean | Ending::Partial | Ending::UnheardDone => {
                Report::NotDone(Output::Inline(Json::of("probed")))
            }
        }
    }

    /// An effect happens. The one place that judges whether it may happen again.
    fn strike(&mut self, plan: &Plan, job: &Job) {
        let label = job.attempt.label();
        let step = plan.steps.iter().find(|step| step.id == job.attempt.step).expect("a step of the plan");
        if job.attempt.purpose == Purpose::Undo {
            let brought_by = self.there.remove(&label);
            let was_there = brought_by.is_some();
            assert_ne!(brought_by, Some(job.intent), "`{label}` is undone with the key that brought it");
            let repeats = match step.undo() {
                Some(Undo::Body(body)) => body.effect != Effect::Once,
                Some(Undo::Auto) | None => true,
            };
            assert!(was_there || repeats, "`{label}` was undone twice");
            return;
        }
        let is_new = step.effect != Effect::Keyed || !self.spent.contains(&(label.clone(), job.intent));
        assert!(is_new, "`{label}` happens at a new end with the key of an earlier one");
        let before = self.there.insert(label.clone(), job.intent);
        match (step.effect, before) {
            (_, None) | (Effect::Read | Effect::Idempotent, Some(_)) => {}
            (Effect::Keyed, Some(intent)) => {
                let excused = self.excused.contains(&label);
                assert!(
                    excused || intent == job.intent,
                    "`{label}` happened with key {intent} and again with key {}",
                    job.intent
                );
            }
            (Effect::Probe | Effect::Once, Some(_)) => panic!("`{label}` happened twice"),
        }
    }
}

pub(crate) fn failure(class: &str, left: Left) -> Failure {
    crate::support::failure(class, left)
}
