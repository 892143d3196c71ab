//! Plays a script against a plan and writes down what follows.

use crate::support::{Table, attempt, command, engine, failure, output, person, plan, record, started};
use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::{Purpose, label};
use ceptra_flow_core::input::{Command, Left, Operation, Request, Result as Report, Verdict};
use ceptra_flow_core::scheduler::{Rejected, Standing};
use ceptra_flow_core::{Attempt, Decision, Epoch, Input, Name, Plan, RunState, Scheduler, Seq, Timestamp};
use expect_test::Expect;
use std::collections::BTreeMap;

/// Plays `script` against the plan that `notation` describes, and compares what is recorded and asked for.
///
/// Moves, one a line:
/// - `a ok`, `a fail [class]`, `a fail-clean [class]`, `a unknown [class]`, `a not-done`: the attempt in flight reports;
/// - `all ok`: every attempt in flight succeeds, and so on until nothing is in flight;
/// - `late a ok`: the last attempt that landed, or that an earlier tenure left, reports (again);
/// - `at 500`: the clock shows 500 ms, and due work is done; `wake`: the clock shows when something is due;
/// - `later 500`: the clock shows 500 ms, and nobody looks at it;
/// - `crash`: the process dies and another takes the run; `resume`: the same, by an operator who says to go on;
/// - `locked a`, `interrupt`;
/// - `approve a by ada [choice]`, `wave a by ada`, `reject a by ada`, `done a`, `not-done a`, `skip a`, `retry a`, `pause`,
///   `unpause`, `cancel`, `undo [to a] [past]`, `note words`.
#[track_caller]
pub(crate) fn check(notation: &str, script: &str, expect: &Expect) {
    let mut play = Play::begin(plan(notation));
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        play.take(line);
    }
    play.end();
    expect.assert_eq(&play.log);
}

/// One run, its journal, and what the world still owes it.
pub(crate) struct Play {
    pub(crate) scheduler: Scheduler,
    pub(crate) records: Vec<Record>,
    now: Timestamp,
    in_flight: BTreeMap<String, Attempt>,
    left: BTreeMap<String, Attempt>,
    log: String,
}

impl Play {
    pub(crate) fn begin(plan: Plan) -> Self {
        let (scheduler, decision) =
            Scheduler::start(started(&plan), engine(), &Table, Timestamp(0)).expect("the plan is of this version");
        let mut play = Self {
            scheduler,
            records: vec![],
            now: Timestamp(0),
            in_flight: BTreeMap::new(),
            left: BTreeMap::new(),
            log: String::new(),
        };
        play.accept("start", decision);
        play
    }

    /// One line of a script.
    pub(crate) fn take(&mut self, line: &str) {
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        match head {
            "crash" => self.reopen(line, false),
            "resume" => self.reopen(line, true),
            "at" => {
                self.now = Timestamp(rest.parse().expect("a time in ms"));
                self.input(line, Input::Tick);
            }
            "later" => self.now = Timestamp(rest.parse().expect("a time in ms")),
            "wake" => {
                self.now = self.scheduler.wake_at().expect("something is due");
                self.input(&format!("wake at {}", self.now.0), Input::Tick);
            }
            "interrupt" => self.input(line, Input::Interrupted { signal: Name::from("SIGINT") }),
            "locked" => {
                let (step, key) = place(rest);
                self.input(line, Input::Locked { step, key });
            }
            "all" => self.everything_succeeds(),
            "late" => {
                let (label, result) = rest.split_once(' ').expect("`late STEP RESULT`");
                let attempt = self.left.get(label).unwrap_or_else(|| panic!("no attempt at {label} was left")).clone();
                self.input(line, Input::Finished { attempt, result: report(result) });
            }
            "approve" | "wave" | "reject" | "done" | "not-done" | "skip" | "retry" | "pause" | "unpause" | "cancel"
            | "undo" | "note" => {
                self.input(line, Input::Operator(request(head, rest)));
            }
            label => {
                let attempt =
                    self.in_flight.get(label).unwrap_or_else(|| panic!("no attempt at {label} is in flight")).clone();
                self.input(line, Input::Finished { attempt, result: report(rest) });
            }
        }
    }

    fn everything_succeeds(&mut self) {
        while let Some((label, attempt)) =
            self.in_flight.first_key_value().map(|(label, attempt)| (label.clone(), attempt.clone()))
        {
            self.input(&format!("{label} ok"), Input::Finished { attempt, result: report("ok") });
        }
    }

    fn input(&mut self, line: &str, input: Input) {
        let before = format!("{:?}", self.scheduler);
        let landed = match &input {
            Input::Finished { attempt, .. } => Some(attempt.label()),
            Input::Opened { .. }
            | Input::Locked { .. }
            | Input::Tick
            | Input::Operator(_)
            | Input::Interrupted { .. } => None,
        };
        match self.scheduler.handle(self.now, input, &Table) {
            Ok(decision) => {
                if let Some((label, attempt)) = landed.and_then(|label| self.in_flight.remove_entry(&label)) {
                    self.left.insert(label, attempt);
                }
                self.accept(line, decision);
            }
            Err(why) => {
                assert_eq!(before, format!("{:?}", self.scheduler), "refusing leaves no trace");
                self.write(line, &refused(&why));
            }
        }
    }

    fn reopen(&mut self, line: &str, go_on: bool) {
        self.left.append(&mut self.in_flight);
        let state = RunState::replay(&self.records).expect("the records are those of one run");
        let epoch = Epoch(state.epoch().0 + 1);
        self.scheduler = Scheduler::resume(state);
        let opened = Input::Opened { epoch, by: person("ada", "terminal"), engine: engine(), go_on };
        self.input(line, opened);
    }

    /// Records a decision, carries out its commands, and checks that replaying gives the same state.
    fn accept(&mut self, line: &str, decision: Decision) {
        let mut said: Vec<String> = decision.records().iter().map(record).collect();
        self.records.extend(decision.records().iter().cloned());
        let head = Seq(self.records.len() as u64);
        for order in decision.release(head).expect("every record is in the journal") {
            said.extend(command(&order));
            self.carry_out(order, &said);
        }
        let replayed = Scheduler::resume(RunState::replay(&self.records).expect("the records are those of one run"));
        assert_eq!(
            format!("{:?}", replayed.state()),
            format!("{:?}", self.scheduler.state()),
            "replaying gives the same state"
        );
        let listed = self.scheduler.in_flight().count();
        assert_eq!(
            listed,
            self.in_flight.len(),
            "what the scheduler takes to be in flight is what was asked for, after `{line}`"
        );
        self.write(line, &if said.is_empty() { "-".to_owned() } else { said.join(", ") });
    }

    fn carry_out(&mut self, order: Command, said: &[String]) {
        if let Command::Run { attempt: run, intent, .. } = order {
            if run.purpose != Purpose::Probe {
                assert!(said.contains(&attempt(&run, intent)), "{} starts without an intent on record", run.label());
            }
            let before = self.in_flight.insert(run.label(), run);
            assert_eq!(before, None, "two attempts at one instance at the same time");
        }
    }

    fn write(&mut self, line: &str, said: &str) {
        self.log.push_str(&format!("{line}: {said}\n"));
    }

    /// Where the run stands, what it asks, and where each step is.
    fn end(&mut self) {
        let state = self.scheduler.state();
        let standing = match self.scheduler.standing() {
            Standing::Working => "working".to_owned(),
            Standing::Parked => "parked".to_owned(),
            Standing::Interrupted => "interrupted".to_owned(),
            Standing::Ended(outcome) => outcome.as_str().to_owned(),
        };
        let questions: Vec<String> = state
            .questions()
            .map(|question| format!("{} {}?", question.kind.as_str(), label(question.id, question.key)))
            .collect();
        let steps: Vec<String> =
            state.plan().places().map(|(at, step)| format!("{} {}", step.id, state.status(at).as_str())).collect();
        let questions = if questions.is_empty() { String::new() } else { format!(" [{}]", questions.join(" ")) };
        self.log.push_str(&format!("= {standing}{questions}: {}\n", steps.join(", ")));
    }
}

fn report(words: &str) -> Report {
    let (verb, class) = words.split_once(' ').unwrap_or((words, ""));
    let class = |usual: &'static str| if class.is_empty() { usual.to_owned() } else { class.to_owned() };
    match verb {
        "ok" => Report::Done(output("ok")),
        "fail" => Report::Failed(failure(&class("exit"), Left::Partial)),
        "fail-clean" => Report::Failed(failure(&class("exit"), Left::Nothing)),
        "unknown" => Report::Unknown(failure(&class("timeout"), Left::Partial)),
        "not-done" => Report::NotDone(output("ok")),
        other => panic!("`{other}` is not a result"),
    }
}

fn request(verb: &str, rest: &str) -> Request {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let by = words.iter().position(|word| *word == "by").map_or("ada", |at| words[at + 1]);
    let via = if verb == "wave" { "yes" } else { "command" };
    let (step, key) = place(words.first().copied().unwrap_or(""));
    let verdict = |verdict| Operation::Resolve { step: step.clone(), key: key.clone(), verdict, fields: None };
    let what = match verb {
        "approve" | "wave" => {
            let choice = words.get(3).map(|choice| (*choice).to_owned());
            Operation::Approve { step, key, choice, fields: None }
        }
        "reject" => Operation::Reject { step, key },
        "done" => verdict(Verdict::Done),
        "not-done" => verdict(Verdict::NotDone),
        "skip" => verdict(Verdict::Skip),
        "retry" => Operation::Retry { step, key },
        "pause" => Operation::Pause,
        "unpause" => Operation::Unpause,
        "cancel" => Operation::Cancel,
        "undo" => {
            let to = words.iter().position(|word| *word == "to").map(|at| Name::from(words[at + 1]));
            Operation::Undo { to, past_point_of_no_return: words.contains(&"past") }
        }
        "note" => Operation::Note { text: rest.to_owned() },
        other => panic!("nobody can ask for `{other}`"),
    };
    Request { by: person(by, via), reason: None, what }
}

/// `step` or `step[key]`.
fn place(text: &str) -> (Name, Option<Name>) {
    match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((step, key)) => (Name::from(step), Some(Name::from(key))),
        None => (Name::from(text), None),
    }
}

fn refused(why: &Rejected) -> String {
    format!("refused: {why}")
}
