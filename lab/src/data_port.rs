//! A node's data port: appends and reads, plain HTTP, no questions asked but the epoch's.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::LabError;
use crate::gate::body;
use crate::group::node_name;
use crate::http::{Reply, Request, Service};
use crate::world::World;

/// The data port of one node.
pub(crate) struct DataPort {
    pub(crate) world: Arc<World>,
    pub(crate) cluster: usize,
    pub(crate) node: usize,
}

#[derive(Deserialize)]
struct Append {
    group_id: String,
    epoch: u64,
    payload: String,
}

impl Service for DataPort {
    fn is_up(&self) -> bool {
        self.world.node_is_up(self.cluster, self.node)
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        if !self.is_up() {
            return None;
        }
        let reply = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/append") => self.append(request),
            ("GET", "/whoami") => Ok(Reply::ok(
                json!({ "cluster_id": self.world.clusters[self.cluster].id, "node_id": node_name(self.node) }),
            )),
            ("GET", path) if path.starts_with("/entries/") => entry(&self.world, self.cluster, self.node, path),
            _ => Ok(Reply::no_route(request)),
        };
        self.is_up().then(|| reply.unwrap_or_else(|error| error.reply()))
    }
}

impl DataPort {
    fn append(&self, request: &Request) -> Result<Reply, LabError> {
        let Append { group_id, epoch, payload } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(reply),
        };
        let Some(group) = self.world.group_number(&group_id) else {
            return Ok(Reply::error(404, "partition group not registered"));
        };
        append(&self.world, self.cluster, self.node, group, epoch, &payload)
    }
}

/// Appends at a node and puts the outcome into a reply.
pub(crate) fn append(
    world: &World,
    cluster: usize,
    node: usize,
    group: usize,
    epoch: u64,
    payload: &str,
) -> Result<Reply, LabError> {
    Ok(match world.append(cluster, node, group, epoch, payload.as_bytes())? {
        Ok(appended) => Reply::ok(json!({
            "group_id": crate::config::group_id(u32::try_from(group).expect("groups are counted in 32 bits")),
            "index": appended.index,
            "epoch": epoch,
            "cluster_id": world.clusters[cluster].id,
            "node_id": node_name(node),
        })),
        Err(refusal) => refusal.reply(),
    })
}

/// `GET /entries/{group}/{index}` at a node.
pub(crate) fn entry(world: &World, cluster: usize, node: usize, path: &str) -> Result<Reply, LabError> {
    let place = path.trim_start_matches("/entries/").split_once('/');
    let place = place.and_then(|(group, index)| Some((world.group_number(group)?, index.parse::<u64>().ok()?)));
    let Some((number, index)) = place else {
        return Ok(Reply::error(404, "no such entry"));
    };
    let group = world.clusters[cluster].group(number);
    Ok(match group.entry(node, index)? {
        Some((epoch, payload, sha256)) => Reply::ok(
            json!({ "group_id": group.group_id, "index": index, "epoch": epoch, "payload": payload, "sha256": sha256 }),
        ),
        None => Reply::error(404, "no such entry"),
    })
}
