//! The engine is killed with SIGKILL, at random instants and (feature `crash-points`) at every journal write; the run is resumed, and
//! must come to the same end: no finished step ran again, no effect doubled, the judge agrees.
//!
//! `CRASH_RUNS` says how many random instants are tried (a few by default), `CRASH_SEED` where they begin.

#![allow(clippy::print_stdout, reason = "seeds and counts are for whoever reads the log")]

#[path = "../e2e/support.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
mod support;

use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};
#[cfg(feature = "crash-points")]
use support::said;
use support::{Desk, root, signal, wait_for};

/// A small run with every effect, whose effects can be counted in the files that it writes.
const COUNTED: &str = r#"
[steps.start]
type = "exec"
effect = "probe"
with = { command = ["sh", "-c", "echo start >> trace"] }
probe = { type = "exec", with = { command = ["sh", "-c", "grep -c start trace || true"], parse = "lines" }, done = "output.lines[0] == '1'", not_done = "output.lines.size() == 0 || output.lines[0] == '0'" }

[steps.each]
type = "file"
needs = ["start"]
for_each = ["a", "b", "c", "d"]
key = "{{ item }}"
with = { action = "write", path = "out-{{ item }}", content = "{{ item }}\n" }

[steps.sum]
type = "set"
effect = "idempotent"
needs = ["each"]
with = { n = "{{ steps.each.items | size }}" }

[steps.last]
type = "exec"
effect = "probe"
needs = ["sum"]
with = { command = ["sh", "-c", "echo last >> trace"] }
probe = { type = "exec", with = { command = ["sh", "-c", "grep -c last trace || true"], parse = "lines" }, done = "output.lines[0] == '1'", not_done = "output.lines.size() == 0 || output.lines[0] == '0'" }

[finally.tell]
type = "exec"
effect = "idempotent"
with = { command = ["sh", "-c", "echo $0 > outcome", "{{ run.outcome }}"] }
"#;

fn runs() -> u64 {
    std::env::var("CRASH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

fn seed() -> u64 {
    std::env::var("CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A spread of numbers that a seed fixes (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn counted() -> Desk {
    let desk = Desk::new();
    desk.runbook("counted", COUNTED);
    desk
}

fn catastrophic() -> Desk {
    let desk = Desk::new();
    let text =
        std::fs::read_to_string(root().join("runbooks/catastrophic.toml")).expect("the runbook is in the repository");
    desk.write("catastrophic.toml", &text);
    desk
}

/// Resumes until the run is over. A run without a single record never began: it is started again.
fn resumed(desk: &Desk, file: &str) {
    let began = desk.say("runs --output json").json().as_array().is_some_and(|runs| !runs.is_empty());
    let said = if began { desk.say("resume") } else { desk.say(&format!("run {file}")) };
    assert_eq!(said.code, 0, "{}", said.all());
}

/// What must hold of every journal, however often its engine was killed.
fn no_step_ran_again(desk: &Desk) {
    let journal = Connection::open(desk.run_dir().join("journal.db")).expect("the journal is there");
    let mut events =
        journal.prepare("SELECT kind, step, payload FROM events ORDER BY seq").expect("the journal has its table");
    let rows = events.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
    });
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.expect("the journal can be read") {
        let (kind, step, payload) = row.expect("rows can be read");
        let Some(step) = step else { continue };
        match kind.as_str() {
            "step_done" => *done.entry(step).or_default() += 1,
            "step_intent" => assert!(!done.contains_key(&step), "`{step}` was done and ran again: {payload}"),
            _ => {}
        }
    }
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    desk.say("audit").exits(0);
}

fn counted_ended_well(desk: &Desk) {
    no_step_ran_again(desk);
    assert_eq!(desk.read("trace"), "start\nlast\n");
    assert_eq!(desk.read("outcome"), "done\n");
    for item in ["a", "b", "c", "d"] {
        assert_eq!(desk.read(&format!("out-{item}")), format!("{item}\n"));
    }
}

/// The report without what differs between two runs of the same: times, ids, numbers of events and ports.
fn comparable(desk: &Desk) -> Value {
    let report = desk.say("report --format json").exits(0).json();
    let steps: Vec<Value> = report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| serde_json::json!([step["id"], step["key"], step["status"]]))
        .collect();
    serde_json::json!({ "verdict": report["verdict"], "steps": steps, "cutover": report["cutover"] })
}

fn catastrophic_ended_well(desk: &Desk, undisturbed: &Value) {
    no_step_ran_again(desk);
    assert_eq!(&comparable(desk), undisturbed);
    let judged = desk.say("lab status --output json").exits(0).json();
    assert_eq!(judged["verdict"], "ok", "{judged}");
}

/// Starts a run, kills its engine after a pause, resumes.
fn killed_after(desk: &Desk, file: &str, pause: Duration) {
    let mut engine = desk
        .command(["run", file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let deadline = Instant::now() + pause;
    let mut ended = false;
    wait_for("the instant to kill at", || {
        ended = engine.try_wait().expect("it is ours").is_some();
        ended || Instant::now() >= deadline
    });
    if !ended {
        signal(&engine, libc::SIGKILL);
        engine.wait().expect("it was ours");
    }
    let over = desk.say("runs --output json").json();
    if over[0]["outcome"] != "done" {
        resumed(desk, file);
    }
}

#[test]
fn killed_at_random_instants_a_small_run_comes_to_the_same_end() {
    let mut state = seed();
    for run in 0..runs() * 2 {
        let pause = Duration::from_micros(random(&mut state) % 60_000);
        println!("CRASH_SEED={} small run {run}: killed after {pause:?}", seed());
        let desk = counted();
        killed_after(&desk, "counted.toml", pause);
        counted_ended_well(&desk);
    }
}

#[test]
fn killed_at_random_instants_the_recovery_of_a_region_comes_to_the_same_end() {
    let desk = catastrophic();
    let began = Instant::now();
    desk.say("run catastrophic.toml").exits(0);
    let usual = began.elapsed();
    let undisturbed = comparable(&desk);
    let mut state = seed();
    for run in 0..runs() {
        let pause =
            Duration::from_micros(random(&mut state) % u64::try_from(usual.as_micros()).expect("a run is short"));
        println!("CRASH_SEED={} recovery {run}: killed after {pause:?} of about {usual:?}", seed());
        let desk = catastrophic();
        killed_after(&desk, "catastrophic.toml", pause);
        catastrophic_ended_well(&desk, &undisturbed);
        desk.say("lab down");
    }
}

/// Crashes at the n-th journal write, for every n until a run ends undisturbed.
#[cfg(feature = "crash-points")]
fn killed_at_every_write(make: fn() -> Desk, file: &str, ended_well: &dyn Fn(&Desk)) {
    for when in ["before", "after"] {
        for write in 1.. {
            let desk = make();
            let mut command = desk.command(["run", file]);
            let output = command
                .env("CEPTRA_FLOW_TEST_CRASH_AT", format!("{write}:{when}"))
                .output()
                .expect("the binary can be started");
            let crashed = said(output);
            if crashed.code == 0 {
                println!("{file}: killed {when} each of {} writes", write - 1);
                assert!(write > 3, "it was never killed");
                desk.say("lab down");
                break;
            }
            assert_eq!(crashed.code, -1, "not killed, but ended: {}", crashed.all());
            resumed(&desk, file);
            ended_well(&desk);
            desk.say("lab down");
        }
    }
}

#[cfg(feature = "crash-points")]
#[test]
fn killed_at_every_journal_write_a_small_run_comes_to_the_same_end() {
    killed_at_every_write(counted, "counted.toml", &counted_ended_well);
}

#[cfg(feature = "crash-points")]
#[test]
fn killed_at_every_journal_write_the_recovery_of_a_region_comes_to_the_same_end() {
    let desk = catastrophic();
    desk.say("run catastrophic.toml").exits(0);
    let undisturbed = comparable(&desk);
    killed_at_every_write(catastrophic, "catastrophic.toml", &|desk| catastrophic_ended_well(desk, &undisturbed));
}
