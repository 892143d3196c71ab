//! Interrupting, pausing, cancelling, undoing, trying again; and who may drive.

use crate::support::{Desk, said, signal, wait_for};

const SLOW: &str = r#"
[steps.a]
type = "exec"
with = { command = ["sh", "-c", "echo start >> trace; while ! test -e pass; do sleep 0.01; done; echo end >> trace"] }
[steps.b]
type = "exec"
needs = ["a"]
with = { command = ["sh", "-c", "echo b >> trace"] }
[finally.tell]
type = "exec"
with = { command = ["sh", "-c", "echo finally >> trace"] }
"#;

#[test]
fn the_first_interrupt_lets_running_steps_finish() {
    for number in [libc::SIGINT, libc::SIGTERM] {
        let desk = Desk::new();
        desk.runbook("slow", SLOW);
        let engine = desk.spawn("run slow.toml");
        wait_for("the step to start", || desk.count("trace", "start") == 1);
        signal(&engine, number);
        desk.write("pass", "");
        let said = said(engine.wait_with_output().expect("it was ours"));
        assert_eq!(said.code, 130, "{}", said.all());
        assert!(said.all().contains("resume"), "{}", said.all());
        assert_eq!(desk.read("trace"), "start\nend\n");
        assert_eq!(desk.show()["outcome"], "interrupted");
        desk.say("resume").exits(0);
        assert_eq!(desk.read("trace"), "start\nend\nb\nfinally\n");
    }
}

#[test]
fn the_second_interrupt_stops_them() {
    let desk = Desk::new();
    desk.runbook("slow", SLOW);
    let mut engine = desk.spawn("run slow.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    signal(&engine, libc::SIGINT);
    wait_for("the first to be heard, and the second to end it", || {
        signal(&engine, libc::SIGINT);
        engine.try_wait().expect("it is ours").is_some()
    });
    let status = engine.wait().expect("it was ours");
    assert_eq!(status.code(), Some(130));
    assert_eq!(desk.status("a"), "unknown");
}

#[test]
fn a_hang_up_changes_nothing() {
    let desk = Desk::new();
    desk.runbook("slow", SLOW);
    let engine = desk.spawn("run slow.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    signal(&engine, libc::SIGHUP);
    desk.write("pass", "");
    let said = said(engine.wait_with_output().expect("it was ours"));
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn the_second_engine_is_told_who_drives() {
    let desk = Desk::new();
    desk.runbook("slow", SLOW);
    let mut engine = desk.spawn("run slow.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    desk.say("resume").exits(4).says("ada").says(&engine.id().to_string());
    signal(&engine, libc::SIGKILL);
    engine.wait().expect("it was ours");
    desk.write("pass", "");
    desk.say("resume").exits(3);
}

#[test]
fn a_pause_parks_and_resume_goes_on() {
    let desk = Desk::new();
    desk.runbook("slow", SLOW);
    let engine = desk.spawn("run slow.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["pause", &run, "--reason", "lunch"]).exits(0);
    desk.write("pass", "");
    let said = said(engine.wait_with_output().expect("it was ours"));
    assert_eq!(said.code, 3, "{}", said.all());
    assert_eq!(desk.read("trace"), "start\nend\n");
    desk.say("resume").exits(0);
}

#[test]
fn cancel_stops_what_runs_and_finally_runs() {
    let desk = Desk::new();
    desk.runbook("slow", SLOW);
    let engine = desk.spawn("run slow.toml");
    wait_for("the step to start", || desk.count("trace", "start") == 1);
    desk.say("cancel --reason enough").exits(0);
    let said = said(engine.wait_with_output().expect("it was ours"));
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(desk.show()["outcome"], "cancelled");
    assert_eq!(desk.read("trace"), "start\nfinally\n");
}

#[test]
fn a_parked_run_can_be_cancelled_and_the_cancelled_cannot_go_on() {
    let desk = Desk::new();
    desk.runbook("ask", "[steps.go]\ntype = \"approval\"\nwith = { prompt = \"?\" }\n[finally.tell]\ntype = \"exec\"\nwith = { command = [\"sh\", \"-c\", \"echo finally >> trace\"] }\n");
    desk.say("run ask.toml").exits(3);
    desk.say("cancel").exits(0);
    assert_eq!(desk.show()["outcome"], "cancelled");
    assert_eq!(desk.read("trace"), "finally\n");
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["resume", &run]).exits(1);
}

const UNDOABLE: &str = r#"
[steps.a]
type = "exec"
with = { command = ["sh", "-c", "echo a >> trace"] }
undo = { type = "exec", with = { command = ["sh", "-c", "echo undo-a >> trace"] } }
[steps.b]
type = "exec"
needs = ["a"]
with = { command = ["sh", "-c", "echo b >> trace"] }
undo = { type = "exec", with = { command = ["sh", "-c", "echo undo-b >> trace"] } }
"#;

#[test]
fn undo_reverses_in_reverse_order() {
    let desk = Desk::new();
    desk.runbook("back", UNDOABLE);
    desk.say("run back.toml").exits(0);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["undo", &run, "--reason", "wrong night"]).exits(0);
    assert_eq!(desk.read("trace"), "a\nb\nundo-b\nundo-a\n");
    assert_eq!(desk.status("a"), "undone");
}

#[test]
fn on_failure_undo_takes_back_what_was_done() {
    let desk = Desk::new();
    let failing =
        "[steps.c]\ntype = \"exec\"\nneeds = [\"b\"]\non_failure = \"undo\"\nwith = { command = [\"false\"] }\n";
    desk.runbook("back", &format!("{UNDOABLE}{failing}"));
    desk.say("run back.toml").exits(1);
    assert_eq!(desk.read("trace"), "a\nb\nundo-b\nundo-a\n");
}

#[test]
fn past_the_point_of_no_return_undo_is_refused() {
    let desk = Desk::new();
    let point =
        "[steps.c]\ntype = \"exec\"\nneeds = [\"b\"]\npoint_of_no_return = true\nwith = { command = [\"true\"] }\n";
    desk.runbook("back", &format!("{UNDOABLE}{point}"));
    desk.say("run back.toml").exits(0);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.flow(["undo", &run]).exits(2).says("no return");
    desk.flow(["undo", &run, "--past-point-of-no-return"]).exits(0);
    assert_eq!(desk.read("trace"), "a\nb\nundo-b\nundo-a\n");
}

#[test]
fn a_failed_step_is_tried_again_on_request() {
    let desk = Desk::new();
    desk.runbook(
        "mend",
        "[steps.a]\ntype = \"exec\"\nwith = { command = [\"test\", \"-e\", \"pass\"] }\n[steps.b]\ntype = \"exec\"\nneeds = [\"a\"]\nwith = { command = [\"sh\", \"-c\", \"echo b >> trace\"] }\n",
    );
    desk.say("run mend.toml").exits(1);
    desk.say("resume").exits(1).says("--retry");
    desk.write("pass", "");
    desk.say("resume --retry a").exits(0);
    assert_eq!(desk.read("trace"), "b\n");
}

#[test]
fn until_stops_after_a_step_and_resume_goes_on() {
    let desk = Desk::new();
    desk.runbook("back", UNDOABLE);
    desk.say("run back.toml --until a").exits(3);
    assert_eq!(desk.read("trace"), "a\n");
    desk.say("resume").exits(0);
    assert_eq!(desk.read("trace"), "a\nb\n");
}

#[test]
fn a_mutex_is_waited_for_across_runs() {
    let desk = Desk::new();
    let body = |name: &str, file: &str| {
        format!(
            "[steps.a]\ntype = \"exec\"\nlocks = [\"one\"]\nwith = {{ command = [\"sh\", \"-c\", \"echo {name} >> trace; while ! test -e {file}; do sleep 0.01; done; echo {name}-end >> trace\"] }}\n"
        )
    };
    desk.runbook("first", &body("first", "pass"));
    desk.runbook("second", &body("second", "first.toml"));
    let first = desk.spawn("run first.toml");
    wait_for("the first to hold it", || desk.count("trace", "first") == 1);
    let second = desk.spawn("run second.toml");
    wait_for("the second to be there", || desk.say("runs --output json").json().as_array().map(Vec::len) == Some(2));
    desk.write("pass", "");
    assert_eq!(said(first.wait_with_output().expect("ours")).code, 0);
    assert_eq!(said(second.wait_with_output().expect("ours")).code, 0);
    assert_eq!(desk.read("trace"), "first\nfirst-end\nsecond\nsecond-end\n");
}
