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
    let report: Value =
        serde_json::from_str(&fs::read_to_string(last["report"].as_str().expect("a path")).expect("it is there"))
            .expect("it is JSON");
    assert_eq!(report["verdict"], "done");
    assert_eq!(report["rto"], 1800.0);
    assert!(report["measured"].as_f64().expect("a number") > 0.0);
    assert_eq!(report["approvals"].as_array().map(Vec::len), Some(2));
    let cutover = serde_json::to_string_pretty(&report["cutover"]).expect("it is JSON") + "\n";
    let groups = ["pg-0", "pg-1", "pg-2", "pg-3"].map(|group| format!("    \"{group}\"")).join(",\n");
    let routes: Vec<String> =
        verdict["ingress"].as_object().unwrap().keys().map(|route| format!("    \"{route}\"")).collect();
    let expected = format!(
        "{{\n  \"primary_cluster\": \"cluster-a\",\n  \"dr_cluster\": \"cluster-b\",\n  \"fenced_groups\": [\n{groups}\n  ],\n  \"verified_shipments\": [\n{groups}\n  ],\n  \"ingress_rerouted\": [\n{}\n  ],\n  \"reconciled_epoch\": 8\n}}\n",
        routes.join(",\n")
    );
    assert_eq!(cutover, expected);
    let markdown = desk.say("report --format markdown").exits(0).stdout;
    assert!(markdown.contains(expected.trim_end()), "{markdown}");
    desk.say("audit").exits(0);
}

/// A recovery by somebody who knows better: the cutover and the route are called by hand, past everything that refuses. Without a
/// sabotage it does what the shipped runbook does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    None,
    NoFence,
    GroupForgotten,
    EpochKept,
    SwitchBeforeCutover,
    NeverSwitched,
}

fn by_hand(sabotage: Sabotage) -> String {
    let tls = r#"tls = { ca = "lab://tls/ca.pem", cert = "lab://tls/operator.pem", key = "lab://tls/operator.key" }"#;
    let groups = if sabotage == Sabotage::GroupForgotten {
        r#"["pg-0", "pg-1", "pg-3"]"#
    } else {
        r#"["pg-0", "pg-1", "pg-2", "pg-3"]"#
    };
    let each = |needs: &str, groups: &str, kind: &str| {
        format!(
            "type = \"{kind}\"\nneeds = [{needs}]\nfor_each = {groups}\nkey = \"{{{{ item }}}}\"\nwith = {{ group = \"{{{{ item }}}}\" }}\n"
        )
    };
    let all = r#"["pg-0", "pg-1", "pg-2", "pg-3"]"#;
    let freeze =
        if sabotage == Sabotage::NoFence { "type = \"set\"\n".to_owned() } else { each("", all, "ceptra.freeze") };
    let target_epoch = if sabotage == Sabotage::EpochKept { 7 } else { 8 };
    let (cutover_needs, switch_needs) = match sabotage {
        Sabotage::SwitchBeforeCutover => (r#""switch", "backfill", "restore""#, r#""restore""#),
        _ => (r#""backfill", "restore""#, r#""cutover""#),
    };
    let switch = if sabotage == Sabotage::NeverSwitched {
        format!("type = \"set\"\nneeds = [{switch_needs}]\n")
    } else {
        format!(
            "type = \"http\"\nneeds = [{switch_needs}]\nfor_each = \"{{{{ target.ingress }}}}\"\nkey = \"{{{{ item.route }}}}\"\nwith = {{ method = \"POST\", url = \"lab://ingress/admin/switch-ingress\", json = {{ idempotency_key = \"{{{{ item.route }}}}\", route = \"{{{{ item.route }}}}\", cluster = \"cluster-b\" }}, {tls} }}\n"
        )
    };
    format!(
        r#"schema = 1
[runbook]
name = "catastrophic"
title = "By hand"

[steps.freeze]
{freeze}
[steps.elect]
type = "ceptra.elect"
needs = ["freeze"]
[steps.promote]
type = "ceptra.promote_voter"
needs = ["elect"]
for_each = "{{{{ steps.elect.output.promote }}}}"
key = "{{{{ item }}}}"
max_parallel = 1
with = {{ member = "{{{{ item }}}}" }}
[steps.snapshot]
type = "ceptra.snapshot_verify"
[steps.restore]
type = "ceptra.restore_control_plane"
needs = ["promote", "snapshot"]
with = {{ snapshot = "{{{{ steps.snapshot.output.snapshot }}}}", content_hash = "{{{{ steps.snapshot.output.content_hash }}}}" }}
[steps.backfill]
{backfill}
[steps.cutover]
type = "http"
needs = [{cutover_needs}]
with = {{ method = "POST", url = "lab://cluster-b.control-plane/admin/advance-epoch", json = {{ idempotency_key = "by-hand", source_epoch = 7, target_epoch = {target_epoch} }}, {tls} }}
[steps.switch]
{switch}"#,
        backfill = each("\"freeze\"", groups, "ceptra.wal_backfill"),
    )
}

fn judged_by_hand(sabotage: Sabotage) -> (Said, Value) {
    let desk = Desk::new();
    desk.write("by-hand.toml", &by_hand(sabotage));
    let said = desk.say("run by-hand.toml --output json");
    let verdict = judged(&desk);
    desk.say("lab down");
    (said, verdict)
}

/// The run itself ends well, since nothing in it looks; the judge must see it, and the command must not end green.
#[track_caller]
fn is_seen(sabotage: Sabotage) -> Value {
    let (said, verdict) = judged_by_hand(sabotage);
    assert_eq!(verdict["verdict"], "bad", "the judge saw nothing wrong: {verdict}\n{}", said.all());
    assert_eq!(said.code, 1, "green, with the judge red: {}", said.all());
    assert!(!verdict["problems"].as_array().expect("a list").is_empty());
    verdict
}

#[test]
fn without_a_sabotage_a_recovery_by_hand_is_judged_well() {
    let (said, verdict) = judged_by_hand(Sabotage::None);
    assert_eq!(verdict["verdict"], "ok", "{verdict}\n{}", said.all());
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn without_a_fence_appends_under_the_old_epoch_are_seen() {
    let verdict = is_seen(Sabotage::NoFence);
    assert!(verdict["stale_epoch_appends"].as_u64() > Some(0), "{verdict}");
}

#[test]
fn a_forgotten_group_is_seen_as_lost_entries() {
    let verdict = is_seen(Sabotage::GroupForgotten);
    assert!(verdict["lost_entries"].as_u64() > Some(0), "{verdict}");
}

#[test]
fn an_epoch_that_was_kept_is_seen() {
    is_seen(Sabotage::EpochKept);
}

#[test]
fn a_route_that_was_switched_before_the_cutover_is_seen() {
    is_seen(Sabotage::SwitchBeforeCutover);
}

#[test]
fn a_route_that_was_never_switched_is_seen() {
    let verdict = is_seen(Sabotage::NeverSwitched);
    assert!(
        verdict["ingress"].as_object().expect("routes").values().any(|cluster| cluster != "cluster-b"),
        "{verdict}"
    );
}

#[test]
fn evidence_cannot_be_typed() {
    let desk = Desk::new();
    let typed = shipped().replace("freezes = \"{{ steps.freeze.items }}\"", "freezes = [{ key = \"pg-0\", status = \"done\", output = { group_id = \"pg-0\", frozen = true, fence_epoch = 8 } }]");
    assert_ne!(typed, shipped());
    desk.write("catastrophic.toml", &typed);
    let said = desk.say("run catastrophic.toml");
    assert!(said.code == 1 || said.code == 2, "{}", said.all());
    desk.say("lab down");
}
