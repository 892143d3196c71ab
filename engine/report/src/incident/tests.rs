use super::*;
use crate::testing::{Story, clock, cutover_output, failed, head, in_doubt, recovered};
use crate::{Liveness, ReportBuilder, cutover_text, no_blobs};
use expect_test::{Expect, expect, expect_file};

fn report(story: &Story) -> Report {
    let mut builder = ReportBuilder::default();
    for record in &story.records {
        builder.push(record).unwrap();
    }
    builder.finish(Liveness::Idle, head(story.state()), Value::Null, &no_blobs)
}

fn check<T: Serialize>(part: &T, wanted: Expect) {
    wanted.assert_eq(&serde_json::to_string_pretty(part).unwrap());
}

#[test]
fn the_report_has_the_promised_fields_and_no_other() {
    let value = serde_json::to_value(report(&recovered())).unwrap();
    let fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "verdict",
        "run",
        "runbook",
        "target",
        "rto",
        "measured",
        "steps",
        "timeline",
        "approvals",
        "doubts",
        "cutover",
        "head",
        "signature",
    ];
    assert_eq!(fields, wanted);
    assert_eq!(
        (value["verdict"].as_str(), value["rto"].as_f64(), value["measured"].as_f64()),
        (Some("done"), Some(1800.0), Some(163.05))
    );
}

#[test]
fn the_cutover_part_has_the_bytes_of_dr_cutover() {
    let report = report(&recovered());
    let text = cutover_text(report.cutover.as_ref().unwrap());
    expect![[r#"
        {
          "primary_cluster": "cluster-a",
          "dr_cluster": "cluster-b",
          "fenced_groups": [
            "pg-1",
            "pg-2"
          ],
          "verified_shipments": [
            "pg-2",
            "pg-1"
          ],
          "ingress_rerouted": [
            "dns:ingest.example.com"
          ],
          "reconciled_epoch": 18446744073709551615
        }
    "#]]
    .assert_eq(&text);
    // Also when it is taken out of the report's own JSON.
    let read_back: Value = serde_json::from_str(&serde_json::to_string_pretty(&report).unwrap()).unwrap();
    assert_eq!(format!("{:#}\n", read_back["cutover"]), text);
    assert_eq!(read_back["cutover"], cutover_output());
}

#[test]
fn decisions_say_who_and_why() {
    check(
        &report(&recovered()).approvals,
        expect![[r#"
        [
          {
            "step": "declare",
            "key": null,
            "prompt": "Is cluster-a lost?",
            "decision": "granted",
            "by": "ada",
            "via": "command",
            "at": "2026-11-22T22:58:34.400Z",
            "reason": "region | is dark",
            "choice": null,
            "fields": null,
            "evidence": {"steps.preflight.output":{"ready":true}}
          },
          {
            "step": "cutover",
            "key": null,
            "prompt": "Cut over to cluster-b?\nClients lose a minute.",
            "decision": "granted",
            "by": "ada",
            "via": "yes",
            "at": "2026-11-22T23:00:13.800Z",
            "reason": null,
            "choice": null,
            "fields": null,
            "evidence": {"steps.preflight.output":{"ready":true}}
          }
        ]"#]],
    );
}

#[test]
fn doubts_say_how_they_were_settled() {
    check(
        &report(&recovered()).doubts,
        expect![[r#"
        [
          {
            "step": "freeze",
            "key": "pg-2",
            "attempt": 1,
            "at": "2026-11-22T22:58:36.400Z",
            "why": "no answer in 10m",
            "settled_by": "probe",
            "by": null,
            "reason": null,
            "verdict": "done"
          },
          {
            "step": "ship",
            "key": null,
            "attempt": 1,
            "at": "2026-11-22T22:59:08.800Z",
            "why": "the engine stopped while the step was running",
            "settled_by": "operator",
            "by": "ada",
            "reason": "seen in the bucket",
            "verdict": "done"
          }
        ]"#]],
    );
    let open = report(&in_doubt());
    assert_eq!((open.verdict, open.measured), (RunOutcome::Parked, None));
    assert_eq!(open.doubts.iter().filter(|doubt| doubt.settled_by.is_none()).count(), 1);
}

#[test]
fn a_step_has_every_try_and_what_was_checked() {
    let report = report(&recovered());
    let of = |id: &str, key: Option<&str>| {
        report.steps.iter().find(|step| &*step.id == id && step.key.as_deref() == key).unwrap()
    };
    check(
        of("freeze", Some("pg-1")),
        expect![[r#"
        {
          "id": "freeze",
          "key": "pg-1",
          "title": null,
          "type": "ceptra.freeze",
          "effect": "probe",
          "status": "done",
          "started_at": "2026-11-22T22:58:34.400Z",
          "ended_at": "2026-11-22T22:58:38.800Z",
          "duration": 4.4,
          "attempts": [
            {
              "attempt": 1,
              "purpose": "do",
              "epoch": 1,
              "started_at": "2026-11-22T22:58:34.400Z",
              "ended_at": "2026-11-22T22:58:35.900Z",
              "result": "failed",
              "error": {
                "class": "status",
                "message": "503 from cluster-a",
                "exit_code": null,
                "left": "partial"
              }
            },
            {
              "attempt": 2,
              "purpose": "do",
              "epoch": 1,
              "started_at": "2026-11-22T22:58:37.900Z",
              "ended_at": "2026-11-22T22:58:38.800Z",
              "result": "done",
              "error": null
            }
          ],
          "verify": {
            "checks": [
              "output.frozen"
            ],
            "held": true
          },
          "skipped": null,
          "output": {"frozen":true,"epoch":7},
          "error": null
        }"#]],
    );
    assert_eq!(
        of("freeze", Some("pg-2")).verify.as_ref().unwrap().held,
        None,
        "a probe found it done; nothing was verified"
    );
    assert_eq!(of("ship", None).attempts.iter().map(|row| row.result).collect::<Vec<_>>(), ["unknown"]);
}

#[test]
fn a_failed_run_says_what_is_not_well() {
    let report = report(&failed());
    assert_eq!((report.verdict, &report.cutover), (RunOutcome::Failed, &None));
    let mut text = String::new();
    report.write_markdown(&mut text, &clock()).unwrap();
    assert!(text.contains("## What is not well\n\n- \\`preflight\\` failed: no certificate / at all\n"), "{text}");
}

#[test]
fn markdown_holds_the_same_and_cannot_be_broken_out_of() {
    let mut report = report(&recovered());
    report.signature = serde_json::json!({"algorithm": "ed25519", "signature": "00"});
    let digest = report.about.digest.clone();
    let mut text = String::new();
    report.write_markdown(&mut text, &clock()).unwrap();
    expect_file!["snapshots/recovered.md"].assert_eq(&text.replace(&digest, "DIGEST"));
}

#[test]
fn secret_inputs_are_not_shown() {
    use crate::testing::region_loss;
    use ceptra_flow_core::plan::{SecretInput, SecretSource};
    let mut plan = region_loss();
    plan.inputs = Json::from(serde_json::json!({"ticket": "INC-7", "token": "***"}));
    plan.secrets = vec![SecretInput { name: "token".into(), from: SecretSource::Env("OPS_TOKEN".to_owned()) }];
    let mut text = String::new();
    report(&Story::of(&plan)).write_markdown(&mut text, &clock()).unwrap();
    assert!(text.contains("INC-7") && !text.contains("token"), "{text}");
}

#[test]
fn a_cutover_kept_beside_the_journal_is_read_from_there() {
    use ceptra_flow_core::input::Result as Ended;
    use ceptra_flow_core::{BlobRef, Output};
    let mut story = in_doubt();
    let done = ceptra_flow_core::input::Operation::Resolve {
        step: "ship".into(),
        key: None,
        verdict: ceptra_flow_core::input::Verdict::Done,
        fields: None,
    };
    story.asks(1, crate::testing::ada("command"), None, done);
    story.approves("cutover", crate::testing::ada("command"), None);
    let blob = BlobRef { sha256: "c0ffee".into(), size: 70_000 };
    story.ends(1, "cutover", Ended::Done(Output::Blob(blob)));
    let read = |blob: &BlobRef| (&*blob.sha256 == "c0ffee").then(|| cutover_output().to_string());
    assert_eq!(crate::cutover(story.state(), &read).unwrap().value(), cutover_output());
    assert_eq!(crate::cutover(story.state(), &no_blobs), None);
}
