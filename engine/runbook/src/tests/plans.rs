//! What files become.

use super::{around, given, options, plan_of, plan_with};
use crate::Options;
use expect_test::{Expect, expect};
use serde_json::Value;

/// The steps of a plan as JSON, one a line.
fn check(lines: &str, expected: Expect) {
    check_with(lines, &options(), expected);
}

fn check_with(lines: &str, options: &Options, expected: Expect) {
    let plan = plan_with(&around(lines), options);
    let steps: Vec<String> = plan.steps.iter().map(|step| serde_json::to_string(step).unwrap()).collect();
    expected.assert_eq(&format!("{}\n", steps.join("\n")));
}

#[test]
fn a_plain_step_has_nothing_more() {
    check(
        "[steps.a]\ntype = \"set\"\nwith = { x = 1 }\n[steps.b]\ntype = \"set\"\nneeds = [\"a\"]\n",
        expect![[r#"
        {"id":"a","type":"set","with":{"x":1},"effect":"read","timeout_ms":600000}
        {"id":"b","type":"set","needs":[0],"with":{},"effect":"read","timeout_ms":600000}
    "#]],
    );
}

#[test]
fn every_key_of_a_step() {
    check(
        r#"
[inputs.n]
type = "integer"
default = 4
[inputs.t]
type = "duration"
default = "2m"
[defaults]
timeout = "10m"
retry = { attempts = 3, backoff = "exponential", initial = "1s", max = "30s", jitter = true }
on_failure = "continue"
[steps.first]
type = "set"
[steps.freeze]
type = "ceptra.freeze"
title = "Fence {{ item.group_id }}"
description = "d"
needs = ["first"]
when = "steps.first.status == 'done'"
for_each = "{{ target.partition_groups }}"
key = "{{ item.group_id }}"
max_parallel = "{{ inputs.n }}"
with = { group = "{{ item.group_id }}" }
timeout = "{{ inputs.t }}"
deadline = "1h"
verify = [{ check = "output.epoch > 1", message = "epoch {{ output.epoch }}" }]
on_failure = "undo"
approval = { prompt = "Fence {{ item.group_id }}?", approvers = 2, not_initiator = true, expires = "30m", evidence = ["steps.first.output"], choices = ["yes", "later"], rehearsal = "grant" }
point_of_no_return = true
locks = ["dns", "{{ target.target.name }}"]
queue = "eu"
tags = ["slow"]
[steps.poll]
type = "http"
with = { url = "https://x" }
until = "output.ready == true"
retry = { attempts = 5, backoff = "fixed", initial = "5s", on = ["timeout", 75] }
[steps.restore]
type = "exec"
with = { command = ["restore", "{{ inputs.n }}"] }
effect = "probe"
probe = { type = "exec", with = { command = ["status"], parse = "json" }, done = "output.state == 'restored'", not_done = "output.state == 'absent'", timeout = "5s" }
undo = { type = "exec", with = { command = ["detach", "{{ output.stdout }}"] } }
[steps.go]
type = "approval"
needs = ["restore"]
with = { prompt = "Rejoin {{ steps.restore.output.stdout }}?", fields = { why = { type = "string" } } }
[steps.power]
type = "manual"
with = { instructions = "Switch on rack 7." }
verify = [{ check = "output.volts > 220" }]
[finally.tell]
type = "http"
with = { method = "POST", url = "https://x/{{ run.outcome }}" }
"#,
        expect![[r#"
            {"id":"first","type":"set","with":{},"effect":"read","timeout_ms":600000,"more":{"retry":{"attempts_max":3,"exponential":true,"backoff_ms_min":1000,"backoff_ms_max":30000,"jitter":true},"on_failure":"continue"}}
            {"id":"freeze","type":"ceptra.freeze","needs":[0],"with":{"group":"{{ item.group_id }}"},"effect":"probe","timeout_ms":120000,"more":{"title":"Fence {{ item.group_id }}","description":"d","when":"steps.first.status == 'done'","for_each":{"over":"{{ target.partition_groups }}","key":"{{ item.group_id }}","max_parallel":4},"deadline_ms":3600000,"retry":{"attempts_max":3,"exponential":true,"backoff_ms_min":1000,"backoff_ms_max":30000,"jitter":true},"type_probes":true,"verify":[{"check":"output.epoch > 1","message":"epoch {{ output.epoch }}"}],"undo":"auto","on_failure":"undo","approval":{"prompt":"Fence {{ item.group_id }}?","choices":["yes","later"],"approvers":2,"not_initiator":true,"expires_ms":1800000,"evidence":["steps.first.output"],"rehearsal_grants":true},"point_of_no_return":true,"locks":["dns","rehearsal"],"queue":"eu","tags":["slow"]}}
            {"id":"poll","type":"http","with":{"url":"https://x"},"effect":"read","timeout_ms":600000,"more":{"retry":{"attempts_max":5,"exponential":false,"backoff_ms_min":5000,"backoff_ms_max":30000,"jitter":true,"on":["timeout","75"]},"until":"output.ready == true","interval_ms":1000,"on_failure":"continue"}}
            {"id":"restore","type":"exec","with":{"command":["restore","{{ inputs.n }}"]},"effect":"probe","timeout_ms":600000,"more":{"retry":{"attempts_max":3,"exponential":true,"backoff_ms_min":1000,"backoff_ms_max":30000,"jitter":true},"probe":{"body":{"type":"exec","with":{"command":["status"],"parse":"json"},"effect":"read","timeout_ms":5000},"done":"output.state == 'restored'","not_done":"output.state == 'absent'"},"undo":{"body":{"type":"exec","with":{"command":["detach","{{ output.stdout }}"]},"effect":"once","timeout_ms":600000}},"on_failure":"continue"}}
            {"id":"go","type":"approval","needs":[3],"with":{"prompt":"Rejoin {{ steps.restore.output.stdout }}?","fields":{"why":{"type":"string"}}},"effect":"read","timeout_ms":600000,"more":{"on_failure":"continue","approval":{"prompt":"Rejoin {{ steps.restore.output.stdout }}?","approvers":1,"fields":{"why":{"type":"string"}}}}}
            {"id":"power","type":"manual","with":{"instructions":"Switch on rack 7."},"effect":"probe","timeout_ms":600000,"more":{"verify":[{"check":"output.volts > 220"}],"on_failure":"continue","manual":{"instructions":"Switch on rack 7."}}}
            {"id":"tell","type":"http","with":{"method":"POST","url":"https://x/{{ run.outcome }}"},"effect":"once","timeout_ms":600000,"more":{"retry":{"attempts_max":3,"exponential":true,"backoff_ms_min":1000,"backoff_ms_max":30000,"jitter":true},"on_failure":"continue"}}
        "#]],
    );
}

#[test]
fn steps_that_are_left_out() {
    let lines = "[steps.a]\ntype = \"set\"\ntags = [\"t\"]\n[steps.b]\ntype = \"set\"\nneeds = [\"a\"]\n[finally.z]\ntype = \"set\"\n";
    check_with(
        lines,
        &Options { only: vec!["t".into()], ..options() },
        expect![[r#"
        {"id":"a","type":"set","with":{},"effect":"read","timeout_ms":600000,"more":{"tags":["t"]}}
        {"id":"b","type":"set","needs":[0],"with":{},"effect":"read","timeout_ms":600000,"more":{"left_out":"left out by --only t"}}
        {"id":"z","type":"set","with":{},"effect":"read","timeout_ms":600000}
    "#]],
    );
    check_with(
        lines,
        &Options { skip: vec!["a".into(), "z".into()], ..options() },
        expect![[r#"
        {"id":"a","type":"set","with":{},"effect":"read","timeout_ms":600000,"more":{"tags":["t"],"left_out":"left out by --skip a"}}
        {"id":"b","type":"set","needs":[0],"with":{},"effect":"read","timeout_ms":600000}
        {"id":"z","type":"set","with":{},"effect":"read","timeout_ms":600000,"more":{"left_out":"left out by --skip z"}}
    "#]],
    );
}

#[test]
fn the_rest_of_a_plan() {
    let text = r#"
schema = 1
[runbook]
name = "x"
title = "X"
description = "d"
rto = "30m"
rpo = "10s"
owner = "storage-oncall"
links = { guide = "docs/x.md" }
env = ["HOME", "NOT_SET"]
[inputs.ticket]
type = "string"
[inputs.list]
type = "list"
[inputs.token]
type = "string"
secret = true
from = { command = ["vault", "read"] }
[limits]
max_parallel = 8
timeout = "2h"
locks = ["dr"]
[guard]
confirm = "{{ target.target.name }}"
fingerprint = "abc"
[steps.a]
type = "set"
with = { home = "{{ env.HOME }}", other = "{{ env.NOT_SET | default 'none' }}" }
[steps.b]
type = "exec"
with = { command = ["x"], env = { T = "{{ inputs.token }}" } }
needs = ["a"]
"#;
    let options = Options {
        until: Some("a".into()),
        max_parallel: Some(2),
        ..given(&[("ticket", "INC-1"), ("list", "['a', 2]")])
    };
    let plan = plan_with(text, &options);
    let mut value = serde_json::to_value(&plan).unwrap();
    value["target"] = Value::Null;
    expect![[r#"
        {
          "semantics": 1,
          "runbook": {
            "name": "x",
            "title": "X",
            "description": "d",
            "rto_ms": 1800000,
            "rpo_ms": 10000,
            "owner": "storage-oncall",
            "links": [
              [
                "guide",
                "docs/x.md"
              ]
            ]
          },
          "target": null,
          "inputs": {
            "ticket": "INC-1",
            "list": [
              "a",
              2
            ]
          },
          "secrets": [
            {
              "name": "token",
              "from": {
                "command": [
                  "vault",
                  "read"
                ]
              }
            }
          ],
          "env": {
            "HOME": "/home/ada"
          },
          "limits": {
            "max_parallel": 2,
            "timeout_ms": 7200000,
            "locks": [
              "dr"
            ]
          },
          "guard": {
            "fingerprint": "abc",
            "confirm": "rehearsal"
          },
          "steps": [
            {
              "id": "a",
              "type": "set",
              "with": {
                "home": "{{ env.HOME }}",
                "other": "{{ env.NOT_SET | default 'none' }}"
              },
              "effect": "read",
              "timeout_ms": 600000
            },
            {
              "id": "b",
              "type": "exec",
              "needs": [
                0
              ],
              "with": {
                "command": [
                  "x"
                ],
                "env": {
                  "T": "{{ inputs.token }}"
                }
              },
              "effect": "once",
              "timeout_ms": 600000
            }
          ],
          "main_count": 2,
          "until": 0
        }
    "#]]
    .assert_eq(&format!("{value:#}\n"));
    assert_eq!(plan.digest(), plan_with(text, &options).digest());
    assert_eq!(serde_json::from_str::<ceptra_flow_core::Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
}

#[test]
fn checking_a_file_needs_no_values() {
    let text = around(
        "[inputs.n]\ntype = \"integer\"\n[runbook.links]\n[steps.a]\ntype = \"set\"\nfor_each = [1]\nmax_parallel = \"{{ inputs.n }}\"\ntimeout = \"{{ inputs.n }}\"\n",
    );
    let text = text.replace("[runbook.links]\n", "");
    let catalog = super::catalog::catalog();
    assert_eq!(crate::check(&crate::Source { name: "x", text: &text }, &crate::Catalog(&catalog), None), []);
    let declared = crate::inputs(&crate::Source { name: "x", text: &text });
    assert_eq!(declared.len(), 1);
    assert!(declared[0].is_required());
}

#[test]
fn the_same_type_shares_its_name() {
    let plan = plan_of(&around("[steps.a]\ntype = \"set\"\n[steps.b]\ntype = \"set\"\n"));
    assert!(std::ptr::eq(plan.steps[0].kind.as_str(), plan.steps[1].kind.as_str()));
    assert!(plan.steps.iter().all(|step| step.more.is_none()));
}
