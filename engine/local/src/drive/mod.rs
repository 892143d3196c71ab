//! The loop: wait for one input, take in what else has arrived, record, release, carry out.

mod prepare;

use crate::asking::Desk;
use crate::carried::{self, Outcome, failure};
use crate::locks::StepLocks;
use crate::settings::{DriveError, Ended, Note, Observer, Settings, Waiting};
use crate::signals::Signals;
use ceptra_flow_core::input::{Command, Input, Left, Request};
use ceptra_flow_core::scheduler::{Decision, Rejected, Standing};
use ceptra_flow_core::{Attempt, Effect, Event, Json, Name, Scheduler};
use ceptra_flow_runbook::Evaluator;
use ceptra_flow_state::{Blobs, Inbox, Journal, Owned, Reply, RequestId, Store, Who};
use ceptra_flow_steps::{Redactor, RunInfo};
use prepare::Prepared;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Inputs taken in before they are recorded together: a bound on the size of one transaction.
const TURN_MAX: usize = 256;
/// Between two looks at the inbox, and at mutexes that others hold.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A report from a task.
struct Landed {
    attempt: Attempt,
    effect: Effect,
    outcome: Outcome,
}

/// One tenure of one run.
pub(crate) struct Drive<'s, 'o> {
    store: &'s Store,
    owned: Owned,
    blobs: Blobs,
    inbox: Inbox,
    scheduler: Scheduler,
    evaluator: Evaluator,
    who: Who,
    desk: Desk,
    locks: StepLocks,
    observer: &'o mut dyn Observer,
    world: World,
    wait: bool,
    /// What is known already and only needs its turn.
    inputs: VecDeque<Input>,
    landing: mpsc::UnboundedReceiver<Landed>,
    land: mpsc::UnboundedSender<Landed>,
    in_flight: BTreeMap<Attempt, CancellationToken>,
    looked_at: Instant,
    told_waiting: bool,
    told_deaf: bool,
    told_contended: BTreeSet<String>,
    signals_seen: u32,
}

/// What every attempt of a tenure is given.
struct World {
    run: Arc<RunInfo>,
    target: Arc<Value>,
    endpoints: Arc<BTreeMap<String, String>>,
    started_from: PathBuf,
    secrets: Arc<Redactor>,
}

impl<'s, 'o> Drive<'s, 'o> {
    pub(crate) fn new(
        store: &'s Store,
        owned: Owned,
        scheduler: Scheduler,
        evaluator: Evaluator,
        who: Who,
        settings: Settings<'o>,
    ) -> Result<Self, DriveError> {
        let plan = scheduler.state().plan_shared();
        let run = RunInfo {
            id: scheduler.state().run().to_string(),
            name: plan.runbook.name.clone(),
            epoch: owned.epoch(),
            dir: owned.dir().to_path_buf(),
        };
        let world = World {
            run: Arc::new(run),
            target: Arc::new(plan.target.value.value()),
            endpoints: Arc::new(settings.endpoints),
            started_from: settings.started_from,
            secrets: Arc::new(Redactor::new(settings.secrets.into_values())),
        };
        // Unbounded, but never long: the scheduler keeps at most its own bound of attempts in flight, and each reports once.
        let (land, landing) = mpsc::unbounded_channel();
        Ok(Self {
            store,
            blobs: owned.blobs(),
            inbox: owned.inbox()?,
            owned,
            scheduler,
            evaluator,
            who,
            desk: Desk::new(settings.by, settings.grant, settings.asker),
            locks: StepLocks::default(),
            observer: settings.observer,
            world,
            wait: settings.wait,
            inputs: VecDeque::new(),
            landing,
            land,
            in_flight: BTreeMap::new(),
            looked_at: Instant::now(),
            told_waiting: false,
            told_deaf: false,
            told_contended: BTreeSet::new(),
            signals_seen: 0,
        })
    }

    /// Records and carries out the first decision, then turns until the run ends, parks or is interrupted.
    pub(crate) fn until_rest(mut self, first: Decision, asked: Vec<Request>) -> Result<Ended, DriveError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let turned = runtime.block_on(async {
            let signals = Signals::new()?;
            self.turns(first, asked, signals).await
        });
        // Whatever still runs is told to stop by now; waiting for its threads would only delay the exit.
        runtime.shutdown_background();
        turned?;
        let standing = self.scheduler.standing();
        let signer = self.store.signer().ok();
        self.owned.close(signer.as_ref())?;
        Ok(Ended { standing, state: self.scheduler.into_state() })
    }

    async fn turns(&mut self, first: Decision, asked: Vec<Request>, mut signals: Signals) -> Result<(), DriveError> {
        self.settle(first, Vec::new())?;
        for request in asked {
            let decision = self.scheduler.handle(crate::now(), Input::Operator(request), &self.evaluator)?;
            self.settle(decision, Vec::new())?;
        }
        self.look_around()?;
        loop {
            self.take_turn()?;
            if self.inputs.is_empty() && self.is_at_rest()? {
                return Ok(());
            }
            if self.inputs.is_empty() {
                self.hear(&mut signals).await?;
            } else if self.looked_at.elapsed() >= LOOK_EVERY {
                // A chain of steps that need no waiting must not keep people and signals from being heard.
                self.look_around()?;
                self.glance(&mut signals).await;
            }
        }
    }

    /// Whether nothing can happen any more in this tenure.
    fn is_at_rest(&mut self) -> Result<bool, DriveError> {
        match self.scheduler.standing() {
            Standing::Ended(_) | Standing::Interrupted => Ok(true),
            Standing::Working => Ok(false),
            Standing::Parked => {
                self.look_around()?;
                self.desk.ask(self.scheduler.state());
                if !self.inputs.is_empty() || self.desk.is_asking() {
                    return Ok(false);
                }
                if self.wait && !self.told_waiting {
                    self.told_waiting = true;
                    let state = self.scheduler.state();
                    let waiting = Waiting { questions: state.questions().collect(), paused: state.is_paused() };
                    self.observer.note(Note::Waits(waiting));
                }
                Ok(!self.wait)
            }
        }
    }

    /// Waits until something is heard.
    async fn hear(&mut self, signals: &mut Signals) -> Result<(), DriveError> {
        self.desk.ask(self.scheduler.state());
        let due = self.scheduler.wake_at().map(|at| Duration::from_millis(at.ms_since(crate::now())));
        let due = async {
            match due {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => self.signalled(signal),
            answer = self.desk.answered() => self.inputs.extend(answer.map(Input::Operator)),
            Some(landed) = self.landing.recv() => self.landed(landed)?,
            () = due => self.inputs.push_back(Input::Tick),
            () = tokio::time::sleep(LOOK_EVERY) => self.look_around()?,
        }
        Ok(())
    }

    /// Hears a signal that has come already, without waiting for one.
    async fn glance(&mut self, signals: &mut Signals) {
        tokio::select! {
            biased;
            signal = signals.next() => self.signalled(signal),
            () = std::future::ready(()) => {}
        }
    }

    fn signalled(&mut self, signal: Name) {
        self.signals_seen += 1;
        if self.signals_seen == 1 {
            self.observer.note(Note::Stopping { running: self.in_flight.len() });
            self.inputs.push_back(Input::Interrupted { signal });
            return;
        }
        self.observer.note(Note::Killing { running: self.in_flight.len() });
        self.in_flight.values().for_each(CancellationToken::cancel);
    }

    fn landed(&mut self, landed: Landed) -> Result<(), DriveError> {
        self.in_flight.remove(&landed.attempt);
        let result = carried::report(landed.outcome, landed.effect, &self.world.secrets, &self.blobs)?;
        self.inputs.push_back(Input::Finished { attempt: landed.attempt, result });
        Ok(())
    }

    /// Looks at what nobody announces: requests of other commands, mutexes of other runs, questions that flags answer.
    fn look_around(&mut self) -> Result<(), DriveError> {
        self.looked_at = Instant::now();
        if self.locks.is_waiting() {
            self.try_locks()?;
        }
        match self.inbox.poll() {
            Ok(posted) => {
                for posted in posted {
                    self.asked_for(posted.id, posted.request)?;
                }
            }
            // The journal is what must hold. A run that nobody can talk to goes on all the same, and says so once.
            Err(error) if !self.told_deaf => {
                self.told_deaf = true;
                tracing::warn!(%error, "requests of other commands cannot be read");
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn try_locks(&mut self) -> Result<(), DriveError> {
        let run = self.owned.run().clone();
        let (taken, contended) = self.locks.try_all(self.store, &run, &self.who)?;
        self.inputs.extend(taken);
        for other in contended {
            if self.told_contended.insert(other.step.clone()) {
                let note = Note::WaitsForLock { step: &other.step, lock: &other.lock, holder: &other.holder };
                self.observer.note(note);
            }
        }
        Ok(())
    }

    /// A request from another command: accepted with its records in one transaction, or refused with the reason.
    fn asked_for(&mut self, id: RequestId, request: Request) -> Result<(), DriveError> {
        let what = request.what.clone();
        match self.scheduler.handle(crate::now(), Input::Operator(request), &self.evaluator) {
            Ok(decision) => {
                self.settle(decision, vec![id.clone()])?;
                self.inbox.reply(&id, &Reply::Accepted)?;
            }
            Err(why) => {
                self.observer.note(Note::Refused { what: &what, why: &why });
                self.inbox.reply(&id, &Reply::Refused(why.to_string()))?;
            }
        }
        Ok(())
    }

    /// Takes in everything that has arrived, and records it together.
    fn take_turn(&mut self) -> Result<(), DriveError> {
        while let Ok(landed) = self.landing.try_recv() {
            self.landed(landed)?;
        }
        if self.inputs.is_empty() {
            return Ok(());
        }
        let now = crate::now();
        let mut turn = Decision::default();
        for _ in 0..TURN_MAX {
            let Some(input) = self.inputs.pop_front() else { break };
            match self.scheduler.handle(now, input, &self.evaluator) {
                Ok(decision) => turn.merge(decision),
                // A straggler, or an answer that came too late: it leaves no trace.
                Err(Rejected::Stale(_) | Rejected::NotAsked(_)) => {}
                Err(other) => tracing::warn!(%other, "an input was refused"),
            }
        }
        self.settle(turn, Vec::new())
    }

    /// Makes a decision durable, tells about it, and carries it out.
    fn settle(&mut self, decision: Decision, accepted: Vec<RequestId>) -> Result<(), DriveError> {
        let asks = decision
            .records()
            .iter()
            .any(|record| matches!(record.event, Event::ApprovalRequested(_) | Event::EpochOpened(_)));
        let head = if decision.records().is_empty() {
            self.owned.head().seq
        } else {
            self.owned.append_answering(decision.records(), &accepted)?
        };
        for record in decision.records() {
            self.observer.recorded(record, self.scheduler.state());
        }
        let commands = decision.release(head).expect("the append returned the head that covers the decision");
        for command in commands {
            self.perform(command);
        }
        if self.locks.is_waiting() {
            self.try_locks()?;
        }
        if asks {
            let waved = self.desk.wave_through(self.scheduler.state());
            self.inputs.extend(waved.into_iter().map(Input::Operator));
        }
        Ok(())
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Run { attempt, intent, claim } => self.launch(attempt, intent, claim),
            Command::Stop { attempt } => {
                if let Some(cancel) = self.in_flight.get(&attempt) {
                    cancel.cancel();
                }
            }
            Command::Lock { step, key, locks } => self.locks.want(step, key, locks),
            Command::Unlock { step, key } => self.locks.let_go(step, key),
        }
    }

    /// Starts an attempt: at once where that takes no waiting, else on a task.
    fn launch(&mut self, attempt: Attempt, intent: u32, claim: Option<Json>) {
        match self.prepare(&attempt, intent, claim) {
            Prepared::Over(effect, outcome) => match carried::report(outcome, effect, &self.world.secrets, &self.blobs)
            {
                Ok(result) => self.inputs.push_back(Input::Finished { attempt, result }),
                Err(error) => {
                    let message = format!("the output could not be stored: {error}");
                    let outcome = Outcome::Failed(failure("store", message, Left::Partial));
                    self.in_flight.insert(attempt.clone(), CancellationToken::new());
                    drop(self.land.send(Landed { attempt, effect, outcome }));
                }
            },
            Prepared::Job(effect, job) => {
                self.in_flight.insert(attempt.clone(), job.cx.cancel.clone());
                let land = self.land.clone();
                tokio::spawn(async move {
                    let outcome = job.carry_out().await;
                    // Nobody hears it when the process is leaving: the attempt is then in doubt, as after a crash.
                    drop(land.send(Landed { attempt, effect, outcome }));
                });
            }
        }
    }
}
