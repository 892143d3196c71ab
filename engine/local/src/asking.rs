//! Approvals that are answered here: waved through by a flag or a rehearsal, or asked of the person at the terminal.

use crate::settings::{Asker, Grant};
use ceptra_flow_core::Name;
use ceptra_flow_core::event::ApprovalRequested;
use ceptra_flow_core::input::{Actor, Operation, Request};
use ceptra_flow_core::plan::TargetKind;
use ceptra_flow_core::state::{Question, QuestionKind, RunState};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// Answers what can be answered without waiting for another command.
pub(crate) struct Desk {
    by: Actor,
    grant: Grant,
    /// Questions that were waved through once: a refusal is not argued with.
    waved: BTreeSet<(Name, Option<Name>, u32)>,
    asker: Option<Box<dyn Asker>>,
    /// Questions the person would rather not answer now.
    declined: BTreeSet<(Name, Option<Name>)>,
    asking: Option<oneshot::Receiver<Answer>>,
}

/// What came back from the terminal.
pub(crate) struct Answer {
    asker: Box<dyn Asker>,
    step: Name,
    key: Option<Name>,
    operation: Option<Operation>,
}

impl Desk {
    pub(crate) fn new(by: Actor, grant: Grant, asker: Option<Box<dyn Asker>>) -> Self {
        Self { by, grant, waved: BTreeSet::new(), asker, declined: BTreeSet::new(), asking: None }
    }

    /// Whether a person is being asked right now.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// Approvals that flags or a rehearsal grant, as requests.
    pub(crate) fn wave_through(&mut self, state: &RunState) -> Vec<Request> {
        let mut requests = Vec::new();
        for question in state.questions().filter(|question| question.kind == QuestionKind::Approval) {
            let Some(via) = self.waves(state, &question) else { continue };
            let key = question.key.map(|key| key.as_str());
            let attempts = state.instance(question.step, key).map_or(0, |(_, instance)| instance.attempts);
            if !self.waved.insert((question.id.clone(), question.key.cloned(), attempts)) {
                continue;
            }
            let what = Operation::Approve {
                step: question.id.clone(),
                key: question.key.cloned(),
                choice: None,
                fields: None,
            };
            let by = Actor { via: Name::from(via), ..self.by.clone() };
            requests.push(Request { by, reason: None, what });
        }
        requests
    }

    fn waves(&self, state: &RunState, question: &Question<'_>) -> Option<&'static str> {
        let plan = state.plan();
        let rehearses = plan.step(question.step).approval().is_some_and(|approval| approval.rehearsal_grants);
        if rehearses && plan.target.kind == TargetKind::Lab {
            return Some("rehearsal");
        }
        if self.grant.all {
            return Some("yes");
        }
        self.grant.steps.contains(question.id).then_some("approve")
    }

    /// Puts the first open approval before the person at the terminal, if there is one and nobody is being asked.
    pub(crate) fn ask(&mut self, state: &RunState) {
        if self.asking.is_some() || self.asker.is_none() {
            return;
        }
        let open = state.questions().find(|question| {
            question.kind == QuestionKind::Approval
                && !self.declined.contains(&(question.id.clone(), question.key.cloned()))
        });
        let Some((id, key, Some(asked))) = open.map(|open| (open.id.clone(), open.key.cloned(), open.asked.cloned()))
        else {
            return;
        };
        let Some(asker) = self.asker.take() else { return };
        self.asking = Some(on_a_thread(asker, id, key, asked));
    }

    /// The person's answer, as soon as there is one; never without a question.
    pub(crate) async fn answered(&mut self) -> Option<Request> {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let answer = asking.await;
        self.asking = None;
        // A sender that was dropped means that the asking thread died: nobody is there to ask any more.
        let answer = answer.ok()?;
        self.asker = Some(answer.asker);
        match answer.operation {
            Some(what) => {
                let by = Actor { via: Name::from("terminal"), ..self.by.clone() };
                Some(Request { by, reason: None, what })
            }
            None => {
                self.declined.insert((answer.step, answer.key));
                None
            }
        }
    }
}

fn on_a_thread(
    mut asker: Box<dyn Asker>,
    step: Name,
    key: Option<Name>,
    asked: ApprovalRequested,
) -> oneshot::Receiver<Answer> {
    let (send, receive) = oneshot::channel();
    // A thread of its own, not a task: reading a terminal blocks, and must not keep the runtime from stopping.
    std::thread::spawn(move || {
        let operation = asker.ask(&step, key.as_ref(), &asked);
        // Nobody listens any more when the run has ended meanwhile.
        drop(send.send(Answer { asker, step, key, operation }));
    });
    receive
}
