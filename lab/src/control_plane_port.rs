//! A control plane's mTLS port: requests in, replies out.
//!
//! One function per operation, in the order of docs/reference/lab-api.md.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::LabError;
use crate::config::CP_QUORUM;
use crate::control_plane::{CpState, EpochSource, Mode, push_fence};
use crate::gate::body;
use crate::http::{Reply, Request, Service};
use crate::ledger::{Fact, now_text};
use crate::membership::{Joint, MemberRole, change_is_safe};
use crate::objects::{self, BadSnapshot};
use crate::replica::Standing;
use crate::world::World;

/// The port of one cluster's control plane.
pub(crate) struct ControlPlanePort {
    pub(crate) world: Arc<World>,
    pub(crate) cluster: usize,
}

impl Service for ControlPlanePort {
    fn is_up(&self) -> bool {
        self.world.is_up(&self.world.clusters[self.cluster].control_plane_part())
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        if !self.is_up() {
            return None;
        }
        let reply = match request.method.as_str() {
            "GET" => self.get(request),
            "POST" => self.post(request).unwrap_or_else(|error| error.reply()),
            _ => Reply::no_route(request),
        };
        // A part that went down meanwhile says nothing any more.
        self.is_up().then_some(reply)
    }
}

#[derive(Deserialize)]
struct Freeze {
    group_id: String,
    fence_epoch: Option<u64>,
}

#[derive(Deserialize)]
struct Unfreeze {
    group_id: String,
}

#[derive(Deserialize)]
struct Change {
    member: String,
}

#[derive(Deserialize)]
struct Restore {
    snapshot: String,
    content_hash: Option<String>,
}

#[derive(Deserialize)]
struct Advance {
    source_epoch: u64,
    target_epoch: u64,
}

#[derive(Deserialize)]
struct Transfer {
    group_id: String,
    target_replica_id: String,
}

/// An operation's outcome: both sides are replies, the second one refuses.
type Outcome = Result<Result<Reply, Reply>, LabError>;

impl ControlPlanePort {
    fn get(&self, request: &Request) -> Reply {
        let world = &self.world;
        let control_plane = &world.clusters[self.cluster].control_plane;
        let Some(stale) = control_plane.read_is_stale(world) else {
            return Reply::error(503, "NoQuorum");
        };
        let state = control_plane.hold();
        let mut reply = match request.path.as_str() {
            "/admin/control-plane" => Reply::ok(self.status(&state)),
            "/admin/cluster-epoch" => Reply::ok(json!({
                "cluster_id": world.clusters[self.cluster].id, "epoch": state.epoch, "mode": state.mode, "source": state.epoch_source,
            })),
            "/admin/membership" => Reply::ok(self.membership(&state)),
            "/admin/routing" => Reply::ok(self.routing(&state)),
            "/admin/partition-groups" => {
                let groups = (0..world.clusters[self.cluster].group_count()).map(|number| self.group(&state, number));
                Reply::ok(json!({ "groups": groups.collect::<Vec<_>>() }))
            }
            path => match path.strip_prefix("/admin/partition-groups/").map(|group| world.group_number(group)) {
                Some(Some(number)) => Reply::ok(self.group(&state, number)),
                Some(None) => unknown_group(),
                None => Reply::no_route(request),
            },
        };
        reply.stale = stale;
        reply
    }

    fn status(&self, state: &CpState) -> Value {
        let cluster = &self.world.clusters[self.cluster];
        json!({
            "cluster_id": cluster.id,
            "region": cluster.region,
            "mode": state.mode,
            "epoch": state.epoch,
            "epoch_source": state.epoch_source,
            "quorum": state.has_quorum(&self.world),
            "live_voters": state.live_voters(&self.world),
            "cp_quorum": CP_QUORUM,
            "snapshot": state.snapshot,
        })
    }

    fn membership(&self, state: &CpState) -> Value {
        let quorum = state.has_quorum(&self.world);
        let leader = state.voters().into_iter().find(|voter| quorum && self.world.is_up(voter));
        let members = state.members.iter().map(|member| {
            json!({ "name": member.name, "ordinal": member.ordinal, "role": member.role.name(), "ready": self.world.is_up(&member.name) })
        });
        json!({
            "cluster_id": self.world.clusters[self.cluster].id,
            "cp_quorum": CP_QUORUM,
            "leader": leader,
            "voters": state.voters(),
            "standbys": state.members_with(MemberRole::Standby),
            "evicted": state.members_with(MemberRole::Evicted),
            "joint": state.joint,
            "quorum": quorum,
            "members": members.collect::<Vec<_>>(),
        })
    }

    fn routing(&self, state: &CpState) -> Value {
        let groups = (0..self.world.clusters[self.cluster].group_count()).filter_map(|number| {
            let id = self.world.clusters[self.cluster].group(number).group_id.clone();
            let record = state.groups.get(&id)?;
            Some(json!({ "group_id": id, "leader": record.leader }))
        });
        let groups: Vec<_> = groups.collect();
        json!({ "cluster_id": self.world.clusters[self.cluster].id, "epoch": state.epoch, "mode": state.mode, "groups": groups })
    }

    fn group(&self, state: &CpState, number: usize) -> Value {
        let mut replicas = Vec::new();
        let mut unfenced = 0;
        let id = self.world.clusters[self.cluster].group(number).group_id.clone();
        let fence = state.fence_of(&id);
        for (at, cluster) in self.world.clusters.iter().enumerate() {
            let group = cluster.group(number);
            for node in 0..cluster.nodes.len() {
                let reachable = self.world.node_is_up(at, node);
                let Standing { role, epoch, fence_epoch } = group.replica(node).standing();
                if reachable && fence.is_some_and(|fence| fence_epoch.is_none_or(|known| known < fence)) {
                    unfenced += 1;
                }
                replicas.push(json!({
                    "cluster_id": cluster.id, "node_id": crate::group::node_name(node), "reachable": reachable, "role": role.name(),
                    "epoch": epoch, "fence_epoch": fence_epoch, "last_index": group.replica(node).last_index(),
                }));
            }
        }
        let record = state.groups.get(&id);
        json!({
            "group_id": id,
            "partitions": record.map(|record| record.partitions.clone()).unwrap_or_default(),
            "frozen": record.is_some_and(|record| record.frozen),
            "fence_epoch": fence,
            "leader": record.and_then(|record| record.leader.clone()),
            "epoch": state.epoch,
            "unfenced": unfenced,
            "replicas": replicas,
        })
    }

    fn post(&self, request: &Request) -> Result<Reply, LabError> {
        let operation = match request.path.as_str() {
            "/admin/freeze-partition-group" => Self::freeze,
            "/admin/unfreeze-partition-group" => Self::unfreeze,
            "/admin/promote-voter" => Self::promote,
            "/admin/evict-voter" => Self::evict,
            "/admin/restore-control-plane" => Self::restore,
            "/admin/advance-epoch" => Self::advance,
            "/admin/transfer-leader" => Self::transfer,
            _ => return Ok(Reply::no_route(request)),
        };
        let control_plane = &self.world.clusters[self.cluster].control_plane;
        let reply = {
            let mut state = control_plane.hold();
            let reply = match state.gate.admit(request) {
                Err(reply) => reply,
                Ok(_) if !state.has_quorum(&self.world) => Reply::error(503, "NoQuorum"),
                Ok(admitted) => {
                    let reply = operation(self, &mut state, request)?.unwrap_or_else(|refused| refused);
                    state.gate.settle(admitted, &reply);
                    reply
                }
            };
            control_plane.save(&state)?;
            reply
        };
        self.world.return_if_due()?;
        Ok(reply)
    }

    fn freeze(&self, state: &mut CpState, request: &Request) -> Outcome {
        let Freeze { group_id, fence_epoch } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let Some(number) = self.world.group_number(&group_id) else {
            return Ok(Err(unknown_group()));
        };
        let least = state.epoch + 1;
        let Some(record) = state.groups.get_mut(&group_id) else {
            return Ok(Err(unknown_group()));
        };
        let asked = fence_epoch.unwrap_or(least).max(least);
        let fence = record.fence_epoch.map_or(asked, |known| known.max(asked));
        record.frozen = true;
        record.fence_epoch = Some(fence);
        push_fence(&self.world, number, Some(fence))?;
        self.world.ledger.record(&Fact::Fenced {
            at: now_text(),
            by: self.id(),
            group: group_id.clone(),
            fence_epoch: fence,
        })?;
        Ok(Ok(Reply::ok(
            json!({ "group_id": group_id, "fence_epoch": fence, "accepted": true, "message": "freeze scheduled" }),
        )))
    }

    fn unfreeze(&self, state: &mut CpState, request: &Request) -> Outcome {
        let Unfreeze { group_id } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let epoch = state.epoch;
        let (Some(number), Some(record)) = (self.world.group_number(&group_id), state.groups.get_mut(&group_id)) else {
            return Ok(Err(unknown_group()));
        };
        if record.fence_epoch.is_some_and(|fence| fence <= epoch) {
            return Ok(Err(Reply::error_with(409, "EpochAdvanced", json!({ "epoch": epoch }))));
        }
        record.frozen = false;
        if record.fence_epoch.take().is_some() {
            self.world.ledger.record(&Fact::Unfenced { at: now_text(), by: self.id(), group: group_id.clone() })?;
            push_fence(&self.world, number, None)?;
        }
        Ok(Ok(Reply::ok(json!({ "group_id": group_id, "accepted": true, "message": "unfreeze scheduled" }))))
    }

    fn promote(&self, state: &mut CpState, request: &Request) -> Outcome {
        self.change(state, request, "promotion scheduled", |voters, member| {
            if !voters.contains(member) {
                voters.push(member.clone());
            }
        })
    }

    fn evict(&self, state: &mut CpState, request: &Request) -> Outcome {
        self.change(state, request, "eviction scheduled", |voters, member| voters.retain(|voter| voter != member))
    }

    fn change(
        &self,
        state: &mut CpState,
        request: &Request,
        message: &str,
        change: impl FnOnce(&mut Vec<String>, &String),
    ) -> Outcome {
        let Change { member } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        if !state.members.iter().any(|known| known.name == member) {
            return Ok(Err(Reply::error(404, "unknown member")));
        }
        let old = state.voters();
        let mut new = old.clone();
        change(&mut new, &member);
        if new != old {
            if new.contains(&member) && !self.world.is_up(&member) {
                return Ok(Err(Reply::error(409, "MemberNotReady")));
            }
            let live = state.live(&self.world);
            let joint = Joint { old, new };
            if !change_is_safe(&joint, &live) {
                return Ok(Err(Reply::error_with(
                    409,
                    "QuorumAtRisk",
                    json!({ "old": joint.old, "new": joint.new, "live": live }),
                )));
            }
            self.world.clusters[self.cluster].control_plane.change_voters(&self.world, self.cluster, state, joint)?;
        }
        Ok(Ok(Reply::ok(json!({ "member": member, "accepted": true, "message": message }))))
    }

    fn restore(&self, state: &mut CpState, request: &Request) -> Outcome {
        let Restore { snapshot, content_hash } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let (found, content) = match objects::read_snapshot(&self.world.layout.objects(), &snapshot) {
            Ok(read) => read,
            Err(BadSnapshot::Absent) => return Ok(Err(Reply::error(404, "snapshot not found"))),
            Err(BadSnapshot::Digest(reason)) => {
                return Ok(Err(Reply::error_with(422, "DigestMismatch", json!({ "reason": reason }))));
            }
        };
        let bare = |hash: &str| hash.trim_start_matches("0x").to_ascii_lowercase();
        if content_hash.is_some_and(|asked| bare(&asked) != bare(&found.content_hash)) {
            return Ok(Err(Reply::error_with(422, "DigestMismatch", json!({ "content_hash": found.content_hash }))));
        }
        if state.mode == Mode::Active || found.epoch < state.epoch {
            return Ok(Err(Reply::error_with(409, "SnapshotBehind", json!({ "epoch": state.epoch }))));
        }
        for group in content.groups {
            if let Some(record) = state.groups.get_mut(&group.group_id) {
                record.partitions = group.partitions;
            }
        }
        let manifest_id = found.manifest_id.clone();
        state.epoch = found.epoch;
        state.epoch_source = EpochSource::Snapshot;
        self.world.ledger.record(&Fact::Restored {
            at: now_text(),
            cluster: self.id(),
            manifest_id: manifest_id.clone(),
            epoch: found.epoch,
        })?;
        state.snapshot = Some(found);
        Ok(Ok(Reply::ok(json!({ "manifest_id": manifest_id, "accepted": true, "message": "restore scheduled" }))))
    }

    fn advance(&self, state: &mut CpState, request: &Request) -> Outcome {
        let Advance { source_epoch, target_epoch } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let accepted = |message: &str, epoch: u64| {
            Ok(Ok(Reply::ok(json!({ "epoch": epoch, "accepted": true, "message": message }))))
        };
        if target_epoch == state.epoch {
            return accepted("the epoch is that already", state.epoch);
        }
        let refuse = |error: &str, epoch: u64| Ok(Err(Reply::error_with(409, error, json!({ "epoch": epoch }))));
        if target_epoch < state.epoch {
            return refuse("EpochBehind", state.epoch);
        }
        if source_epoch != state.epoch {
            return refuse("EpochConflict", state.epoch);
        }
        if state.mode == Mode::Standby && state.snapshot.is_none() {
            return refuse("ControlPlaneNotRestored", state.epoch);
        }
        if state.live_voters(&self.world) < CP_QUORUM {
            return refuse("NotEnoughVoters", state.epoch);
        }
        self.world.clusters[self.cluster].control_plane.take_epoch(&self.world, self.cluster, state, target_epoch)?;
        accepted("epoch advance scheduled", target_epoch)
    }

    fn transfer(&self, state: &mut CpState, request: &Request) -> Outcome {
        let Transfer { group_id, target_replica_id } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(Err(reply)),
        };
        let cluster = &self.world.clusters[self.cluster];
        let target = (0..cluster.nodes.len()).find(|node| crate::group::node_name(*node) == target_replica_id);
        let (Some(number), Some(target), Some(record)) =
            (self.world.group_number(&group_id), target, state.groups.get_mut(&group_id))
        else {
            return Ok(Err(unknown_group()));
        };
        if state.mode != Mode::Active || !self.world.node_is_up(self.cluster, target) {
            return Ok(Err(Reply::error(409, "ReplicaNotReady")));
        }
        let mut group = cluster.group(number);
        let behind = group
            .leader()
            .is_some_and(|leader| group.replica(leader).last_index() > group.replica(target).last_index());
        if behind {
            return Ok(Err(Reply::error(409, "ReplicaNotReady")));
        }
        let leader = group.lead(state.epoch, Some(target), &|node| self.world.node_is_up(self.cluster, node))?;
        record.leader = leader.map(crate::group::node_name);
        Ok(Ok(Reply::ok(
            json!({ "group_id": group_id, "target_replica_id": target_replica_id, "accepted": true, "message": "transfer scheduled" }),
        )))
    }

    fn id(&self) -> String {
        self.world.clusters[self.cluster].id.to_owned()
    }
}

fn unknown_group() -> Reply {
    Reply::error(404, "partition group not registered")
}
