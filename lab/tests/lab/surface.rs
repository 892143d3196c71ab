//! What docs/reference/lab-api.md says of the ports, asked of the ports.

use std::path::Path;

use ceptra_flow_lab::client::Client;
use ceptra_flow_lab::{Fault, LabConfig, LabError, When};
use serde_json::{Value, json};

use crate::driver::{Lab, Operator, Recovery, quick, region_loss};

const CONTROL_PLANE: &str = "cluster-b.control-plane";

async fn refused(operator: &Operator, name: &str, path: &str, body: Value) -> (u16, String) {
    let (status, reply) = operator.post(name, path, body).await;
    assert_eq!(reply["status"], status, "{reply}");
    (status, reply["error"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_operator_changes_things() {
    let lab = Lab::start(&quick()).await;
    let operator = lab.operator();
    let body = json!({ "idempotency_key": "k", "group_id": "pg-0" });
    let path = "/admin/freeze-partition-group";
    let (status, reply) = operator.send("visitor", CONTROL_PLANE, "POST", path, Some(&body)).await.unwrap();
    assert_eq!((status, reply), (403, json!({ "error": "unauthorized", "status": 403 })));
    let (status, _) = operator.send("visitor", CONTROL_PLANE, "GET", "/admin/membership", None).await.unwrap();
    assert_eq!(status, 200);
    // Without a certificate there is no conversation.
    let mut plain = Client::plain(operator.url(CONTROL_PLANE));
    assert!(plain.send("GET", "/admin/membership", &[], None).await.is_err());
    let mut charset = Client::mutual(operator.url(CONTROL_PLANE), Path::new(operator.url("tls")), "operator").unwrap();
    let headers = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(charset.send("POST", path, &headers, Some(&body)).await.unwrap().0, 415);
    let (status, reply) = operator.send("operator", CONTROL_PLANE, "GET", "/admin/nothing", None).await.unwrap();
    assert_eq!((status, reply["error"].as_str()), (404, Some("no route for GET /admin/nothing")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_engine_is_refused_and_a_key_is_answered_once() {
    let mut lab = Lab::start(&region_loss()).await;
    let mut operator = lab.operator();
    operator.headers = vec![("X-Ceptra-Flow-Run", "run-1".to_owned()), ("X-Ceptra-Flow-Epoch", "2".to_owned())];
    let body = json!({ "idempotency_key": "same", "group_id": "pg-0" });
    let path = "/admin/freeze-partition-group";
    let first = operator.send("operator", CONTROL_PLANE, "POST", path, Some(&body)).await.unwrap();
    // Both are remembered across a restart.
    lab.end().await;
    lab.serve().await;
    let headers = operator.headers;
    operator = lab.operator();
    operator.headers = headers;
    let other = json!({ "idempotency_key": "same", "group_id": "pg-1" });
    assert_eq!(operator.send("operator", CONTROL_PLANE, "POST", path, Some(&other)).await.unwrap(), first);
    let state = operator.get(CONTROL_PLANE, "/admin/partition-groups/pg-1").await;
    assert_eq!(state["frozen"], false);
    operator.headers[1].1 = "1".to_owned();
    let (status, reply) = operator.send("operator", CONTROL_PLANE, "POST", path, Some(&other)).await.unwrap();
    assert_eq!((status, reply), (409, json!({ "error": "StaleRunEpoch", "status": 409, "run": "run-1", "epoch": 2 })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_plane_keeps_its_rules() {
    let config = region_loss();
    let lab = Lab::start(&config).await;
    let operator = lab.operator();
    let refuse = async |path: &str, body: Value| refused(&operator, CONTROL_PLANE, path, body).await;
    let advance = |source: u64, target: u64| json!({ "source_epoch": source, "target_epoch": target });
    assert_eq!(refuse("/admin/advance-epoch", advance(7, 8)).await, (409, "ControlPlaneNotRestored".to_owned()));
    assert_eq!(refuse("/admin/advance-epoch", advance(6, 8)).await, (409, "EpochConflict".to_owned()));
    assert_eq!(refuse("/admin/advance-epoch", advance(7, 6)).await, (409, "EpochBehind".to_owned()));
    // cp-b-1 is down: one more of the three, and the majority is gone.
    assert_eq!(refuse("/admin/evict-voter", json!({ "member": "cp-b-0" })).await, (409, "QuorumAtRisk".to_owned()));
    assert_eq!(
        refuse("/admin/promote-voter", json!({ "member": "cp-b-1x" })).await,
        (404, "unknown member".to_owned())
    );
    let snapshot = |name: &str| json!({ "snapshot": format!("control-plane/cluster-a/{name}") });
    assert_eq!(
        refuse("/admin/restore-control-plane", snapshot("snap-9-9")).await,
        (404, "snapshot not found".to_owned())
    );
    assert_eq!(refuse("/admin/restore-control-plane", snapshot("snap-6-1")).await, (409, "SnapshotBehind".to_owned()));
    let mut wrong = snapshot("snap-7-2");
    wrong["content_hash"] = json!("0x00");
    assert_eq!(refuse("/admin/restore-control-plane", wrong).await, (422, "DigestMismatch".to_owned()));
    operator.must(CONTROL_PLANE, "/admin/restore-control-plane", snapshot("snap-7-2")).await;
    let starved = refused(&operator, CONTROL_PLANE, "/admin/advance-epoch", advance(7, 8)).await;
    assert_eq!(starved, (409, "NotEnoughVoters".to_owned()));

    let group = json!({ "group_id": "pg-2" });
    operator.must(CONTROL_PLANE, "/admin/freeze-partition-group", group.clone()).await;
    operator.must(CONTROL_PLANE, "/admin/unfreeze-partition-group", group.clone()).await;
    let state = operator.get(CONTROL_PLANE, "/admin/partition-groups/pg-2").await;
    assert_eq!((&state["frozen"], &state["fence_epoch"]), (&json!(false), &Value::Null));
    Recovery::of(&config).run(&operator).await;
    let late = refused(&operator, CONTROL_PLANE, "/admin/unfreeze-partition-group", group).await;
    assert_eq!(late, (409, "EpochAdvanced".to_owned()));

    let transfer = json!({ "group_id": "pg-2", "target_replica_id": "node-2" });
    operator.must(CONTROL_PLANE, "/admin/transfer-leader", transfer).await;
    let state = operator.get(CONTROL_PLANE, "/admin/partition-groups/pg-2").await;
    assert_eq!(state["leader"], "node-2");
    let verdict = lab.verdict().await;
    assert_eq!(verdict.problems, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_goes_where_it_fits() {
    let lab = Lab::start(&region_loss()).await;
    let operator = lab.operator();
    let node = "cluster-b.node-0";
    let object = |from: u64, to: u64, copy: u64| format!("shipments/pg-1/{from:020}-{to:020}.g{copy}.wal");
    let apply = |object: String| json!({ "group_id": "pg-1", "object": object });
    let (status, reply) = operator.post(node, "/admin/apply-shipment", apply(object(1, 64, 1))).await;
    assert_eq!((status, &reply["applied"]), (200, &json!(0)));
    let missing = refused(&operator, node, "/admin/apply-shipment", apply("shipments/../../lab.json".to_owned())).await;
    assert_eq!(missing, (404, "object not found".to_owned()));
    let mut damaged = apply(object(129, 192, 2));
    let store = Path::new(operator.url("objects")).to_owned();
    let baseline: Value = serde_json::from_slice(&std::fs::read(store.join("baselines/pg-1.json")).unwrap()).unwrap();
    damaged["sha256"] = baseline["ranges"][2]["sha256"].clone();
    let mismatch = refused(&operator, node, "/admin/apply-shipment", damaged).await;
    assert_eq!(mismatch, (422, "DigestMismatch".to_owned()));
    let last = &baseline["ranges"][3];
    let gap = apply(object(last["from"].as_u64().unwrap(), last["to"].as_u64().unwrap(), 1));
    assert_eq!(refused(&operator, node, "/admin/apply-shipment", gap).await, (409, "LogGap".to_owned()));
    operator.must(node, "/admin/apply-shipment", apply(object(129, 192, 2))).await;
    let conflict = refused(&operator, node, "/admin/apply-shipment", apply(object(129, 192, 1))).await;
    assert_eq!(conflict, (409, "IndexConflict".to_owned()));
    let status = operator.get(node, "/admin/wal-status?group_id=pg-1&from=100&to=200").await;
    assert_eq!(
        (&status["last_index"], &status["commit_index"], &status["range"]),
        (&json!(192), &json!(192), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_answers_as_the_real_one() {
    let lab = Lab::start(&quick()).await;
    let operator = lab.operator();
    let node = "cluster-a.node-0";
    let trigger = json!({ "partition_id": "p-0", "reason": "dr drill" });
    let reply = operator.must(node, "/admin/snapshot-trigger", trigger).await;
    assert_eq!(
        reply,
        json!({ "partition_id": "p-0", "accepted": true, "message": "snapshot trigger accepted: dr drill" })
    );
    let snapshots = operator.get(node, "/admin/snapshots?partition_id=p-0").await;
    let path = Path::new(snapshots["latest"]["path"].as_str().unwrap());
    assert!(path.join("manifest.json").exists() && path.join("chunks/state-0000.bin").exists());
    let empty =
        refused(&operator, node, "/admin/snapshot-trigger", json!({ "partition_id": "p-0", "reason": "" })).await;
    assert_eq!(empty, (400, "reason is required for snapshot trigger".to_owned()));

    let throttle = json!({ "partition_id": "p-0", "enable": false, "reason": "fence" });
    operator.must(node, "/admin/snapshot-throttle", throttle).await;
    let explained = operator.get(node, "/admin/throttle?partition_id=p-0&decision_trace_id=t1").await;
    assert_eq!(
        (&explained["envelope"]["credit_hint"], &explained["decision_trace_id"]),
        (&json!("Shed"), &json!("t1"))
    );

    let why = operator.get(node, "/readyz/why/p-1").await;
    assert_eq!(why["health"], "Healthy");
    let standby = operator.get("cluster-b.node-0", "/readyz/why/p-1").await;
    assert_eq!(standby["health"], "WarmupPending");
    let not_leader = operator.get(node, "/why/not-leader/p-1").await;
    assert_eq!((&not_leader["leader_id"], &not_leader["local_role"]), (&json!("node-1"), &json!("Follower")));
    let (status, reply) = operator.send("operator", node, "GET", "/readyz/why/zzz", None).await.unwrap();
    assert_eq!((status, reply), (404, json!({ "error": "partition not found", "status": 404 })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_group_takes_nothing_and_others_go_on() {
    let lab = Lab::start(&quick()).await;
    let operator = lab.operator();
    let append = json!({ "group_id": "pg-0", "epoch": 7, "payload": "x" });
    let mut client = Client::plain(operator.url("cluster-a.node-0.data"));
    let (status, reply) = client.send("POST", "/append", &[], Some(&append)).await.unwrap();
    assert_eq!(status, 200, "{reply}");
    let read = format!("/entries/pg-0/{}", reply["index"]);
    assert_eq!(client.send("GET", &read, &[], None).await.unwrap().1["payload"], "x");
    operator.must("cluster-a.control-plane", "/admin/freeze-partition-group", json!({ "group_id": "pg-0" })).await;
    let (status, reply) = client.send("POST", "/append", &[], Some(&append)).await.unwrap();
    assert_eq!((status, &reply["error"], &reply["fence_epoch"]), (409, &json!("PERMANENT_EPOCH"), &json!(8)));
    let other = json!({ "group_id": "pg-1", "epoch": 7, "payload": "x" });
    let (status, reply) = client.send("POST", "/append", &[], Some(&other)).await.unwrap();
    assert_eq!((status, &reply["error"], &reply["leader"]), (409, &json!("NOT_LEADER"), &json!("node-1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_are_not_there_yet_say_so() {
    let lab = Lab::start(&quick()).await;
    let fault: Fault = "node-dies:cluster-a.node-1".parse().unwrap();
    let error = ceptra_flow_lab::inject(lab.path(), &fault, &When::Now, 1).unwrap_err();
    assert_eq!(error.to_string(), "fault `node-dies:cluster-a.node-1` is not available yet");
    let body = json!({ "fault": "disk-full" });
    let (status, _) = lab.operator().send("operator", "lab", "POST", "/lab/inject", Some(&body)).await.unwrap();
    assert_eq!(status, 501);
    let pvc = LabConfig { scenario: "pvc-loss".parse().unwrap(), ..quick() };
    let error = ceptra_flow_lab::create(&lab.path().join("other"), &pvc).unwrap_err();
    assert_eq!(error.to_string(), "scenario `pvc-loss` is not available yet");
    assert!(matches!(ceptra_flow_lab::create(lab.path(), &quick()), Err(LabError::Exists { .. })));
    // One process per lab.
    let second = ceptra_flow_lab::serve_until(lab.path(), std::future::pending()).await.unwrap_err();
    assert!(matches!(second, LabError::Running { .. }));
}
