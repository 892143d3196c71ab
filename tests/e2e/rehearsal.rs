//! The main job on the embedded lab: a region is lost and recovered, and the judge, who reads only the lab's own ledgers, agrees.
//! Then the same with the runbook sabotaged: whatever the run says, the judge must see it.

use crate::support::{Desk, Said, root};
use serde_json::Value;
use std::fs;

fn recovery() -> Desk {
    let desk = Desk::new();
    desk.write("catastrophic.toml", &shipped());
    desk
}

fn shipped() -> String {
    fs::read_to_string(root().join("runbooks/catastrophic.toml")).expect("the runbook is in the repository")
}

fn judged(desk: &Desk) -> Value {
    desk.say("lab status --output json").json()
}

#[test]
fn a_lost_region_is_recovered_and_the_judge_agrees() {
    let desk = recovery();
    let plan = desk.say("plan catastrophic.toml --format json").exits(0).json();
    assert!(!desk.state().exists(), "`plan` made a state store");
    assert_eq!(plan["point_of_no_return"], "cutover");
    assert_eq!(plan["target"], "lab");
    let said = desk.say("run catastrophic.toml --output json").exits(0);
    assert_eq!(desk.show()["digest"], plan["digest"]);
    let last = said.json();
    assert_eq!(last["outcome"], "done", "{}", said.all());
    let verdict = judged(&desk);
    assert_eq!(verdict["verdict"], "ok", "{verdict}");
    assert_eq!(verdict["lost_entries"], 0);
    assert_eq!(verdict["stale_epoch_appends"], 0);
    for cluster in verdict["ingress"].as_object().expect("routes").values() {
        assert_eq!(cluster, "cluster-b");
    }
    assert!(verdict["ready_ratio"].as_f64().expect("a number") >= 0.99);
    let report: Value = serde_json::from_str(&fs::read_to_string(last["report"].as_str().expect("a path")).expect("it is there")).expect("it is JSON");
    assert_eq!(report["verdict"], "done");
    assert_eq!(report["rto"], 1800.0);
    assert!(report["measured"].as_f64().expect("a number") > 0.0);
    assert_eq!(report["approvals"].as_array().map(Vec::len), Some(2));
    let cutover = serde_json::to_string_pretty(&report["cutover"]).expect("it is JSON") + "\n";
    let groups = ["pg-0", "pg-1", "pg-2", "pg-3"].map(|group| format!("    \"{group}\"")).join(",\n");
    let routes: Vec<String> = verdict["ingress"].as_object().unwrap().keys().map(|route| format!("    \"{route}\"")).collect();
    let expected = format!(
        "{{\n  \"primary_cluster\": \"cluster-a\",\n  \"dr_cluster\": \"cluster-b\",\n  \"fenced_groups\": [\n{groups}\n  ],\n  \"verified_shipments\": [\n{groups}\n  ],\n  \"ingress_rerouted\": [\n{}\n  ],\n  \"reconciled_epoch\": 8\n}}\n",
        routes.join(",\n")
    );
    assert_eq!(cutover, expected);
    let markdown = desk.say("report --format markdown").exits(0).stdout;
    assert!(markdown.contains(expected.trim_end()), "{markdown}");
    desk.say("audit").exits(0);
}

/// Runs a runbook that was tampered with; the judge must say `bad`, and the command must not end green.
#[track_caller]
fn sabotaged(what: &str, edit: impl FnOnce(String) -> String) -> (Said, Value) {
    let desk = Desk::new();
    let (before, after) = (shipped(), edit(shipped()));
    assert_ne!(before, after, "the sabotage changed nothing");
    desk.write("catastrophic.toml", &after);
    let said = desk.say("run catastrophic.toml --yes");
    let verdict = judged(&desk);
    assert_eq!(verdict["verdict"], "bad", "{what}: the judge saw nothing wrong: {verdict}\n{}", said.all());
    assert_ne!(said.code, 0, "{what}: green, with the judge red: {}", said.all());
    assert!(!verdict["problems"].as_array().expect("a list").is_empty());
    desk.say("lab down");
    (said, verdict)
}

/// Replaces a whole step.
fn with_step(text: &str, id: &str, table: &str) -> String {
    let start = text.find(&format!("[steps.{id}]")).unwrap_or_else(|| panic!("no step `{id}`"));
    let rest = &text[start + 1..];
    let end = rest.find("\n[").map_or(text.len(), |at| start + 1 + at + 1);
    format!("{}{table}\n{}", &text[..start], &text[end..])
}

#[test]
fn without_a_fence_the_judge_sees_stale_appends() {
    let fake = r#"[steps.freeze]
type = "set"
needs = ["declare"]
for_each = "{{ target.partition_groups }}"
key = "{{ item.group_id }}"
with = { group_id = "{{ item.group_id }}", frozen = true, fence_epoch = 8, epoch = 7, replicas = [], unfenced = 0 }
"#;
    let (_, verdict) = sabotaged("no freeze", |text| with_step(&text, "freeze", fake));
    assert!(verdict["stale_epoch_appends"].as_u64().unwrap_or(0) > 0 || verdict["lost_entries"].as_u64().unwrap_or(0) > 0, "{verdict}");
}
