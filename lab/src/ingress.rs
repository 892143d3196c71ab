//! The ingress: routes that send clients to a cluster, under the epoch they were published with.
//!
//! A route does not follow a cluster's epoch. Whoever switches it before the cutover publishes an
//! epoch that nobody takes appends under afterwards. Start at [`Ingress`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::LabError;
use crate::config::{FIRST_EPOCH, PRIMARY, ROUTES};
use crate::data_port;
use crate::disk::{read_json, write_json};
use crate::gate::{Gate, body};
use crate::group::node_name;
use crate::http::{Reply, Request, Service};
use crate::layout::Layout;
use crate::ledger::{Fact, now_text};
use crate::world::World;

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) cluster: String,
    pub(crate) epoch: u64,
    pub(crate) switched_at: Option<String>,
}

/// `ingress.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IngressState {
    pub(crate) routes: BTreeMap<String, Route>,
    #[serde(default)]
    gate: Gate,
}

/// The ingress.
#[derive(Debug)]
pub(crate) struct Ingress {
    path: PathBuf,
    sync: bool,
    state: Mutex<IngressState>,
}

impl Ingress {
    pub(crate) fn create(layout: &Layout) -> Result<(), LabError> {
        let route = || Route { cluster: PRIMARY.to_owned(), epoch: FIRST_EPOCH, switched_at: None };
        let routes = ROUTES.map(|name| (name.to_owned(), route())).into();
        write_json(&layout.ingress(), &IngressState { routes, gate: Gate::default() }, false)
    }

    pub(crate) fn open(layout: &Layout, sync: bool) -> Result<Self, LabError> {
        let path = layout.ingress();
        let state = Mutex::new(read_json(&path)?);
        Ok(Self { path, sync, state })
    }

    fn hold(&self) -> MutexGuard<'_, IngressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any route leads elsewhere than to `cluster`.
    pub(crate) fn left(&self, cluster: &str) -> bool {
        self.hold().routes.values().any(|route| route.cluster != cluster)
    }

    fn route(&self, name: &str) -> Option<Route> {
        self.hold().routes.get(name).cloned()
    }
}

/// The mTLS port of the ingress.
pub(crate) struct IngressAdminPort {
    pub(crate) world: Arc<World>,
}

#[derive(Deserialize)]
struct Switch {
    route: String,
    cluster: String,
}

impl Service for IngressAdminPort {
    fn is_up(&self) -> bool {
        true
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        Some(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/admin/ingress") => self.list(),
            ("GET", "/admin/observe-ingress") => self.observe(request),
            ("POST", "/admin/switch-ingress") => self.switch(request).unwrap_or_else(|error| error.reply()),
            _ => Reply::no_route(request),
        })
    }
}

impl IngressAdminPort {
    fn list(&self) -> Reply {
        let state = self.world.ingress.hold();
        let routes = state.routes.iter().map(|(name, route)| {
            json!({ "route": name, "cluster": route.cluster, "epoch": route.epoch, "switched_at": route.switched_at })
        });
        Reply::ok(json!({ "routes": routes.collect::<Vec<Value>>() }))
    }

    /// Goes the way a client's append would go, for every group, without appending.
    fn observe(&self, request: &Request) -> Reply {
        let Some(name) = request.query.get("route") else {
            return Reply::error(400, "missing `route` query parameter");
        };
        let Some(route) = self.world.ingress.route(name) else {
            return Reply::error(404, "unknown route");
        };
        let (answered_by, reason) = match self.serving(&route) {
            Ok(node) => (Some(format!("{}/{}", route.cluster, node_name(node))), None),
            Err(reason) => (None, Some(reason)),
        };
        Reply::ok(json!({
            "route": name, "cluster": route.cluster, "epoch": route.epoch, "serving": reason.is_none(), "answered_by": answered_by, "reason": reason,
        }))
    }

    fn serving(&self, route: &Route) -> Result<usize, String> {
        let world = &self.world;
        let cluster = world.cluster_by_id(&route.cluster).ok_or("the cluster is unknown")?;
        let live = |node| world.node_is_up(cluster, node);
        let mut answered_by = 0;
        for number in (0..world.clusters[cluster].group_count()).rev() {
            let group = world.clusters[cluster].group(number);
            let leader = group.leader().filter(|leader| live(*leader));
            let leader = leader.ok_or_else(|| format!("{} has no live leader of {}", route.cluster, group.group_id))?;
            let refused = group.check_append(leader, route.epoch, &live).err();
            if let Some(refusal) = refused {
                return Err(format!(
                    "{} answers {} for {} under epoch {}",
                    route.cluster,
                    refusal.name(),
                    group.group_id,
                    route.epoch
                ));
            }
            answered_by = leader;
        }
        Ok(answered_by)
    }

    fn switch(&self, request: &Request) -> Result<Reply, LabError> {
        let ingress = &self.world.ingress;
        let reply = {
            let mut state = ingress.hold();
            let reply = match state.gate.admit(request) {
                Err(reply) => reply,
                Ok(admitted) => {
                    let reply = self.carry_out(&mut state, request)?;
                    state.gate.settle(admitted, &reply);
                    reply
                }
            };
            write_json(&ingress.path, &*state, ingress.sync)?;
            reply
        };
        self.world.return_if_due()?;
        Ok(reply)
    }

    fn carry_out(&self, state: &mut IngressState, request: &Request) -> Result<Reply, LabError> {
        let Switch { route: name, cluster } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(reply),
        };
        let Some(route) = state.routes.get_mut(&name) else {
            return Ok(Reply::error(404, "unknown route"));
        };
        let Some(target) = self.world.cluster_by_id(&cluster) else {
            return Ok(Reply::error(404, "unknown cluster"));
        };
        if !self.world.is_up(&self.world.clusters[target].control_plane_part()) {
            return Ok(Reply::error(503, "ClusterUnreachable"));
        }
        let epoch = self.world.clusters[target].control_plane.epoch();
        if route.cluster != cluster || route.epoch != epoch {
            let at = now_text();
            self.world.ledger.record(&Fact::Switched {
                at: at.clone(),
                route: name.clone(),
                cluster: cluster.clone(),
                epoch,
            })?;
            *route = Route { cluster: cluster.clone(), epoch, switched_at: Some(at) };
        }
        Ok(Reply::ok(
            json!({ "route": name, "cluster": cluster, "epoch": epoch, "accepted": true, "message": "switch scheduled" }),
        ))
    }
}

/// The plain port of the ingress, where clients come in.
pub(crate) struct IngressDataPort {
    pub(crate) world: Arc<World>,
}

#[derive(Deserialize)]
struct Append {
    route: String,
    group_id: String,
    payload: String,
}

impl Service for IngressDataPort {
    fn is_up(&self) -> bool {
        true
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        let reply = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/append") => self.append(request),
            ("GET", "/whoami") => Ok(self.whoami(request)),
            ("GET", path) if path.starts_with("/entries/") => self.entry(request),
            _ => Ok(Reply::no_route(request)),
        };
        Some(reply.unwrap_or_else(|error| error.reply()))
    }
}

impl IngressDataPort {
    fn append(&self, request: &Request) -> Result<Reply, LabError> {
        let Append { route, group_id, payload } = match body(request) {
            Ok(body) => body,
            Err(reply) => return Ok(reply),
        };
        let Some(route) = self.world.ingress.route(&route) else {
            return Ok(Reply::error(404, "unknown route"));
        };
        let Some(group) = self.world.group_number(&group_id) else {
            return Ok(Reply::error(404, "partition group not registered"));
        };
        let Some((cluster, node)) = self.upstream(&route, group) else {
            return Ok(Reply::error(502, "UPSTREAM_DOWN"));
        };
        data_port::append(&self.world, cluster, node, group, route.epoch, &payload)
    }

    /// The leader of the group in the route's cluster; any live node answers for a group without one.
    fn upstream(&self, route: &Route, group: usize) -> Option<(usize, usize)> {
        let cluster = self.world.cluster_by_id(&route.cluster)?;
        let leader = self.world.clusters[cluster].group(group).leader();
        let nodes = leader.into_iter().chain(0..self.world.clusters[cluster].nodes.len());
        let node = nodes.into_iter().find(|node| self.world.node_is_up(cluster, *node))?;
        Some((cluster, node))
    }

    fn entry(&self, request: &Request) -> Result<Reply, LabError> {
        let route = request.query.get("route").and_then(|name| self.world.ingress.route(name));
        let Some(route) = route else {
            return Ok(Reply::error(404, "unknown route"));
        };
        let group =
            request.path.trim_start_matches("/entries/").split('/').next().and_then(|id| self.world.group_number(id));
        let Some(group) = group else {
            return Ok(Reply::error(404, "no such entry"));
        };
        let Some((cluster, node)) = self.upstream(&route, group) else {
            return Ok(Reply::error(502, "UPSTREAM_DOWN"));
        };
        data_port::entry(&self.world, cluster, node, &request.path)
    }

    fn whoami(&self, request: &Request) -> Reply {
        let name = request.query.get("route").cloned().unwrap_or_default();
        match self.world.ingress.route(&name) {
            Some(route) => Reply::ok(json!({ "route": name, "cluster": route.cluster, "epoch": route.epoch })),
            None => Reply::error(404, "unknown route"),
        }
    }
}
