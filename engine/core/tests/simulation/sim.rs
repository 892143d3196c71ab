//! The driver of a simulated run: hands reports to the scheduler, keeps the journal, dies and comes back.

use crate::audit::Audit;
use crate::choices::Chooser;
use crate::support::{Table, engine, person, record, started};
use crate::world::{Ending, World};
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Purpose, label};
use ceptra_flow_core::input::{Left, Operation, Request, Result as Report, Verdict};
use ceptra_flow_core::scheduler::{IN_FLIGHT_MAX, Rejected, Standing};
use ceptra_flow_core::state::{Question, QuestionKind, Status};
use ceptra_flow_core::{Attempt, Decision, Epoch, Event, Input, Name, Plan, RunState, Scheduler, Seq, Timestamp};

/// Turns after which nothing goes wrong any more, so that the run must come to its end.
const WILD_TURNS_MAX: u32 = 250;
/// Turns after which a run that has not come to its end never will.
const TURNS_MAX: u32 = 1500;

/// What may go wrong.
pub(crate) struct Mood {
    /// Weights of [`Ending`]s: well, clean, partial, unheard done, unheard not, cannot tell.
    endings: [u32; 6],
    /// How every job ends, when it is fixed by the job's name and this seed.
    fixed: Option<u64>,
    crashes_max: u32,
    /// Jobs that end otherwise than well.
    mishaps_max: u32,
    crash_weight: u32,
    requests_max: u32,
    /// Whether people sometimes refuse, skip and pretend.
    contrary: bool,
    late_reports: bool,
    /// Whether a run that has ended is undone.
    undoes: bool,
    batches: bool,
}

impl Mood {
    /// Anything.
    pub(crate) fn wild(chooser: &mut dyn Chooser) -> Self {
        let endings = [[90, 3, 3, 2, 2, 0], [60, 10, 10, 10, 10, 10], [20, 20, 20, 20, 20, 20]];
        let endings = endings[chooser.weigh(&[1, 1, 1])];
        let crashes_max = [0, 3, 12][chooser.weigh(&[1, 2, 1])];
        let requests_max = [0, 3, 15][chooser.weigh(&[2, 2, 1])];
        Self {
            endings,
            fixed: None,
            crashes_max,
            mishaps_max: u32::MAX,
            crash_weight: 8,
            requests_max,
            contrary: chooser.chance(50),
            late_reports: true,
            undoes: chooser.chance(30),
            batches: true,
        }
    }

    /// A world where each job always ends in the same way.
    pub(crate) fn steady(seed: u64, crashes_max: u32) -> Self {
        let endings = [1, 0, 0, 0, 0, 0];
        Self {
            endings,
            fixed: Some(seed),
            crashes_max,
            mishaps_max: 0,
            crash_weight: 15,
            requests_max: 0,
            contrary: false,
            late_reports: true,
            undoes: seed.is_multiple_of(2),
            batches: true,
        }
    }

    /// Every ending and every instant to crash, up to so many of each; no whims.
    pub(crate) fn walk(crashes_max: u32, mishaps_max: u32) -> Self {
        let endings = [1, 1, 0, 1, 1, 0];
        Self {
            endings,
            fixed: None,
            crashes_max,
            mishaps_max,
            crash_weight: 1,
            requests_max: 0,
            contrary: false,
            late_reports: false,
            undoes: false,
            batches: false,
        }
    }
}

/// How a run ended, for comparing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    outcome: &'static str,
    steps: Vec<String>,
    facts: Vec<String>,
}

/// What can happen next.
enum Move {
    End(String, Ending),
    Late(usize),
    Tick,
    ClockJumps,
    Grant(String),
    Ask(Request),
    ByHand(String, Request),
    Interrupt,
    Reopen { go_on: bool },
}

/// What becomes of a decision.
enum Fate {
    Settled,
    Batched,
    Lost,
    /// The first so many records are durable, no command leaves.
    Cut,
    /// All records are durable, and so many commands leave before the engine dies.
    Dies(usize),
}

pub(crate) struct Sim<'c> {
    plan: Plan,
    mood: Mood,
    chooser: &'c mut dyn Chooser,
    scheduler: Scheduler,
    journal: Vec<Record>,
    audit: Audit,
    world: World,
    pending: Decision,
    /// Whether what is pending waits for more, to be written in one transaction.
    is_batched: bool,
    now: Timestamp,
    turns: u32,
    crashes: u32,
    mishaps: u32,
    requests: u32,
    late: Vec<Attempt>,
}

impl<'c> Sim<'c> {
    /// Plays a run to its end.
    pub(crate) fn run(plan: Plan, mood: Mood, chooser: &'c mut dyn Chooser) -> End {
        let now = Timestamp(1_000);
        let (scheduler, decision) =
            Scheduler::start(started(&plan), engine(), &Table, now).expect("the plan is of this version");
        let mut sim = Self {
            plan,
            mood,
            chooser,
            scheduler,
            journal: vec![],
            audit: Audit::default(),
            world: World::default(),
            pending: decision,
            is_batched: false,
            now,
            turns: 0,
            crashes: 0,
            mishaps: 0,
            requests: 0,
            late: vec![],
        };
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.play()));
        match played {
            Ok(end) => end,
            Err(panic) => {
                for record in &sim.journal {
                    eprintln!("{:>4} {}", record.seq.0, crate::support::record(record));
                }
                eprintln!("pending: {:?}", sim.pending.records().iter().map(record).collect::<Vec<_>>());
                std::panic::resume_unwind(panic);
            }
        }
    }

    fn play(&mut self) -> End {
        // Whoever starts a run makes the first record durable before anything else, or there is no run.
        self.settle();
        while let Some(next) = self.next_move() {
            self.turns += 1;
            assert!(self.turns < TURNS_MAX, "the run never comes to an end");
            self.take(next);
            self.check();
        }
        self.settle();
        self.survives_writing();
        self.end()
    }

    fn is_calm(&self) -> bool {
        self.turns >= WILD_TURNS_MAX
    }

    /// What happens next; `None` when the run has ended and nobody wants more of it.
    fn next_move(&mut self) -> Option<Move> {
        if self.world.jobs.is_empty() {
            self.settle();
        }
        let standing = self.scheduler.standing();
        let mut moves = Vec::new();
        let restless = self.requests < self.mood.requests_max && !self.is_calm();
        match standing {
            Standing::Ended(_) if self.mood.undoes && self.audit.state.undo().is_none() => {
                return Some(Move::Ask(ask(Operation::Undo { to: None, past_point_of_no_return: true })));
            }
            Standing::Ended(_) => {
                if !restless || self.chooser.chance(60) {
                    return None;
                }
            }
            Standing::Interrupted => moves.push((20, Move::Reopen { go_on: true })),
            Standing::Parked => {
                self.people(&mut moves);
                if self.scheduler.state().is_paused() {
                    moves.push((10, Move::Ask(ask(Operation::Unpause))));
                    moves.push((10, Move::Reopen { go_on: true }));
                }
                assert!(!moves.is_empty(), "the run is parked, and nobody is asked anything");
            }
            Standing::Working => self.people(&mut moves),
        }
        self.progress(&mut moves);
        let can_go_on = standing != Standing::Working || !moves.is_empty();
        assert!(can_go_on, "the run is working, and nothing can ever happen");
        self.whims(&mut moves, restless);
        let weights: Vec<u32> = moves.iter().map(|(weight, _)| *weight).collect();
        let at = self.chooser.weigh(&weights);
        Some(moves.swap_remove(at).1)
    }

    /// What the world does by itself.
    fn progress(&self, moves: &mut Vec<(u32, Move)>) {
        for (label, job) in &self.world.jobs {
            for (ending, weight) in self.endings(&job.attempt) {
                moves.push((weight, Move::End(label.clone(), ending)));
            }
        }
        for label in self.world.wanted.keys().filter(|label| self.can_be_granted(label)) {
            moves.push((60, Move::Grant(label.clone())));
        }
        if self.scheduler.wake_at().is_some() {
            moves.push((30, Move::Tick));
        }
    }

    fn can_be_granted(&self, label: &str) -> bool {
        // Mutexes of this run never clash: the scheduler asks only for free ones.
        self.world.wanted.contains_key(label)
    }

    /// The ways in which a job may end, with their weights.
    fn endings(&self, attempt: &Attempt) -> Vec<(Ending, u32)> {
        const ALL: [Ending; 6] =
            [Ending::Well, Ending::Clean, Ending::Partial, Ending::UnheardDone, Ending::UnheardNot, Ending::CannotTell];
        if let Some(seed) = self.mood.fixed {
            return vec![(if ends_well(seed, attempt) { Ending::Well } else { Ending::Clean }, 100)];
        }
        if self.is_calm() || self.mishaps >= self.mood.mishaps_max {
            return vec![(Ending::Well, 100)];
        }
        let fits = |ending: &Ending| match (attempt.purpose, ending) {
            (Purpose::Probe, Ending::Well | Ending::UnheardNot | Ending::CannotTell) => true,
            (Purpose::Probe, Ending::Clean | Ending::Partial | Ending::UnheardDone) => false,
            (Purpose::Do | Purpose::Undo, Ending::CannotTell) => false,
            (Purpose::Do | Purpose::Undo, _) => true,
        };
        ALL.into_iter().zip(self.mood.endings).filter(|(ending, weight)| *weight > 0 && fits(ending)).collect()
    }

    /// What people answer.
    fn people(&self, moves: &mut Vec<(u32, Move)>) {
        let contrary = u32::from(self.mood.contrary && !self.is_calm());
        for question in self.scheduler.state().questions() {
            let name = label(question.id, question.key);
            if self.scheduler.in_flight().any(|attempt| attempt.label() == name) {
                continue;
            }
            let answer = |verdict| resolve(&question, verdict);
            let is_there = self.world.is_there(&name);
            match question.kind {
                QuestionKind::Approval => {
                    moves.push((20, Move::Ask(self.approve(&question))));
                    let (step, key) = (question.id.clone(), question.key.cloned());
                    moves.push((contrary * 4, Move::Ask(ask(Operation::Reject { step, key }))));
                }
                QuestionKind::Manual => {
                    moves.push((20, Move::ByHand(name, answer(Verdict::Done))));
                    moves.push((contrary * 4, Move::Ask(answer(Verdict::Done))));
                    moves.push((contrary * 2, Move::Ask(answer(Verdict::Skip))));
                    moves.push((contrary * 2, Move::Ask(answer(Verdict::NotDone))));
                }
                QuestionKind::Verdict => {
                    let truth = if is_there { Verdict::Done } else { Verdict::NotDone };
                    moves.push((20, Move::Ask(answer(truth))));
                    moves.push((contrary * 4, Move::Ask(answer(Verdict::Skip))));
                }
                QuestionKind::Stuck => {
                    let truth = if is_there { Verdict::NotDone } else { Verdict::Done };
                    moves.push((20, Move::Ask(answer(truth))));
                    // Whoever leaves an effect as it is had better be right that it is there.
                    moves.push((contrary * u32::from(is_there) * 4, Move::Ask(answer(Verdict::Skip))));
                }
            }
        }
    }

    fn approve(&self, question: &Question<'_>) -> Request {
        let state = self.scheduler.state();
        let key = question.key.map(Name::as_str);
        let granted = state
            .instance(question.step, key)
            .and_then(|(_, one)| one.more.as_ref())
            .map_or(0, |more| more.granted.len());
        let what =
            Operation::Approve { step: question.id.clone(), key: question.key.cloned(), choice: None, fields: None };
        Request { by: person(&format!("person {granted}"), "command"), reason: None, what }
    }

    /// What nobody needs.
    fn whims(&mut self, moves: &mut Vec<(u32, Move)>, restless: bool) {
        if restless {
            let request = self.any_request();
            moves.push((12, Move::Ask(request)));
            moves.push((2, Move::Interrupt));
        }
        if self.mood.late_reports && !self.late.is_empty() && self.chooser.chance(10) {
            let at = self.chooser.below(self.late.len() as u64);
            moves.push((20, Move::Late(usize::try_from(at).unwrap_or(0))));
        }
        if self.mood.batches && self.mood.fixed.is_none() && self.chooser.chance(3) {
            moves.push((20, Move::ClockJumps));
        }
    }

    fn any_request(&mut self) -> Request {
        let mut steps: Vec<&Name> = self.plan.steps.iter().map(|step| &step.id).collect();
        if self.chooser.chance(50) {
            // What has failed is what people ask about.
            let state = self.scheduler.state();
            let failed = |id: &&Name| state.find(id).is_some_and(|at| state.status(at) == Status::Failed);
            let failed: Vec<&Name> = steps.iter().copied().filter(failed).collect();
            steps = if failed.is_empty() { steps } else { failed };
        }
        let at = self.chooser.below(steps.len() as u64);
        let step = steps[usize::try_from(at).unwrap_or(0)].clone();
        let key = if self.chooser.chance(20) { Some(Name::from("x")) } else { None };
        let past_point_of_no_return = self.chooser.chance(50);
        ask(match self.chooser.below(12) {
            0 | 1 => Operation::Pause,
            2 => Operation::Unpause,
            3 => Operation::Cancel,
            4 => Operation::Undo { to: None, past_point_of_no_return },
            5 => Operation::Undo { to: Some(step), past_point_of_no_return },
            6..=8 => Operation::Retry { step, key },
            9 => Operation::Note { text: "hm".to_owned() },
            10 => Operation::Approve { step, key, choice: None, fields: None },
            _ => Operation::Reject { step, key },
        })
    }

    fn take(&mut self, next: Move) {
        match next {
            Move::End(label, ending) => {
                self.mishaps += u32::from(ending != Ending::Well);
                let (attempt, result) = self.world.end(&self.plan, &label, ending);
                self.late.push(attempt.clone());
                self.input(Input::Finished { attempt, result });
            }
            Move::Late(at) => {
                let attempt = self.late[at].clone();
                let result = Report::Failed(crate::world::failure("exit", Left::Nothing));
                let refused = self.refused(Input::Finished { attempt: attempt.clone(), result });
                assert_eq!(refused, Some(Rejected::Stale(attempt)), "a late report is refused");
            }
            Move::Tick => {
                self.now = self.now.max(self.scheduler.wake_at().unwrap_or(self.now));
                self.input(Input::Tick);
            }
            Move::ClockJumps => {
                let by = self.chooser.below(4000);
                self.now = if self.chooser.chance(50) {
                    self.now.plus_ms(by)
                } else {
                    Timestamp(self.now.0.saturating_sub(by))
                };
                self.input(Input::Tick);
            }
            Move::Grant(label) => {
                let (step, key) = self.world.grant(&label);
                self.input(Input::Locked { step, key });
            }
            Move::Ask(request) => {
                self.requests += 1;
                if self.refused(Input::Operator(request)).is_none() {
                    self.meet_fate();
                } else if let Standing::Ended(_) = self.scheduler.standing() {
                    self.mood.undoes = false;
                }
            }
            Move::ByHand(label, request) => {
                self.world.done_by_hand(&label);
                self.input(Input::Operator(request));
            }
            Move::Interrupt => {
                self.requests += 1;
                self.input(Input::Interrupted { signal: Name::from("SIGINT") });
            }
            Move::Reopen { go_on } => {
                self.settle();
                self.reopen(go_on);
            }
        }
    }

    fn input(&mut self, input: Input) {
        let shown = format!("{input:?}");
        match self.scheduler.handle(self.now, input, &Table) {
            Ok(decision) => self.pending.merge(decision),
            Err(why) => panic!("{shown} was refused: {why}"),
        }
        self.meet_fate();
    }

    /// Hands over something that may well be refused, and then leaves no trace.
    fn refused(&mut self, input: Input) -> Option<Rejected> {
        let before = format!("{:?}", self.scheduler);
        match self.scheduler.handle(self.now, input, &Table) {
            Ok(decision) => {
                self.pending.merge(decision);
                None
            }
            Err(why) => {
                assert_eq!(before, format!("{:?}", self.scheduler), "refusing leaves no trace");
                Some(why)
            }
        }
    }

    fn meet_fate(&mut self) {
        match self.choose_fate() {
            Fate::Settled => self.settle(),
            Fate::Batched => self.is_batched = true,
            Fate::Lost => self.die(0, 0),
            Fate::Cut => {
                let records = self.pending.records().len() as u64;
                let kept = self.chooser.below(records + 1);
                self.die(usize::try_from(kept).unwrap_or(0), 0);
            }
            Fate::Dies(commands) => self.die(usize::MAX, commands),
        }
    }

    fn choose_fate(&mut self) -> Fate {
        let crash = if self.crashes < self.mood.crashes_max && !self.is_calm() { self.mood.crash_weight } else { 0 };
        let batch = if self.mood.batches { 20 } else { 0 };
        let cut = if self.mood.batches { crash } else { 0 };
        match self.chooser.weigh(&[if self.mood.batches { 100 } else { 1 }, batch, crash, cut, crash, crash, cut]) {
            1 => Fate::Batched,
            2 => Fate::Lost,
            3 => Fate::Cut,
            4 => Fate::Dies(0),
            5 => Fate::Dies(usize::MAX),
            6 => Fate::Dies(usize::try_from(self.chooser.below(3)).unwrap_or(0)),
            _ => Fate::Settled,
        }
    }

    /// Makes what is decided durable and carries it out.
    fn settle(&mut self) {
        self.write(usize::MAX);
        self.release(usize::MAX);
        self.is_batched = false;
        // Comparing takes longer than everything else together, and a difference does not go away.
        if self.turns.is_multiple_of(8) || self.scheduler.state().outcome().is_some() {
            self.audit.agrees_with(&self.scheduler);
        }
    }

    fn write(&mut self, records: usize) {
        for record in self.pending.records().iter().take(records) {
            self.audit.read(record, &mut self.world);
            self.journal.push(record.clone());
        }
    }

    fn release(&mut self, commands: usize) {
        let decision = std::mem::take(&mut self.pending);
        let head = Seq(self.journal.len() as u64);
        let orders = decision.release(head).expect("every record is in the journal");
        for order in orders.into_iter().take(commands) {
            self.world.take(&self.plan, order);
        }
    }

    /// The engine dies with so many records durable and so many commands carried out, and another takes over.
    fn die(&mut self, records: usize, commands: usize) {
        self.write(records);
        if records == usize::MAX {
            self.release(commands);
        }
        self.pending = Decision::default();
        self.is_batched = false;
        self.crashes += 1;
        let go_on = self.chooser.chance(30);
        self.reopen(go_on);
    }

    fn reopen(&mut self, go_on: bool) {
        let (calm, fixed) = (self.is_calm(), self.mood.fixed);
        let chooser = &mut *self.chooser;
        let happens = |attempt: &Attempt| {
            let may = fixed.is_none_or(|seed| ends_well(seed, attempt));
            !calm && may && chooser.below(2) == 1
        };
        let left = self.world.abandoned(&self.plan, happens);
        self.late.extend(left);
        self.scheduler = Scheduler::resume(self.audit.state.clone());
        let epoch = Epoch(self.audit.state.epoch().0 + 1);
        self.input(Input::Opened { epoch, by: person("ada", "terminal"), engine: engine(), go_on });
    }

    /// What holds after every turn.
    fn check(&self) {
        if self.is_batched {
            return;
        }
        let limit = self.plan.limits.max_parallel.map_or(IN_FLIGHT_MAX, |most| most as usize);
        let flights = || self.scheduler.in_flight().filter(|attempt| attempt.purpose != Purpose::Probe);
        assert!(flights().count() <= limit, "more in flight than the run allows");
        for (at, step) in self.plan.places() {
            if let Some(most) = step.for_each().and_then(|each| each.max_parallel) {
                let running =
                    flights().filter(|attempt| attempt.step == step.id && attempt.purpose == Purpose::Do).count();
                assert!(running <= most as usize, "more of {at:?} in flight than it allows");
            }
        }
        for attempt in self.scheduler.in_flight() {
            assert!(
                self.world.jobs.contains_key(&attempt.label()),
                "`{}` is believed in flight and nobody works on it",
                attempt.label()
            );
        }
        if let Standing::Ended(_) = self.scheduler.standing() {
            assert_eq!(self.scheduler.state().questions().count(), 0, "an ended run asks nothing");
            assert_eq!(self.scheduler.in_flight().count(), 0, "an ended run does nothing");
        }
    }

    /// The journal as text gives the same records and the same state.
    fn survives_writing(&self) {
        let mut state = RunState::default();
        for record in &self.journal {
            let event =
                Event::decode(record.event.kind(), &record.event.payload()).expect("what was written can be read");
            assert_eq!(event, record.event);
            state.apply(&Record { event, ..record.clone() }).expect("the records are those of one run");
        }
        let read = Scheduler::resume(state);
        assert_eq!(format!("{:?}", read.state()), format!("{:?}", self.scheduler.state()));
    }

    fn end(&self) -> End {
        let state = self.scheduler.state();
        let mut steps = Vec::new();
        for (at, step) in self.plan.places() {
            steps.push(format!("{} {}", step.id, state.status(at).as_str()));
            let instances = state.instances(at).iter();
            steps.extend(instances.map(|one| format!("{} {}", label(&step.id, one.key.as_ref()), one.status.as_str())));
        }
        let outcome = state.outcome().map_or("none", |outcome| outcome.as_str());
        End { outcome, steps, facts: self.world.facts() }
    }
}

fn ask(what: Operation) -> Request {
    Request { by: person("bob", "command"), reason: None, what }
}

fn resolve(question: &Question<'_>, verdict: Verdict) -> Request {
    ask(Operation::Resolve { step: question.id.clone(), key: question.key.cloned(), verdict, fields: None })
}

/// In a steady world: whether this instance succeeds whenever it is tried.
fn ends_well(seed: u64, attempt: &Attempt) -> bool {
    let hash = attempt.label().bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    attempt.purpose != Purpose::Do || !(hash >> 20).is_multiple_of(5)
}
