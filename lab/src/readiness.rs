//! Readiness as Clustor's management port tells it, from the replicas' own state.

use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::json::canonical;
use serde_json::{Value, json};

use crate::group::{Group, node_name};
use crate::http::Reply;
use crate::replica::Role;
use crate::world::World;

/// How ready one replica is.
struct Ready {
    warmup: f64,
    partition: f64,
}

impl Ready {
    /// A replica is warm once its cluster has a leader for the group; it is ready as far as its log reaches.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of log lengths is shown, not computed with")]
    fn of(group: &Group, node: usize) -> Self {
        let replica = group.replica(node);
        let Some(leader) = group.leader().map(|leader| group.replica(leader)) else {
            return Self { warmup: 0.0, partition: 0.0 };
        };
        let serves = replica.standing().role != Role::Standby && replica.standing().epoch == leader.standing().epoch;
        let all = leader.last_index().max(1) as f64;
        let share = if leader.last_index() == 0 { 1.0 } else { (replica.last_index() as f64 / all).min(1.0) };
        Self { warmup: if serves { 1.0 } else { 0.0 }, partition: share }
    }

    fn is_ready(&self) -> bool {
        self.warmup >= 1.0 && self.partition >= 1.0
    }

    fn health(&self) -> &'static str {
        if self.warmup < 1.0 {
            "WarmupPending"
        } else if self.partition < 1.0 {
            "PartitionLagging"
        } else {
            "Healthy"
        }
    }
}

/// `GET /readyz`
pub(crate) fn readyz(world: &World, cluster: usize, node: usize) -> Reply {
    let mut readiness = Vec::new();
    let mut ready_count = 0;
    for number in 0..world.clusters[cluster].group_count() {
        let group = world.clusters[cluster].group(number);
        let ready = Ready::of(&group, node);
        ready_count += usize::from(ready.is_ready());
        readiness.push(json!({
            "partition_id": group.partition_id,
            "definition_bundle_id": "lab",
            "activation_barrier_id": null,
            "shadow_apply_state": if ready.is_ready() { "Ready" } else { "Replaying" },
            "warmup_ready_ratio": ready.warmup,
            "partition_ready_ratio": ready.partition,
            "readiness_digest": "",
        }));
    }
    let digest = digest(&json!(readiness));
    for entry in &mut readiness {
        entry["readiness_digest"] = digest.clone().into();
    }
    let total = readiness.len();
    Reply::ok(json!({
        "readiness": readiness,
        "readiness_digest": digest,
        "publish_period_ms": 1000,
        "skipped_publications_total": 0,
        "capabilities": [],
        "overrides": [],
        "export_telemetry": null,
        "delta_chain": null,
        "warmup_summary": { "total": total, "ready": ready_count, "pending": total - ready_count },
        "feature_manifest_digest": Sha256Digest::of(b"").bare(),
    }))
}

/// `GET /readyz/why/{partition}`
pub(crate) fn why(world: &World, cluster: usize, node: usize, partition: &str) -> Reply {
    let Some(number) = world.group_number(partition) else {
        return Reply::error(404, "partition not found");
    };
    let group = world.clusters[cluster].group(number);
    let ready = Ready::of(&group, node);
    let mut reply = json!({
        "partition_id": group.partition_id,
        "definition_bundle_id": "lab",
        "activation_barrier_id": null,
        "warmup_ready_ratio": ready.warmup,
        "partition_ready_ratio": ready.partition,
    });
    let digest = digest(&reply);
    reply["readiness_digest"] = digest.into();
    reply["health"] = ready.health().into();
    Reply::ok(reply)
}

/// `GET /why/not-leader/{partition}`
pub(crate) fn why_not_leader(world: &World, cluster: usize, node: usize, partition: &str) -> Reply {
    let Some(number) = world.group_number(partition) else {
        return Reply::error(404, "partition not found");
    };
    let reachable = world.is_up(&world.clusters[cluster].control_plane_part());
    let nodes = world.clusters[cluster].nodes.len();
    let group = world.clusters[cluster].group(number);
    let replica = group.replica(node);
    Reply::ok(json!({
        "header": {
            "schema_version": 1,
            "generated_at_ms": crate::ledger::now_ms(),
            "partition_id": group.partition_id,
            "routing_epoch": replica.standing().epoch,
            "durability_mode_epoch": 0,
        },
        "leader_id": group.leader().map(node_name),
        "local_role": if replica.standing().role == Role::Leader { "Leader" } else { "Follower" },
        "strict_state": if reachable { "Healthy" } else { "LocalOnly" },
        "cp_cache_state": if reachable { "Fresh" } else { "Stale" },
        "quorum_status": {
            "committed_index": replica.raft().commit_index, "committed_term": replica.raft().term, "quorum_size": nodes / 2 + 1,
        },
        "pending_entries": replica.last_index().saturating_sub(replica.raft().commit_index),
        "runtime_terms": [{ "canonical": "Strict", "term_id": "TERM-0001" }],
        "strict_fallback_why": null,
    }))
}

fn digest(value: &Value) -> String {
    Sha256Digest::of(canonical(value).as_bytes()).prefixed()
}
