//! A node's admin and management port, and the little that a node remembers for itself.
//!
//! Replies have the shapes recorded from the real programs. Replicas are [`crate::group`]'s; the
//! data port is [`crate::data_port`]. Start at [`NodePort`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ceptra_flow_formats::frame;
use ceptra_flow_formats::hash::Sha256Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::LabError;
use crate::control_plane::Mode;
use crate::disk::{make_dir, read_json_if_any, write_json};
use crate::gate::{Gate, body};
use crate::group::node_name;
use crate::http::{Reply, Request, Service};
use crate::layout::Layout;
use crate::objects;
use crate::readiness;
use crate::replica::{Role, Unfit};
use crate::snapshots;
use crate::world::World;

/// `admin.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct NodeState {
    #[serde(default)]
    gate: Gate,
    /// Whether snapshots of a partition are throttled.
    #[serde(default)]
    throttled: BTreeMap<String, bool>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    path: PathBuf,
    sync: bool,
    state: Mutex<NodeState>,
}

impl Node {
    pub(crate) fn open(layout: &Layout, cluster: &str, node: &str, sync: bool) -> Result<Self, LabError> {
        let dir = layout.node(cluster, node);
        make_dir(&dir)?;
        let path = dir.join("admin.json");
        let state = Mutex::new(read_json_if_any(&path)?.unwrap_or_default());
        Ok(Self { path, sync, state })
    }

    fn hold(&self) -> MutexGuard<'_, NodeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mTLS port of one node.
pub(crate) struct NodePort {
    pub(crate) world: Arc<World>,
    pub(crate) cluster: usize,
    pub(crate) node: usize,
}

impl Service for NodePort {
    fn is_up(&self) -> bool {
        self.world.node_is_up(self.cluster, self.node)
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        if !self.is_up() {
            return None;
        }
        let reply = match request.method.as_str() {
            "GET" => self.get(request),
            "POST" => self.post(request),
            _ => Ok(Reply::no_route(request)),
        };
        self.is_up().then(|| reply.unwrap_or_else(|error| error.reply()))
    }
}

#[derive(Deserialize)]
struct Apply {
    group_id: String,
    object: String,
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Trigger {
    partition_id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Transfer {
    partition_id: String,
    target_replica_id: Option<String>,
}

#[derive(Deserialize)]
struct Throttle {
    partition_id: String,
    enable: bool,
}

/// An operation's outcome: both sides are replies, the second one refuses.
type Outcome = Result<Result<Reply, Reply>, LabError>;

impl NodePort {
    fn get(&self, request: &Request) -> Result<Reply, LabError> {
        match request.path.as_str() {
            "/admin/wal-status" => self.wal_status(request),
            "/admin/snapshots" => self.snapshots(request),
            "/admin/throttle" => Ok(self.throttle_state(request)),
            "/readyz" => Ok(readiness::readyz(&self.world, self.cluster, self.node)),
            path => Ok(match (path.strip_prefix("/readyz/why/"), path.strip_prefix("/why/not-leader/")) {
                (Some(partition), _) => readiness::why(&self.world, self.cluster, self.node, partition),
                (_, Some(partition)) => readiness::why_not_leader(&self.world, self.cluster, self.node, partition),
                (None, None) => Reply::no_route(request),
            }),
        }
    }

    fn post(&self, request: &Request) -> Result<Reply, LabError> {
        let operation = match request.path.as_str() {
            "/admin/apply-shipment" => Self::apply,
            "/admin/snapshot-trigger" => Self::trigger,
            "/admin/transfer-leader" => Self::transfer,
            "/admin/snapshot-throttle" => Self::throttle,
            _ => return Ok(Reply::no_route(request)),
        };
        let node = &self.world.clusters[self.cluster].nodes[self.node];
        let mut state = node.hold();
        // Clustor's throttle takes no key.
        let keyless = request.path == "/admin/snapshot-throttle";
        let admitted = if keyless { state.gate.admit_without_key(request) } else { state.gate.admit(request) };
        let reply = match admitted {
            Err(reply) => reply,
            Ok(admitted) => {
                let reply = operation(self, &mut state, request)?.unwrap_or_else(|refused| refused);
                state.gate.settle(admitted, &reply);
                reply
            }
        };
        write_json(&node.path, &*state, node.sync)?;
        Ok(reply)
    }

    fn wal_status(&self, request: &Request) -> Result<Reply, LabError> {
        let number = |name: &str| request.query.get(name).and_then(|text| text.parse::<u64>().ok());
        let Some(id) = request.query.get("group_id") else {
            return Ok(Reply::error(400, "missing `group_id` query parameter"));
        };
        let Some(group) = self.world.group_number(id) else {
            return Ok(Reply::error(404, "partition group not registered"));
        };
        let group = self.world.clusters[self.cluster].group(group);
        let replica = group.replica(self.node);
        let range = match (number("from"), number("to")) {
            (Some(from), Some(to)) => replica.frames(from, to)?.map(|bytes| {
                let frames = frame::Frames::new(&bytes).map_while(Result::ok).count();
                json!({ "from": from, "to": to, "frames": frames, "bytes": bytes.len(), "sha256": Sha256Digest::of(&bytes).prefixed() })
            }),
            _ => None,
        };
        let standing = replica.standing();
        Ok(Reply::ok(json!({
            "cluster_id": self.world.clusters[self.cluster].id,
            "node_id": node_name(self.node),
            "group_id": group.group_id,
            "partition_id": group.partition_id,
            "role": standing.role.name(),
            "epoch": standing.epoch,
            "fence_epoch": standing.fence_epoch,
            "first_index": replica.first_index(),
            "last_index": replica.last_index(),
            "commit_index": replica.raft().commit_index,
            "term": replica.last_term(),
            "bytes": replica.bytes(),
            "range": range,
        })))
    }

    fn snapshots(&self, request: &Request) -> Result<Reply, LabError> {
        let Some(number) = request.query.get("partition_id").and_then(|id| self.world.group_number(id)) else {
            return Ok(Reply::error(404, "partition not registered"));
        };
        let group = self.world.clusters[self.cluster].group(number);
        let dir = snapshots::dir(&self.world, self.cluster, self.node, &group.partition_id);
        let found = snapshots::list(&dir)?;
        Ok(Reply::ok(json!({
            "partition_id": group.partition_id,
            "last_index": group.replica(self.node).last_index(),
            "latest": found.last(),
            "snapshots": found,
        })))
    }

    fn apply(&self, _: &mut NodeState, request: &Request) -> Outcome {
        let Apply { group_id, object, sha256 } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let Some(number) = self.world.group_number(&group_id) else {
            return Ok(Err(Reply::error(404, "partition group not registered")));
        };
        let Ok(bytes) = objects::read(&self.world.layout.objects(), &object) else {
            return Ok(Err(Reply::error(404, "object not found")));
        };
        let found = Sha256Digest::of(&bytes);
        if sha256.is_some_and(|asked| Sha256Digest::parse(&asked) != Some(found)) {
            return Ok(Err(Reply::error_with(422, "DigestMismatch", json!({ "sha256": found.prefixed() }))));
        }
        let mut group = self.world.clusters[self.cluster].group(number);
        if group.replica(self.node).standing().role != Role::Standby {
            return Ok(Err(Reply::error(409, "NotStandby")));
        }
        let refused = |status, error, more| Ok(Err(Reply::error_with(status, error, more)));
        match group.apply(self.node, &bytes)? {
            Ok(applied) => {
                let last_index = group.replica(self.node).last_index();
                Ok(Ok(Reply::ok(
                    json!({ "group_id": group_id, "accepted": true, "applied": applied, "last_index": last_index }),
                )))
            }
            Err(Unfit::Damaged { offset }) => refused(422, "DamagedFrame", json!({ "offset": offset })),
            Err(Unfit::Conflict { index }) => refused(409, "IndexConflict", json!({ "index": index })),
            Err(Unfit::Gap { expected }) => refused(409, "LogGap", json!({ "expected": expected })),
        }
    }

    fn trigger(&self, _: &mut NodeState, request: &Request) -> Outcome {
        let Trigger { partition_id, reason } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        if reason.trim().is_empty() {
            return Ok(Err(Reply::error(400, "reason is required for snapshot trigger")));
        }
        let Some(number) = self.world.group_number(&partition_id) else {
            return Ok(Err(Reply::error(404, "partition not registered")));
        };
        let group = self.world.clusters[self.cluster].group(number);
        let dir = snapshots::dir(&self.world, self.cluster, self.node, &group.partition_id);
        snapshots::take(&dir, group.replica(self.node))?;
        let message = format!("snapshot trigger accepted: {reason}");
        Ok(Ok(Reply::ok(json!({ "partition_id": partition_id, "accepted": true, "message": message }))))
    }

    /// Like the real one, says yes; who leads is the control plane's affair, so nothing comes of it
    /// unless that names the same replica.
    fn transfer(&self, _: &mut NodeState, request: &Request) -> Outcome {
        let Transfer { partition_id, target_replica_id } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let nodes = self.world.clusters[self.cluster].nodes.len();
        let target = target_replica_id.as_ref().map(|target| (0..nodes).find(|node| node_name(*node) == *target));
        let (Some(number), None | Some(Some(_))) = (self.world.group_number(&partition_id), target) else {
            return Ok(Err(Reply::error(404, "partition not registered")));
        };
        if let Some(Some(target)) = target
            && self.world.clusters[self.cluster].control_plane.hold().mode == Mode::Active
        {
            let mut group = self.world.clusters[self.cluster].group(number);
            let epoch = group.replica(self.node).standing().epoch;
            let caught_up = group
                .leader()
                .is_none_or(|leader| group.replica(leader).last_index() <= group.replica(target).last_index());
            if caught_up {
                group.lead(epoch, Some(target), &|node| self.world.node_is_up(self.cluster, node))?;
            }
        }
        let mut reply = json!({ "partition_id": partition_id });
        if let Some(target) = target_replica_id {
            reply["target_replica_id"] = target.into();
        }
        reply["accepted"] = true.into();
        reply["message"] = "transfer scheduled".into();
        Ok(Ok(Reply::ok(reply)))
    }

    fn throttle(&self, state: &mut NodeState, request: &Request) -> Outcome {
        let Throttle { partition_id, enable } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        state.throttled.insert(partition_id.clone(), !enable);
        Ok(Ok(Reply::ok(json!({ "partition_id": partition_id, "throttle_state": envelope(!enable) }))))
    }

    fn throttle_state(&self, request: &Request) -> Reply {
        let Some(partition) = request.query.get("partition_id") else {
            return Reply::error(400, "missing `partition_id` query parameter");
        };
        let Some(number) = self.world.group_number(partition) else {
            return Reply::error(404, "partition not registered");
        };
        let cluster = &self.world.clusters[self.cluster];
        let throttled = cluster.nodes[self.node].hold().throttled.get(partition).copied().unwrap_or_default();
        let trace =
            request.query.get("decision_trace_id").cloned().unwrap_or_else(|| format!("lab-{}-{number}", self.node));
        Reply::ok(json!({
            "partition_id": partition,
            "envelope": envelope(throttled),
            "decision_trace_id": trace,
            "routing_epoch": cluster.group(number).replica(self.node).standing().epoch,
            "spec_clause": "§10.3",
        }))
    }
}

fn envelope(throttled: bool) -> Value {
    if throttled {
        json!({ "state": { "Throttled": { "ByteCreditDebt": { "byte_credit": 0 } } }, "credit_hint": "Shed", "ingest_status": "TransientBackpressure" })
    } else {
        json!({ "state": "Open", "credit_hint": "Recover", "ingest_status": "Healthy" })
    }
}
