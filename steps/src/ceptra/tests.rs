//! The CEPtra types against a control plane that is late, lies, loses replies or refuses.

use super::testing::{Answer, Seen, Server};
use super::{STEPS, evidence, freeze, shipments, wal_verify, world};
use crate::carry_out::{Carried, Work, carry_out};
use crate::context::StepContext;
use crate::error::StepError;
use crate::registry::find;
use ceptra_flow_core::Effect;
use ceptra_flow_formats::frame::Frame;
use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::shipment::{Baseline, Range, baseline_key, shipment_key};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

fn freeze_binding() -> Value {
    json!({"freeze_partition_group": {
        "http": {"method": "POST", "url": "{{ control_plane }}/freeze", "json": {"idempotency_key": "{{ idempotency_key }}", "group_id": "{{ group_id }}"}},
        "probe": {"http": {"url": "{{ control_plane }}/groups/{{ group_id }}"}, "done": "output.frozen", "not_done": "!output.frozen"},
    }})
}

async fn run(kind: &str, with: Value, cx: &StepContext) -> Result<Value, StepError> {
    match carry_out(find(kind).unwrap(), Work::Do, with, cx).await? {
        Carried::Done(output) => Ok(output),
        Carried::NotDone(seen) => panic!("a run is done or fails, but: {seen}"),
    }
}

/// Answers POSTs with `reply`, and says `frozen` from the `after`-th look on.
async fn control_plane(reply: fn() -> Answer, after: u32) -> Server {
    let looks = AtomicU32::new(0);
    Server::start(move |request: &Seen| match request.method.as_str() {
        "POST" => reply(),
        _ => {
            let frozen = looks.fetch_add(1, Ordering::SeqCst) + 1 >= after;
            Answer::Json(200, json!({"frozen": frozen, "fence_epoch": 8, "leader": null}))
        }
    })
    .await
}

fn accepted() -> Answer {
    Answer::Json(200, json!({"accepted": true}))
}

#[tokio::test]
async fn accepted_is_not_taken_for_done() {
    let server = control_plane(accepted, 4).await;
    let output = run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(freeze_binding())).await.unwrap();
    assert_eq!((&output["frozen"], &output["fence_epoch"]), (&json!(true), &json!(8)));
    assert_eq!(server.seen("GET").len(), 4, "it looked until it was so");
    let posts = server.seen("POST");
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].path, "/freeze");
    assert_eq!(posts[0].body, json!({"idempotency_key": "key-1", "group_id": "pg-0"}));
    let header = |name: &str| posts[0].headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("idempotency-key"), Some("key-1"));
    assert_eq!((header("x-ceptra-flow-run"), header("x-ceptra-flow-epoch")), (Some("run-1"), Some("3")));
}

#[tokio::test]
async fn accepted_and_never_done_is_unknown() {
    let server = control_plane(accepted, u32::MAX).await;
    let mut cx = server.context(freeze_binding());
    cx.timeout = Duration::from_millis(300);
    let error = run("ceptra.freeze", json!({"group": "pg-0"}), &cx).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("unconfirmed", true), "{}", error.message);
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_looking() {
    let server = control_plane(|| Answer::Lost, 2).await;
    let output = run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(freeze_binding())).await.unwrap();
    assert_eq!(output["group_id"], "pg-0");
    assert_eq!(server.seen("POST").len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn a_refusal_is_told_unless_the_effect_is_there() {
    fn refused() -> Answer {
        Answer::Json(409, json!({"error": "StaleRunEpoch", "status": 409}))
    }
    let server = control_plane(refused, u32::MAX).await;
    let error = run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(freeze_binding())).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("refused", false));
    assert_eq!(error.message, "freeze_partition_group: 409 StaleRunEpoch");
    let server = control_plane(refused, 1).await;
    run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(freeze_binding())).await.unwrap();
}

#[tokio::test]
async fn no_quorum_can_be_tried_again_and_a_server_that_is_down_too() {
    let server = control_plane(|| Answer::Json(503, json!({"error": "NoQuorum", "status": 503})), u32::MAX).await;
    let error = run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(freeze_binding())).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("unavailable", false));
    let mut cx = server.context(freeze_binding());
    cx.endpoints = std::sync::Arc::new([("dr".to_owned(), "https://127.0.0.1:1".to_owned())].into());
    let error = run("ceptra.freeze", json!({"group": "pg-0"}), &cx).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("connect", false));
}

#[tokio::test]
async fn a_missing_binding_is_said_before_anything_is_sent() {
    let server = control_plane(accepted, 1).await;
    let error = run("ceptra.freeze", json!({"group": "pg-0"}), &server.context(json!({}))).await.unwrap_err();
    assert!(error.message.contains("no binding for the operation `freeze_partition_group`"), "{}", error.message);
    let error = run("ceptra.freeze", json!({"group": "pg-9"}), &server.context(freeze_binding())).await.unwrap_err();
    assert_eq!(error.message, "the target does not say enough: it has no partition group `pg-9`, only pg-0, pg-1");
    assert_eq!(server.seen("POST").len() + server.seen("GET").len(), 0);
}

fn frozen(cx: &StepContext, group: &str) -> Value {
    evidence::seal(cx, freeze::KIND, json!({"group_id": group, "frozen": true, "fence_epoch": 8}))
}

fn verified(cx: &StepContext, group: &str) -> Value {
    evidence::seal(
        cx,
        wal_verify::KIND,
        json!({"group_id": group, "verified": true, "last_applied_offset": 70, "epoch": 7}),
    )
}

fn epoch(cx: &StepContext, epoch: u64) -> Value {
    evidence::seal(cx, "ceptra.cluster_epoch", json!({"epoch": epoch, "answers": {}}))
}

#[tokio::test]
async fn a_plan_comes_from_evidence_of_this_run_only() {
    let server = control_plane(accepted, 1).await;
    let cx = server.context(freeze_binding());
    let items = |outputs: Vec<Value>| {
        Value::Array(outputs.into_iter().map(|output| json!({"key": "k", "output": output})).collect())
    };
    let with =
        |freezes: Value, shipments: Value| json!({"freezes": freezes, "shipments": shipments, "epoch": epoch(&cx, 7)});
    let both = [frozen(&cx, "pg-0"), frozen(&cx, "pg-1")];
    let output =
        run("ceptra.plan", with(items(both.to_vec()), items(vec![verified(&cx, "pg-1"), verified(&cx, "pg-0")])), &cx)
            .await
            .unwrap();
    assert_eq!(
        output["plan"],
        json!({
            "primary_cluster": "cluster-a", "dr_cluster": "cluster-b",
            "partition_groups": [{"group_id": "pg-0", "freeze_issued": true}, {"group_id": "pg-1", "freeze_issued": true}],
            "wal_shipments": [
                {"group_id": "pg-0", "verified": true, "last_applied_offset": 70}, {"group_id": "pg-1", "verified": true, "last_applied_offset": 70},
            ],
            "ingress_routes": ["lb:edge-1"], "source_epoch": 7, "target_epoch": 8,
        })
    );
    // What was not seen is not claimed, and validation refuses it.
    let partial =
        run("ceptra.plan", with(items(vec![both[0].clone(), Value::Null]), items(vec![verified(&cx, "pg-0")])), &cx)
            .await
            .unwrap();
    assert_eq!(partial["plan"]["partition_groups"][1], json!({"group_id": "pg-1", "freeze_issued": false}));
    let error = run("ceptra.cutover", json!({"plan": partial}), &cx).await.unwrap_err();
    assert_eq!(error.message, "partition group pg-1 must be frozen via FreezePartitionGroup");

    let typed = json!([{"group_id": "pg-0", "verified": true, "last_applied_offset": 70}]);
    let error = run("ceptra.plan", with(items(both.to_vec()), typed), &cx).await.unwrap_err();
    assert_eq!(
        error.message,
        "`shipments` must be the output of a `ceptra.wal_verify` step of this run: it carries no evidence"
    );
    let mut changed = verified(&cx, "pg-0");
    changed["last_applied_offset"] = json!(71);
    let error = run("ceptra.plan", with(items(both.to_vec()), items(vec![changed])), &cx).await.unwrap_err();
    assert!(error.message.ends_with("it was changed after it was recorded"), "{}", error.message);
    let mut elsewhere = cx.clone();
    elsewhere.run = std::sync::Arc::new(crate::RunInfo { id: "run-2".to_owned(), ..(*cx.run).clone() });
    let error = run("ceptra.plan", with(items(vec![frozen(&elsewhere, "pg-0")]), json!([])), &cx).await.unwrap_err();
    assert!(error.message.ends_with("it is from another run"), "{}", error.message);
    let mut forged = output;
    forged["plan"]["target_epoch"] = json!(9);
    assert_eq!(run("ceptra.cutover", json!({"plan": forged}), &cx).await.unwrap_err().class, "evidence");
}

#[test]
fn flags_of_a_plan_cannot_be_typed() {
    let check = |kind: &str, with: Value| (find(kind).unwrap().describe().check)(&with).len();
    let references = json!({"freezes": "{{ steps.freeze.items }}", "shipments": "{{ steps.verify.items }}", "epoch": "{{ steps.epoch.output }}"});
    assert_eq!(check("ceptra.plan", references), 0);
    assert_eq!(
        check("ceptra.plan", json!({"freezes": [], "shipments": [{"verified": true}], "epoch": "{{ inputs.epoch }}"})),
        3
    );
    assert_eq!(check("ceptra.cutover", json!({"plan": "{{ steps.plan.output.plan }}"})), 1);
    assert_eq!(check("ceptra.validate", json!({"plan": {"source_epoch": 7}})), 1);
}

/// A control plane whose epoch rises with the call, and whose groups are frozen.
async fn epochs(lose_reply: bool) -> Server {
    let epoch = AtomicU64::new(7);
    Server::start(move |request: &Seen| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/admin/advance-epoch") => {
            epoch.store(request.body["target_epoch"].as_u64().unwrap(), Ordering::SeqCst);
            if lose_reply { Answer::Lost } else { accepted() }
        }
        (_, path) if path.starts_with("/groups/") => Answer::Json(200, json!({"frozen": true, "fence_epoch": 8})),
        _ => Answer::Json(200, json!({"epoch": epoch.load(Ordering::SeqCst)})),
    })
    .await
}

fn epoch_bindings() -> Value {
    let mut operations = freeze_binding();
    operations["cluster_epoch"] = json!({"http": {"method": "GET", "url": "{{ control_plane }}/epoch"}});
    operations["advance_epoch"] = json!({
        "probe": {"http": {"url": "{{ control_plane }}/epoch"}, "done": "output.epoch == target_epoch", "not_done": "output.epoch < target_epoch"},
    });
    operations
}

#[tokio::test]
async fn a_cutover_gives_the_bytes_of_dr_cutover_even_when_its_reply_is_lost() {
    for lose_reply in [false, true] {
        let server = epochs(lose_reply).await;
        let cx = server.context(epoch_bindings());
        let with = json!({
            "freezes": [frozen(&cx, "pg-0"), frozen(&cx, "pg-1")], "shipments": [verified(&cx, "pg-0"), verified(&cx, "pg-1")],
            "epoch": run("ceptra.cluster_epoch", json!({"clusters": ["dr"]}), &cx).await.unwrap(),
        });
        let plan = run("ceptra.plan", with, &cx).await.unwrap();
        let validated = run("ceptra.validate", json!({"plan": plan}), &cx).await.unwrap();
        assert_eq!(validated["summary"], "plan cluster-a -> cluster-b reconciles to epoch 8");
        let step = find("ceptra.cutover").unwrap();
        let before = carry_out(step, Work::Probe, json!({"plan": plan}), &cx).await.unwrap();
        assert_eq!(before, Carried::NotDone(json!({"epoch": 7})));
        let report = run("ceptra.cutover", json!({"plan": plan}), &cx).await.unwrap();
        assert_eq!(
            serde_json::to_string_pretty(&report).unwrap(),
            "{\n  \"primary_cluster\": \"cluster-a\",\n  \"dr_cluster\": \"cluster-b\",\n  \"fenced_groups\": [\n    \"pg-0\",\n    \"pg-1\"\n  ],\n  \
             \"verified_shipments\": [\n    \"pg-0\",\n    \"pg-1\"\n  ],\n  \"ingress_rerouted\": [\n    \"lb:edge-1\"\n  ],\n  \"reconciled_epoch\": 8\n}"
        );
        let after = carry_out(step, Work::Probe, json!({"plan": plan}), &cx).await.unwrap();
        assert_eq!(after, Carried::Done(report), "a resumed run records the same report");
        let error = run("ceptra.validate", json!({"plan": plan}), &cx).await.unwrap_err();
        assert_eq!(error.message, "the plan starts from epoch 7, cluster-b has epoch 8");
    }
}

fn frames(from: u64, to: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in from..=to {
        let frame = Frame { term: 7, index, timestamp_ms: index, metadata: b"", payload: b"payload" };
        frame.encode_into(&mut bytes).unwrap();
    }
    bytes
}

fn upload(objects: &Path, generation: u64, from: u64, to: u64, bytes: &[u8]) {
    let path = objects.join(shipment_key("pg-0", from, to, generation));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn store_baseline(objects: &Path) {
    let range = |from: u64, to: u64| {
        let bytes = frames(from, to);
        Range {
            from,
            to,
            frames: to - from + 1,
            bytes: bytes.len() as u64,
            sha256: Sha256Digest::of(&bytes).prefixed(),
        }
    };
    let ranges = vec![range(1, 4), range(5, 6)];
    let bytes = ranges.iter().map(|range| range.bytes).sum();
    let baseline = Baseline {
        schema: 1,
        group_id: "pg-0".to_owned(),
        partition_id: "p-0".to_owned(),
        source_cluster: "cluster-a".to_owned(),
        epoch: 7,
        first_index: 1,
        last_index: 6,
        bytes,
        ranges,
        content_hash: String::new(),
    };
    let path = objects.join(baseline_key("pg-0"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, baseline.render()).unwrap();
}

#[tokio::test]
async fn the_newest_shipment_that_equals_the_baseline_is_taken() {
    let server = control_plane(accepted, 1).await;
    let cx = server.context(json!({}));
    let objects = server.dir.path().join("objects");
    store_baseline(&objects);
    upload(&objects, 1, 1, 4, &frames(1, 4));
    let mut damaged = frames(1, 4);
    damaged[40] ^= 1;
    upload(&objects, 2, 1, 4, &damaged);
    upload(&objects, 1, 5, 6, &frames(5, 5));
    let group = world::group(&cx, "pg-0").unwrap();
    let store = shipments::Store::of(&cx, &group).unwrap();
    let baseline = store.baseline("pg-0").await.unwrap();
    let error = store.choose(&baseline).await.unwrap_err();
    assert_eq!(error.class, "no_verified_shipment");
    assert!(error.message.starts_with("no good shipment of pg-0 5 to 6: "), "{}", error.message);
    upload(&objects, 3, 5, 6, &frames(5, 6));
    let chosen = store.choose(&baseline).await.unwrap();
    assert_eq!((chosen[0].generation, chosen[0].refused.len(), chosen[1].generation), (1, 1, 3));
    assert_eq!(chosen[0].object, shipment_key("pg-0", 1, 4, 1));
    let other = store.baseline("pg-1").await.unwrap_err();
    assert!(other.message.ends_with("is of group `pg-0`, not of `pg-1`"), "{}", other.message);
}

#[tokio::test]
async fn preflight_says_everything_that_is_wrong_at_once() {
    let server = epochs(false).await;
    let mut cx = server.context(epoch_bindings());
    run("ceptra.preflight", json!({}), &cx).await.unwrap_err(); // The object store is not there yet.
    fs::create_dir(server.dir.path().join("objects")).unwrap();
    let output = run("ceptra.preflight", json!({}), &cx).await.unwrap();
    let checks: Vec<&str> =
        output["checks"].as_array().unwrap().iter().filter_map(|check| check["check"].as_str()).collect();
    assert_eq!(
        checks,
        [
            "identity certificate",
            "identity key",
            "trust bundle",
            "key matches certificate",
            "certificate validity",
            "SPIFFE id",
            "storage.object_store",
            "control plane of dr",
        ]
    );
    let other = server.dir.path().join("other");
    fs::create_dir(&other).unwrap();
    super::testing::make_identities(&other, "spiffe://test.example/somebody/else");
    let mut target = (*cx.target).clone();
    target["tls"]["identity_cert"] = json!(other.join("operator.pem"));
    target["storage"]["wal_dir"] = json!(server.dir.path().join("nowhere"));
    cx.target = std::sync::Arc::new(target);
    let error = run("ceptra.preflight", json!({"env": ["CEPTRA_FLOW_TEST_IS_NOT_SET"]}), &cx).await.unwrap_err();
    let names: Vec<&str> = error.message.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        names,
        [
            "key matches certificate",
            "SPIFFE id",
            "storage.wal_dir",
            "CEPTRA_FLOW_TEST_IS_NOT_SET",
            "control plane of dr"
        ]
    );
}

#[test]
fn what_changes_the_world_can_be_asked_about() {
    for step in STEPS {
        let kind = step.describe();
        assert!(kind.name.starts_with("ceptra."), "{}", kind.name);
        assert!(kind.example.contains(&format!("type = \"{}\"", kind.name)), "{} has an example", kind.name);
        assert!(kind.summary.ends_with('.'), "{}", kind.name);
        match (kind.effect)(&Value::Null) {
            Effect::Probe => {
                assert!((kind.probes)(&Value::Null) && !(kind.operations)(&Value::Null).is_empty(), "{}", kind.name)
            }
            Effect::Read | Effect::Idempotent => assert!(!kind.undoes, "{}", kind.name),
            Effect::Keyed | Effect::Once => panic!("{} cannot be asked", kind.name),
        }
    }
}
