//! Killed in the middle: what each effect means then.

use crate::support::{Desk, signal, wait_for};
use serde_json::json;

/// A step that writes `start`, waits for a file that never comes, and would write `end`.
fn hanging(extra: &str) -> String {
    format!(
        "[steps.before]\ntype = \"exec\"\nwith = {{ command = [\"sh\", \"-c\", \"echo before >> trace\"] }}\n\n\
         [steps.long]\ntype = \"exec\"\nneeds = [\"before\"]\n\
         with = {{ command = [\"sh\", \"-c\", \"echo start >> trace; test -e pass || sleep 600; echo end >> trace\"] }}\n{extra}\n\
         [steps.after]\ntype = \"exec\"\nneeds = [\"long\"]\nwith = {{ command = [\"sh\", \"-c\", \"echo after >> trace\"] }}\n"
    )
}

/// Runs until `long` hangs, kills the engine, and lets the next try pass.
fn killed(extra: &str) -> Desk {
    let desk = Desk::new();
    desk.runbook("hang", &hanging(extra));
    let mut engine = desk.spawn("run hang.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    signal(&engine, libc::SIGKILL);
    engine.wait().expect("it was ours");
    desk.write("pass", "");
    desk
}

#[test]
fn once_parks_for_a_verdict() {
    let desk = killed("");
    assert_eq!(desk.show()["outcome"], "interrupted");
    desk.say("resume").exits(3).says("resolve");
    assert_eq!(desk.status("long"), "unknown");
    assert_eq!(desk.show()["questions"][0]["kind"], "verdict");
    assert_eq!(desk.count("trace", "start"), 1);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["resolve", &run, "long", "--done", "--reason", "I looked"]).exits(0);
    desk.say("resume").exits(0);
    assert_eq!((desk.count("trace", "before"), desk.count("trace", "start"), desk.count("trace", "after")), (1, 1, 1));
    let doubts = desk.say("report --format json").exits(0).json()["doubts"].clone();
    assert_eq!(doubts[0]["settled_by"], "operator");
}

#[test]
fn once_not_done_runs_again() {
    let desk = killed("");
    desk.say("resume").exits(3);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["resolve", &run, "long", "--not-done"]).exits(0);
    desk.say("resume").exits(0);
    assert_eq!((desk.count("trace", "before"), desk.count("trace", "start"), desk.count("trace", "end")), (1, 2, 1));
}

#[test]
fn idempotent_runs_again_by_itself() {
    let desk = killed("effect = \"idempotent\"");
    desk.say("resume").exits(0);
    assert_eq!((desk.count("trace", "before"), desk.count("trace", "start"), desk.count("trace", "after")), (1, 2, 1));
    let rows = desk.show()["steps"].clone();
    assert_eq!(rows[0]["attempts"], 1);
}

#[test]
fn a_probe_that_finds_it_done_keeps_it_from_running_again() {
    let probe = r#"effect = "probe"
probe = { type = "exec", with = { command = ["grep", "-c", "start", "trace"], parse = "lines" }, done = "output.lines[0] == '1'", not_done = "output.lines[0] == '0'" }"#;
    let desk = killed(probe);
    desk.say("resume").exits(0);
    assert_eq!((desk.count("trace", "start"), desk.count("trace", "after")), (1, 1));
    let doubts = desk.say("report --format json").exits(0).json()["doubts"].clone();
    assert_eq!(doubts[0]["settled_by"], "probe");
}

#[test]
fn a_probe_that_finds_it_not_done_lets_it_run_again() {
    let probe = r#"effect = "probe"
probe = { type = "exec", with = { command = ["grep", "-c", "end", "trace"], parse = "lines", ok_codes = [0, 1] }, done = "output.lines[0] == '1'", not_done = "output.lines[0] == '0'" }"#;
    let desk = killed(probe);
    desk.say("resume").exits(0);
    assert_eq!((desk.count("trace", "start"), desk.count("trace", "end")), (2, 1));
}

#[test]
fn a_timeout_of_a_once_step_is_doubt_and_its_whole_group_is_gone() {
    let desk = Desk::new();
    desk.runbook(
        "slow",
        "[steps.a]\ntype = \"exec\"\ntimeout = \"200ms\"\nwith = { command = [\"sh\", \"-c\", \"sleep 600 & echo $! > child; wait\"] }\n",
    );
    desk.say("run slow.toml").exits(3);
    assert_eq!(desk.status("a"), "unknown");
    let child: i32 = desk.read("child").trim().parse().expect("the script wrote its child's id");
    // SAFETY: signal 0 sends nothing; it asks whether the process is there.
    wait_for("the child to be gone", || unsafe { libc::kill(child, 0) } != 0);
}

#[test]
fn a_timeout_of_a_read_step_fails() {
    let desk = Desk::new();
    desk.runbook("slow", "[steps.a]\ntype = \"exec\"\neffect = \"read\"\ntimeout = \"100ms\"\nwith = { command = [\"sleep\", \"600\"] }\n");
    desk.say("run slow.toml").exits(1);
    assert_eq!(desk.show()["steps"][0]["error"]["class"], json!("timeout"));
}

#[test]
fn until_asks_again() {
    let desk = Desk::new();
    desk.runbook(
        "poll",
        "[steps.a]\ntype = \"exec\"\neffect = \"read\"\nuntil = \"output.lines.size() >= 3\"\ninterval = \"5ms\"\n\
         with = { command = [\"sh\", \"-c\", \"echo x >> trace; cat trace\"], parse = \"lines\" }\n",
    );
    desk.say("run poll.toml").exits(0);
    assert_eq!(desk.count("trace", "x"), 3);
}
