//! Check, plan, run, look: what a first hour with the tool touches.

use crate::support::Desk;
use serde_json::json;

const CHAIN: &str = r#"
[steps.first]
type = "set"
with = { greeting = "hello" }

[steps.second]
type = "exec"
needs = ["first"]
with = { command = ["sh", "-c", "echo $0 >> trace; echo '{\"said\":\"'$0'\"}'", "{{ steps.first.output.greeting }}"], parse = "json" }
verify = [{ check = "output.said == 'hello'" }]

[steps.third]
type = "assert"
needs = ["second"]
with = { checks = [{ check = "steps.second.output.said.size() == 5", message = "five letters" }] }
"#;

#[test]
fn a_run_ends_with_its_report() {
    let desk = Desk::new();
    desk.runbook("chain", CHAIN);
    let said = desk.say("run chain.toml --output json").exits(0);
    let last = said.json();
    assert_eq!(last["outcome"], "done");
    assert_eq!(last["exit"], 0);
    assert_eq!(last["runbook"], "chain");
    let report = last["report"].as_str().expect("the report has a path").to_owned();
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("it is there")).expect("it is JSON");
    assert_eq!(report["verdict"], "done");
    assert_eq!(desk.count("trace", "hello"), 1);
    let shown = desk.show();
    assert_eq!(shown["outcome"], "done");
    assert_eq!(shown["steps"][1]["output"], json!({ "said": "hello" }));
    assert_eq!(shown["steps"][0]["effect"], "read");
    assert_eq!(shown["steps"][1]["effect"], "once");
    desk.say("audit").exits(0);
    let runs = desk.say("runs --output json").exits(0).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
    assert!(runs[0].get("steps").is_none());
}

#[test]
fn a_plan_touches_nothing_and_names_the_digest_that_runs() {
    let desk = Desk::new();
    desk.runbook("chain", CHAIN);
    let plan = desk.say("plan chain.toml --format json").exits(0).json();
    assert!(!desk.state().exists(), "`plan` made a state store");
    assert!(!desk.path("home").exists(), "`plan` made a home");
    assert_eq!(plan["waves"], json!([["first"], ["second"], ["third"]]));
    assert_eq!(plan["critical_path"], json!(["first", "second", "third"]));
    assert_eq!(plan["effects"]["once"], 1);
    assert_eq!(plan["steps"][0]["known"], "now");
    assert_eq!(plan["steps"][1]["known"], "later");
    desk.say("run chain.toml --dry-run").exits(0).says("LAB");
    assert!(!desk.state().exists(), "`run --dry-run` made a state store");
    desk.say("run chain.toml").exits(0);
    assert_eq!(desk.show()["digest"], plan["digest"]);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let desk = Desk::new();
    desk.runbook(
        "wrong",
        r#"
[steps.a]
type = "exce"
with = { command = ["true"] }

[steps.b]
type = "exec"
needs = ["a", "nobody"]
timeot = "5s"
with = { command = ["echo", "{{ steps.c.output.stdout }}"] }

[steps.c]
type = "exec"
with = { command = ["true"] }
"#,
    );
    let found = desk.say("check wrong.toml --format json").exits(2).json();
    let found = found.as_array().expect("a list");
    let line_of = |part: &str| {
        found.iter().find(|one| one["message"].as_str().unwrap_or("").contains(part)).map(|one| one["line"].clone())
    };
    assert_eq!(line_of("exce"), Some(json!(9)));
    assert_eq!(line_of("nobody"), Some(json!(14)));
    assert_eq!(line_of("timeot"), Some(json!(15)));
    assert!(found.iter().any(|one| one["help"].as_str().unwrap_or("").contains("needs = [")), "{found:?}");
    assert!(
        found.iter().all(|one| !one["help"].as_str().unwrap_or("").is_empty()),
        "a diagnostic has no help: {found:?}"
    );
    desk.say("run wrong.toml").exits(2);
    assert!(!desk.state().exists());
}

#[test]
fn a_cycle_is_named_as_a_path() {
    let desk = Desk::new();
    let step = |id: &str, need: &str| format!("[steps.{id}]\ntype = \"set\"\nneeds = [\"{need}\"]\n\n");
    desk.runbook("round", &[step("a", "c"), step("b", "a"), step("c", "b")].concat());
    desk.say("check round.toml").exits(2).says("→").says("cycle");
}

#[test]
fn a_failed_step_fails_the_run_and_stops_what_needs_it() {
    let desk = Desk::new();
    desk.runbook(
        "failing",
        r#"
[steps.a]
type = "exec"
with = { command = ["sh", "-c", "echo oops >&2; exit 3"] }
[steps.b]
type = "exec"
needs = ["a"]
with = { command = ["sh", "-c", "echo b >> trace"] }
[finally.tell]
type = "exec"
with = { command = ["sh", "-c", "echo $0 >> trace", "{{ run.outcome }}"] }
"#,
    );
    let last = desk.say("run failing.toml --output json").exits(1).json();
    assert_eq!(last["outcome"], "failed");
    assert_eq!(desk.status("a"), "failed");
    assert_eq!(desk.status("b"), "blocked");
    assert_eq!(desk.read("trace"), "failed\n");
    let error = desk.show()["steps"][0]["error"].clone();
    assert_eq!(error["class"], "exit");
    assert_eq!(error["exit_code"], 3);
}

#[test]
fn a_flaky_step_is_tried_again() {
    let desk = Desk::new();
    desk.runbook(
        "flaky",
        r#"
[steps.a]
type = "exec"
retry = { attempts = 3, initial = "1ms" }
with = { command = ["sh", "-c", "echo try >> trace; test $(wc -l < trace) -ge 3"] }
"#,
    );
    desk.say("run flaky.toml").exits(0);
    assert_eq!(desk.count("trace", "try"), 3);
    assert_eq!(desk.show()["steps"][0]["attempts"], 3);
}

#[test]
fn instances_run_for_each_element() {
    let desk = Desk::new();
    desk.runbook(
        "each",
        r#"
[inputs.names]
type = "list"
default = ["x", "y", "z"]
[steps.greet]
type = "exec"
for_each = "{{ inputs.names }}"
key = "{{ item }}"
max_parallel = 1
with = { command = ["sh", "-c", "echo $0 >> trace", "{{ item }}"] }
[steps.count]
type = "set"
needs = ["greet"]
with = { n = "{{ steps.greet.items | size }}", all = "{{ steps.greet.items }}" }
"#,
    );
    desk.say("run each.toml").exits(0);
    assert_eq!(desk.read("trace"), "x\ny\nz\n");
    let shown = desk.show();
    assert_eq!(shown["steps"][0]["key"], "x");
    assert_eq!(shown["steps"][3]["output"]["n"], 3);
}

#[test]
fn conditions_skip_and_dependents_go_on() {
    let desk = Desk::new();
    desk.runbook(
        "maybe",
        r#"
[inputs.deep]
type = "boolean"
default = false
[steps.a]
type = "set"
when = "inputs.deep"
with = { v = 1 }
[steps.b]
type = "set"
needs = ["a"]
with = { was = "{{ steps.a.status }}" }
"#,
    );
    desk.say("run maybe.toml").exits(0);
    assert_eq!(desk.status("a"), "skipped");
    assert_eq!(desk.show()["steps"][1]["output"]["was"], "skipped");
    desk.say("run maybe.toml --set deep=true").exits(0);
    assert_eq!(desk.status("a"), "done");
}

#[test]
fn bad_input_is_refused_before_anything_starts() {
    let desk = Desk::new();
    desk.runbook(
        "inputs",
        "[inputs.n]\ntype = \"integer\"\nminimum = 2\n[steps.a]\ntype = \"set\"\nwith = { n = \"{{ inputs.n }}\" }\n",
    );
    desk.say("run inputs.toml").exits(2).says("n");
    desk.say("run inputs.toml --set n=one").exits(2).says("integer");
    desk.say("run inputs.toml --set n=1").exits(2).says("2");
    desk.say("run inputs.toml --set m=1").exits(2).says("m");
    desk.say("run absent.toml").exits(2).says("absent.toml");
    desk.say("run inputs.toml --no-such-flag").exits(2);
    desk.say("show 0190").exits(2);
    assert!(!desk.state().join("runs").exists());
    desk.say("run inputs.toml --set n=2").exits(0);
    assert_eq!(desk.show()["steps"][0]["output"]["n"], 2);
}

#[test]
fn logs_hold_what_a_step_printed() {
    let desk = Desk::new();
    desk.runbook(
        "talk",
        "[steps.a]\ntype = \"exec\"\nwith = { command = [\"sh\", \"-c\", \"echo out; echo err >&2\"] }\n",
    );
    desk.say("run talk.toml").exits(0);
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    desk.say(&format!("logs {run} a")).exits(0).says("out").says("err");
}
