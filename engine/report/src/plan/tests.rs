use super::*;
use crate::testing::{Words, plan_of, recovered, region_loss, step, with_more};
use ceptra_flow_core::plan::More;
use expect_test::{Expect, expect};
use serde_json::json;

fn check_text(plan: &Plan, history: Option<Estimates>, wanted: Expect) {
    let words = Words(plan);
    let mut text = String::new();
    PlanView::new(plan, &words, history).write_text(&mut text, "the default").unwrap();
    wanted.assert_eq(&text.replace(&plan.digest(), "DIGEST"));
}

#[test]
fn the_first_screen_says_what_matters_and_then_comes_every_step() {
    check_text(
        &region_loss(),
        None,
        expect![[r#"
        TARGET     lab · LAB · the default
        runbook    region-loss · Recover from the loss of a region
        steps      7: 2 only look (read), 1 can be repeated (idempotent), 2 can be checked (probe), 2 must happen once (once)
        approvals  declare, cutover
        no return  cutover
        time       unknown (no earlier run on this target); objective 30m
        critical   6 steps: preflight → declare → freeze → ship → cutover → tidy
        unproven   ship, tell: once cut short, only you can tell whether it happened (once)
                   tidy: at or past the point of no return, with nothing that checks the result (no verify, no probe)
                   freeze, ship: cannot be undone, though before the point of no return (no undo)
        digest     DIGEST

        Wave 1
          preflight  read        ceptra.preflight

        Wave 2
          declare    read        ask: Is cluster-a lost?

        Wave 3
          freeze     probe       Fence {{ item.group_id }}
                                 ceptra.freeze group={{ item.group_id }}
                                 for each of [{"group_id":"pg-1"},{"group_id":"pg-2"}], 2 side by side · what is in {{ }} is known later

        Wave 4
          ship       once        $ ship-wal --to 'cluster b'

        Wave 5
          cutover    probe       ceptra.cutover plan={{ steps.ship.output }}
                                 POINT OF NO RETURN · asked first: Cut over to cluster-b? / Clients lose a minute. · what is in {{ }} is known later

        Wave 6
          tidy       idempotent  PUT https://ops/x json={"a":1}

        At the end, whatever happened
          tell       once        $ page 'it'\''s over'
    "#]],
    );
}

#[test]
fn json_has_the_promised_fields_in_order() {
    let plan = region_loss();
    let words = Words(&plan);
    let text = serde_json::to_string_pretty(&PlanView::new(&plan, &words, None)).unwrap();
    expect![[r#"
        {
          "runbook": "region-loss",
          "target": "lab",
          "digest": "DIGEST",
          "effects": {
            "read": 2,
            "idempotent": 1,
            "keyed": 0,
            "probe": 2,
            "once": 2
          },
          "approvals": [
            "declare",
            "cutover"
          ],
          "point_of_no_return": "cutover",
          "estimate": null,
          "critical_path": [
            "preflight",
            "declare",
            "freeze",
            "ship",
            "cutover",
            "tidy"
          ],
          "waves": [
            [
              "preflight"
            ],
            [
              "declare"
            ],
            [
              "freeze"
            ],
            [
              "ship"
            ],
            [
              "cutover"
            ],
            [
              "tidy"
            ]
          ],
          "steps": [
            {
              "id": "preflight",
              "type": "ceptra.preflight",
              "effect": "read",
              "needs": [],
              "with": {},
              "known": "now"
            },
            {
              "id": "declare",
              "type": "approval",
              "effect": "read",
              "needs": [
                "preflight"
              ],
              "with": {
                "prompt": "Is cluster-a lost?"
              },
              "known": "now"
            },
            {
              "id": "freeze",
              "type": "ceptra.freeze",
              "effect": "probe",
              "needs": [
                "declare"
              ],
              "with": {
                "group": "{{ item.group_id }}"
              },
              "known": "later"
            },
            {
              "id": "ship",
              "type": "exec",
              "effect": "once",
              "needs": [
                "freeze"
              ],
              "with": {
                "command": [
                  "ship-wal",
                  "--to",
                  "cluster b"
                ],
                "parse": "json"
              },
              "known": "now"
            },
            {
              "id": "cutover",
              "type": "ceptra.cutover",
              "effect": "probe",
              "needs": [
                "ship"
              ],
              "with": {
                "plan": "{{ steps.ship.output }}"
              },
              "known": "later"
            },
            {
              "id": "tidy",
              "type": "http",
              "effect": "idempotent",
              "needs": [
                "cutover"
              ],
              "with": {
                "method": "PUT",
                "url": "https://ops/x",
                "json": {
                  "a": 1
                }
              },
              "known": "now"
            }
          ],
          "finally": [
            {
              "id": "tell",
              "type": "exec",
              "effect": "once",
              "needs": [],
              "with": {
                "command": [
                  "page",
                  "it's over"
                ]
              },
              "known": "now"
            }
          ]
        }"#]]
    .assert_eq(&text.replace(&plan.digest(), "DIGEST"));
}

#[test]
fn earlier_runs_give_an_estimate_and_a_critical_path_by_time() {
    let slow = |id: &str| step(id, "set", Effect::Read, &[], json!({}));
    let steps = vec![slow("a"), slow("b"), step("c", "set", Effect::Read, &[0], json!({})), slow("slow")];
    let plan = plan_of(steps, Vec::new());
    let words = Words(&plan);
    let by_count = PlanView::new(&plan, &words, None);
    assert_eq!(by_count.critical_path, ["a".into(), "c".into()] as [Name; 2]);
    let steps = [("a".into(), 100), ("slow".into(), 5000)].into();
    let history = Estimates { runs: 3, p50_ms: 5100, p95_ms: 72_000, steps };
    let by_time = PlanView::new(&plan, &words, Some(history));
    assert_eq!(by_time.critical_path, ["slow".into()] as [Name; 1]);
    assert_eq!(by_time.estimate, Some(Estimate { p50: 5.1, p95: 72.0 }));
    let mut text = String::new();
    by_time.write_summary(&mut text, "from --target").unwrap();
    assert!(text.contains("time       5.1s, at worst 1m 12s (p50, p95 of 3 runs); objective 30m"), "{text}");
}

#[test]
fn estimates_come_from_runs_that_ended_well() {
    let (good, open) = (recovered(), crate::testing::in_doubt());
    let found = Estimates::from_runs([good.state(), open.state()]).unwrap();
    assert_eq!((found.runs, found.p50_ms, found.p95_ms), (1, 163_050, 163_050));
    assert_eq!(found.steps.get("preflight"), Some(&400));
    assert_eq!(Estimates::from_runs([open.state()]), None);
}

#[test]
fn what_is_left_out_counts_for_nothing_and_is_said() {
    let left_out = More { left_out: Some("--skip b".to_owned()), ..More::default() };
    let steps = vec![
        step("a", "set", Effect::Read, &[], json!({})),
        with_more(step("b", "exec", Effect::Once, &[0], json!({"command": ["x"]})), left_out),
    ];
    let plan = plan_of(steps, Vec::new());
    let words = Words(&plan);
    let view = PlanView::new(&plan, &words, None);
    assert_eq!(view.effects, Effects { read: 1, ..Effects::default() });
    check_text(
        &plan,
        None,
        expect![[r#"
        TARGET     lab · LAB · the default
        runbook    region-loss · Recover from the loss of a region
        steps      1: 1 only look (read); 1 left out
        approvals  none
        no return  none
        time       unknown (no earlier run on this target); objective 30m
        critical   1 step: a
        unproven   nothing
        digest     DIGEST

        Wave 1
          a  read        set

        Wave 2
          b  once        $ x
                         LEFT OUT: --skip b
    "#]],
    );
}

#[test]
fn a_huge_plan_is_shortened_and_quick() {
    let layer = |at: u32| {
        if at < 100 { Vec::new() } else { (0..3).map(|way| (at / 100 - 1) * 100 + (at + way * 37) % 100).collect() }
    };
    let steps = (0..100_000_u32).map(|at| step(&format!("s{at}"), "set", Effect::Read, &layer(at), json!({"n": at})));
    let plan = plan_of(steps.collect(), Vec::new());
    let words = Words(&plan);
    let view = PlanView::new(&plan, &words, None);
    assert_eq!((view.waves.len(), view.critical_path.len()), (1000, 1000));
    let mut text = String::new();
    view.write_text(&mut text, "the default").unwrap();
    assert!(text.lines().count() < 150, "{}", text.lines().count());
    assert!(text.ends_with("\n… and 988 more waves with 98,800 steps; --format json has them all\n"), "{text}");
}

#[test]
fn an_empty_plan_is_shown_too() {
    let plan = plan_of(Vec::new(), Vec::new());
    let words = Words(&plan);
    let view = PlanView::new(&plan, &words, None);
    assert!(view.waves.is_empty() && view.critical_path.is_empty());
}
