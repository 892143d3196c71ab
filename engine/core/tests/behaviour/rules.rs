//! Rules that a script cannot state: decisions stay locked, tenures rise.

use crate::play::Play;
use crate::support::{Table, engine, person, plan, started};
use ceptra_flow_core::event::Record;
use ceptra_flow_core::input::{Operation, Request};
use ceptra_flow_core::scheduler::{NotDurable, Rejected};
use ceptra_flow_core::state::Corrupt;
use ceptra_flow_core::{Epoch, Input, RunState, Scheduler, Seq, Timestamp};

#[test]
fn commands_stay_locked_until_the_journal_shows_the_records() {
    let (_, decision) = Scheduler::start(started(&plan("a")), engine(), &Table, Timestamp(0)).unwrap();
    let last = decision.records().last().unwrap().seq;
    assert_eq!(last, Seq(3), "the start, the tenure, the intent");
    assert_eq!(decision.release(Seq(2)), Err(NotDurable { head: Seq(2), needed: Seq(3) }));
    let (_, decision) = Scheduler::start(started(&plan("a")), engine(), &Table, Timestamp(0)).unwrap();
    assert_eq!(decision.release(Seq(3)).unwrap().len(), 1);
}

#[test]
fn decisions_recorded_together_are_released_together() {
    let (mut scheduler, mut decision) = Scheduler::start(started(&plan("a")), engine(), &Table, Timestamp(0)).unwrap();
    let note = Request { by: person("ada", "command"), reason: None, what: Operation::Note { text: "x".into() } };
    decision.merge(scheduler.handle(Timestamp(1), Input::Operator(note), &Table).unwrap());
    assert!(decision.release(Seq(3)).is_err());
}

#[test]
fn a_tenure_has_a_number_of_its_own() {
    let play = Play::begin(plan("a"));
    let mut scheduler = Scheduler::resume(RunState::replay(&play.records).unwrap());
    let again = Input::Opened { epoch: Epoch(1), by: person("ada", "terminal"), engine: engine(), go_on: false };
    let refused = scheduler.handle(Timestamp(0), again, &Table).unwrap_err();
    assert_eq!(refused, Rejected::Corrupt(Corrupt::Epoch { seq: 4, found: 1, current: 1 }));
}

#[test]
fn records_that_cannot_follow_one_another_are_refused() {
    let play = Play::begin(plan("a -> b"));
    let without = |at: usize| -> Vec<Record> {
        play.records.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, record)| record.clone()).collect()
    };
    assert_eq!(RunState::replay(&without(0)).unwrap_err(), Corrupt::Gap { expected: 1, found: 2 });
    assert_eq!(RunState::replay(&without(1)).unwrap_err(), Corrupt::Gap { expected: 2, found: 3 });
    let mut older = play.records.clone();
    older[2].epoch = Epoch(0);
    assert_eq!(RunState::replay(&older).unwrap_err(), Corrupt::Epoch { seq: 3, found: 0, current: 1 });
    let mut newer = play.records.clone();
    newer[2].epoch = Epoch(2);
    assert_eq!(
        RunState::replay(&newer).unwrap_err(),
        Corrupt::Epoch { seq: 3, found: 2, current: 1 },
        "only opening raises it"
    );
    let mut twice = play.records.clone();
    twice[2].event = twice[0].event.clone();
    assert_eq!(RunState::replay(&twice).unwrap_err(), Corrupt::NoStart(3));
}

#[test]
fn a_plan_that_was_altered_is_refused() {
    let mut event = started(&plan("a"));
    event.digest = started(&plan("b")).digest;
    let refused = Scheduler::start(event, engine(), &Table, Timestamp(0)).unwrap_err();
    assert_eq!(refused, Rejected::Corrupt(Corrupt::Digest));
}

#[test]
fn a_plan_for_other_decisions_is_refused() {
    let mut other = plan("a");
    other.semantics += 1;
    let refused = Scheduler::start(started(&other), engine(), &Table, Timestamp(0)).unwrap_err();
    assert_eq!(refused, Rejected::Corrupt(Corrupt::Semantics { found: 2 }));
}

#[test]
fn a_clock_that_is_set_back_breaks_nothing() {
    let mut play = Play::begin(plan("a -> b; a: retry=3, pause=100"));
    for line in ["at 100000", "a fail", "at 5", "crash", "at 100100", "at 50", "a ok", "b ok"] {
        play.take(line);
    }
    assert_eq!(play.scheduler.state().outcome().map(|outcome| outcome.as_str()), Some("done"));
}

#[test]
fn keys_count_on_over_retries_and_stay_over_crashes() {
    let mut play = Play::begin(plan("a; a: idempotent, retry=2"));
    for line in ["a fail", "crash", "wake", "a fail", "retry a", "crash", "a fail", "crash"] {
        play.take(line);
    }
    let intents: Vec<(u32, u32)> = play
        .records
        .iter()
        .filter_map(|record| match &record.event {
            ceptra_flow_core::Event::StepIntent(event) => Some((event.attempt.number, event.intent)),
            _ => None,
        })
        .collect();
    assert_eq!(intents, [(1, 1), (2, 1), (3, 2), (4, 2)]);
}
