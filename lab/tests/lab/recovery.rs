//! A correct recovery, and what the world looks like before and after.

use ceptra_flow_lab::{LabConfig, ROUTES, Word};
use serde_json::json;

use crate::driver::{Lab, Recovery, quick, region_loss};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_lab_is_well() {
    let lab = Lab::start(&quick()).await;
    let verdict = lab.verdict().await;
    assert_eq!(verdict.problems, [""; 0]);
    assert_eq!((verdict.verdict, verdict.lost_entries, verdict.ready_ratio, verdict.outage), (Word::Ok, 0, 1.0, None));
    let observed = lab.operator().get("ingress", &format!("/admin/observe-ingress?route={}", ROUTES[1])).await;
    assert_eq!((&observed["serving"], &observed["answered_by"]), (&json!(true), &json!("cluster-a/node-0")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_region_is_bad_until_it_is_recovered() {
    let config = region_loss();
    let mut lab = Lab::start(&config).await;
    let verdict = lab.verdict().await;
    assert_eq!((verdict.verdict, verdict.outage), (Word::Bad, None));
    assert!(verdict.lost_entries >= 4 * 232, "{verdict:?}");
    assert!(verdict.problems.iter().any(|problem| problem.starts_with("pg-0:")), "{verdict:?}");

    let operator = lab.operator();
    assert!(operator.send("operator", "cluster-a.control-plane", "GET", "/admin/membership", None).await.is_err());
    Recovery::of(&config).run(&operator).await;
    let verdict = lab.verdict().await;
    assert_eq!(verdict.problems, [""; 0]);
    assert_eq!((verdict.verdict, verdict.lost_entries, verdict.stale_epoch_appends), (Word::Ok, 0, 0));
    assert_eq!(verdict.ingress.values().collect::<Vec<_>>(), ["cluster-b"; 2]);
    assert_eq!(verdict.ready_ratio, 1.0);
    assert!(verdict.outage.is_some_and(|outage| outage > 0.0), "{verdict:?}");

    for route in ROUTES {
        let observed = operator.get("ingress", &format!("/admin/observe-ingress?route={route}")).await;
        assert_eq!(
            (&observed["cluster"], &observed["epoch"], &observed["serving"]),
            (&json!("cluster-b"), &json!(8), &json!(true))
        );
    }
    let ready = operator.get("cluster-b.node-1", "/readyz").await;
    assert_eq!(ready["warmup_summary"], json!({ "total": 4, "ready": 4, "pending": 0 }));
    let status = operator.get("lab", "/lab/status").await;
    assert_eq!((&status["phase"], &status["zombie"]["accepted"]), (&json!("returned"), &json!(0)));
    let old = operator.get("cluster-a.node-0", "/admin/wal-status?group_id=pg-0").await;
    assert_eq!((&old["role"], &old["epoch"], &old["fence_epoch"]), (&json!("leader"), &json!(7), &json!(8)));

    // Judged the same when nothing runs any more.
    lab.end().await;
    let later = ceptra_flow_lab::judge(lab.path()).unwrap();
    assert_eq!(serde_json::to_value(&later).unwrap(), serde_json::to_value(&verdict).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sizes_recover_too() {
    let config = LabConfig { groups: 9, wal_bytes: 300_000, ..region_loss() };
    let lab = Lab::start(&config).await;
    Recovery::of(&config).run(&lab.operator()).await;
    let verdict = lab.verdict().await;
    assert_eq!((verdict.verdict, &verdict.problems[..]), (Word::Ok, &[][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_within_the_objective_are_let_pass() {
    // Shipments lag behind, so that the last acknowledged entries never reach the store.
    let config = LabConfig { rpo_ms: 600_000, ..region_loss() };
    let lab = Lab::start(&config).await;
    Recovery::of(&config).run(&lab.operator()).await;
    let verdict = lab.verdict().await;
    assert_eq!((verdict.verdict, &verdict.problems[..]), (Word::Ok, &[][..]));
    assert!(verdict.lost_entries > 0, "{verdict:?}");
}

#[test]
fn a_verdict_is_written_as_programs_read_it() {
    let verdict = ceptra_flow_lab::Verdict {
        verdict: Word::Ok,
        lost_entries: 0,
        stale_epoch_appends: 0,
        ingress: [("lb:edge-1".to_owned(), "cluster-b".to_owned())].into(),
        ready_ratio: 1.0,
        outage: Some(1.25),
        problems: Vec::new(),
    };
    let text = serde_json::to_string(&verdict).unwrap();
    let expected = r#"{"verdict":"ok","lost_entries":0,"stale_epoch_appends":0,"ingress":{"lb:edge-1":"cluster-b"},"ready_ratio":1.0,"outage":1.25,"problems":[]}"#;
    assert_eq!(text, expected);
}
