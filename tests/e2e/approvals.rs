//! People decide: here, elsewhere, together, too late.

use crate::support::Desk;
use serde_json::json;

const GO: &str = r#"
[steps.a]
type = "exec"
with = { command = ["sh", "-c", "echo a >> trace"] }
[steps.go]
type = "approval"
needs = ["a"]
with = { prompt = "Go on with {{ run.name }}?" }
[steps.b]
type = "exec"
needs = ["go"]
with = { command = ["sh", "-c", "echo b >> trace"] }
"#;

#[test]
fn without_a_terminal_the_run_parks_and_goes_on_after_approve() {
    let desk = Desk::new();
    desk.runbook("ask", GO);
    let last = desk.say("run ask.toml --output json").exits(3).json();
    assert_eq!(last["outcome"], "parked");
    let run = last["run"].as_str().unwrap().to_owned();
    let shown = desk.show();
    assert_eq!(shown["outcome"], "parked");
    assert_eq!(
        shown["questions"],
        json!([{ "kind": "approval", "step": "go", "key": null, "prompt": "Go on with ask?" }])
    );
    desk.say("resume").exits(3);
    desk.flow(["approve", &run, "go", "--reason", "looks right"]).exits(0);
    desk.say("resume").exits(0);
    assert_eq!(desk.read("trace"), "a\nb\n");
    let report = desk.say("report --format json").exits(0).json();
    assert_eq!(report["approvals"][0]["reason"], "looks right");
    assert_eq!(report["approvals"][0]["by"], "ada");
}

#[test]
fn a_refusal_fails_the_run() {
    let desk = Desk::new();
    desk.runbook("ask", GO);
    let run = desk.say("run ask.toml --output json").exits(3).json()["run"].as_str().unwrap().to_owned();
    desk.flow(["reject", &run, "go", "--reason", "not tonight"]).exits(0);
    desk.say("resume").exits(1);
    assert_eq!(desk.status("go"), "failed");
    assert_eq!(desk.read("trace"), "a\n");
}

#[test]
fn yes_grants_as_the_person_running() {
    let desk = Desk::new();
    desk.runbook("ask", GO);
    desk.say("run ask.toml --yes").exits(0);
    let report = desk.say("report --format json").exits(0).json();
    assert_eq!(report["approvals"][0]["via"], "yes");
    assert_eq!(report["approvals"][0]["by"], "ada");
}

#[test]
fn two_different_people_who_did_not_start_it() {
    let mut desk = Desk::new();
    desk.runbook(
        "two",
        "[steps.go]\ntype = \"approval\"\nwith = { prompt = \"Sure?\", approvers = 2, not_initiator = true }\n",
    );
    let run = desk.say("run two.toml --output json").exits(3).json()["run"].as_str().unwrap().to_owned();
    desk.flow(["approve", &run, "go"]).exits(2).says("started this run");
    desk.as_user("bob", |desk| desk.flow(["approve", &run, "go"]).exits(0));
    desk.say("resume").exits(3);
    desk.as_user("bob", |desk| desk.flow(["approve", &run, "go"]).exits(2).says("bob"));
    desk.as_user("eve", |desk| desk.flow(["approve", &run, "go"]).exits(0));
    desk.say("resume").exits(0);
}

#[test]
fn production_is_confirmed_by_name_and_not_waved_through() {
    let desk = Desk::new();
    desk.write("prod.toml", "[target]\nname = \"prod-eu\"\nkind = \"production\"\n");
    desk.runbook("two", "[steps.go]\ntype = \"approval\"\nwith = { prompt = \"Sure?\", approvers = 2 }\n");
    desk.say("run two.toml --target prod.toml").exits(2).says("prod-eu");
    desk.say("run two.toml --target prod.toml --yes").exits(3).says("PRODUCTION");
}

#[test]
fn a_manual_step_is_accepted_only_when_its_check_holds() {
    let desk = Desk::new();
    desk.runbook(
        "hand",
        r#"
[steps.plug]
type = "manual"
with = { instructions = "Plug it in." }
probe = { type = "exec", with = { command = ["cat", "plug"], ok_codes = [0, 1] }, done = "output.stdout.startsWith('in')", not_done = "!output.stdout.startsWith('in')" }
"#,
    );
    let run = desk.say("run hand.toml --output json").exits(3).json()["run"].as_str().unwrap().to_owned();
    assert_eq!(desk.show()["questions"][0]["kind"], "manual");
    desk.write("plug", "out");
    desk.flow(["resolve", &run, "plug", "--done"]).exits(0);
    desk.say("resume").exits(3);
    desk.write("plug", "in");
    desk.flow(["resolve", &run, "plug", "--done"]).exits(0);
    desk.say("resume").exits(0);
    assert_eq!(desk.status("plug"), "done");
}
