//! Mutexes across runs: of the whole run, and of single steps.

use crate::settings::DriveError;
use ceptra_flow_core::{Input, Name, Plan};
use ceptra_flow_state::lock::Holder;
use ceptra_flow_state::{LockError, NamedLocks, RunId, Store, Who};
use std::collections::BTreeMap;

/// Takes the mutexes of a whole run, or says who has one of them. A `[guard]` keeps its target to one run at a time.
pub(crate) fn for_run(store: &Store, run: &RunId, plan: &Plan, who: &Who) -> Result<Option<NamedLocks>, DriveError> {
    let mut sorted = plan.limits.locks.clone();
    if plan.guard.is_some() {
        sorted.push(Name::from(format!("target {}", plan.target.name)));
    }
    if sorted.is_empty() {
        return Ok(None);
    }
    sorted.sort();
    sorted.dedup();
    match store.lock_named(&sorted, run, who) {
        Ok(locks) => Ok(Some(locks)),
        Err(LockError::HeldBy { name, holder }) => Err(DriveError::Locked { lock: name.to_string(), holder }),
        Err(LockError::Store(error)) => Err(error.into()),
    }
}

/// A step or an instance.
type Subject = (Name, Option<Name>);

/// The mutexes of steps: held, or waited for.
#[derive(Default)]
pub(crate) struct StepLocks {
    held: BTreeMap<Subject, NamedLocks>,
    waiting: BTreeMap<Subject, Vec<Name>>,
}

/// Somebody else has a mutex that a step waits for.
pub(crate) struct Contended {
    pub(crate) step: String,
    pub(crate) lock: String,
    pub(crate) holder: Box<Holder>,
}

impl StepLocks {
    pub(crate) fn want(&mut self, step: Name, key: Option<Name>, locks: Vec<Name>) {
        self.waiting.insert((step, key), locks);
    }

    pub(crate) fn let_go(&mut self, step: Name, key: Option<Name>) {
        let subject = (step, key);
        self.held.remove(&subject);
        self.waiting.remove(&subject);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tries everything that is waited for once: what the scheduler is told, and who is in the way.
    pub(crate) fn try_all(
        &mut self,
        store: &Store,
        run: &RunId,
        who: &Who,
    ) -> Result<(Vec<Input>, Vec<Contended>), DriveError> {
        let (mut taken, mut contended) = (Vec::new(), Vec::new());
        for (subject, names) in std::mem::take(&mut self.waiting) {
            match store.lock_named(&names, run, who) {
                Ok(locks) => {
                    taken.push(Input::Locked { step: subject.0.clone(), key: subject.1.clone() });
                    self.held.insert(subject, locks);
                }
                Err(LockError::HeldBy { name, holder }) => {
                    let step = ceptra_flow_core::ids::label(&subject.0, subject.1.as_ref());
                    contended.push(Contended { step, lock: name, holder });
                    self.waiting.insert(subject, names);
                }
                Err(LockError::Store(error)) => return Err(error.into()),
            }
        }
        Ok((taken, contended))
    }
}
