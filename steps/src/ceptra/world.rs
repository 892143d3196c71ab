//! The target as the CEPtra types read it: clusters, groups, routes, stores.
//!
//! Only the part that is asked for is resolved, so that a step does not fail over an address it never uses.

use super::binding::Params;
use crate::context::StepContext;
use crate::error::StepError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// One cluster of the target.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) id: String,
    #[serde(default)]
    pub(super) control_plane: Option<String>,
    #[serde(default)]
    pub(super) nodes: Vec<Node>,
    #[serde(default)]
    pub(super) cp_quorum: Option<usize>,
}

/// One node of a cluster.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    #[serde(default)]
    pub(super) admin: Option<String>,
    #[serde(default)]
    pub(super) wal_root: Option<String>,
}

/// One partition group.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Group {
    pub(super) group_id: String,
    #[serde(default)]
    pub(super) partitions: Vec<String>,
    #[serde(default)]
    pub(super) replicas: Vec<String>,
    #[serde(default)]
    pub(super) shipments: Option<String>,
    #[serde(default)]
    pub(super) baseline: Option<String>,
}

/// One way in for clients.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Route {
    pub(super) route: String,
    #[serde(default)]
    pub(super) admin: Option<String>,
}

/// Parameters of a step, once rendered.
pub(super) fn params<T: DeserializeOwned>(with: Value) -> Result<T, StepError> {
    // No `with` at all means no parameters.
    let with = if with.is_null() { Value::Object(Map::new()) } else { with };
    serde_json::from_value(with).map_err(|error| StepError::parameter(error.to_string()))
}

/// The cluster under a key of `[clusters]`, or with an id.
pub(super) fn cluster(cx: &StepContext, name: &str) -> Result<Cluster, StepError> {
    read(cx, &format!("clusters.{name}"), written_cluster(cx, name)?)
}

/// The same cluster's id; needs none of its addresses.
pub(super) fn cluster_id(cx: &StepContext, name: &str) -> Result<String, StepError> {
    let id = written_cluster(cx, name)?.get("id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| incomplete(format!("clusters.{name} has no id")))
}

fn written_cluster<'c>(cx: &'c StepContext, name: &str) -> Result<&'c Value, StepError> {
    let clusters = cx.target.get("clusters").and_then(Value::as_object);
    let clusters = clusters.ok_or_else(|| incomplete("it has no [clusters]".to_owned()))?;
    let by_id = || clusters.values().find(|cluster| cluster.get("id").and_then(Value::as_str) == Some(name));
    clusters.get(name).or_else(by_id).ok_or_else(|| {
        let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
        incomplete(format!("it has no cluster `{name}`, only {}", known.join(", ")))
    })
}

/// Every partition group, in the target's order.
pub(super) fn groups(cx: &StepContext) -> Result<Vec<Group>, StepError> {
    list(cx, "partition_groups")
}

/// The group with an id.
pub(super) fn group(cx: &StepContext, id: &str) -> Result<Group, StepError> {
    let groups = groups(cx)?;
    let known: Vec<String> = groups.iter().map(|group| group.group_id.clone()).collect();
    let found = groups.into_iter().find(|group| group.group_id == id);
    found.ok_or_else(|| incomplete(format!("it has no partition group `{id}`, only {}", known.join(", "))))
}

/// Every route, in the target's order.
pub(super) fn routes(cx: &StepContext) -> Result<Vec<Route>, StepError> {
    list(cx, "ingress")
}

/// The route with a name.
pub(super) fn route(cx: &StepContext, name: &str) -> Result<Route, StepError> {
    let routes = routes(cx)?;
    let known: Vec<String> = routes.iter().map(|route| route.route.clone()).collect();
    let found = routes.into_iter().find(|route| route.route == name);
    found.ok_or_else(|| incomplete(format!("it has no ingress route `{name}`, only {}", known.join(", "))))
}

/// A text under `[section]`, resolved; nothing if it is not there.
pub(super) fn text(cx: &StepContext, section: &str, key: &str) -> Result<Option<String>, StepError> {
    let Some(found) = cx.target.get(section).and_then(|section| section.get(key)) else { return Ok(None) };
    match cx.resolve(found.clone())? {
        Value::String(text) => Ok(Some(text)),
        other => Err(incomplete(format!("{section}.{key} must be text, not {other}"))),
    }
}

/// A place in a store that is mounted here: a path or a `file://` URL.
pub(super) fn local(cx: &StepContext, place: &str) -> Result<PathBuf, StepError> {
    match place.split_once("://") {
        None => Ok(cx.path(place)),
        Some(("file", path)) => Ok(PathBuf::from(path)),
        Some((scheme, _)) => {
            Err(incomplete(format!("`{place}`: this version reads `file://` and paths, not `{scheme}://`")))
        }
    }
}

impl Cluster {
    /// Parameters of an operation on this cluster's control plane.
    pub(super) fn params(&self, more: Value) -> Result<Params, StepError> {
        let address = self.control_plane.as_ref();
        let address = address.ok_or_else(|| incomplete(format!("cluster `{}` has no control_plane", self.id)))?;
        Ok(with_address("control_plane", address, &self.id, more))
    }

    /// The node with an id.
    pub(super) fn node(&self, id: &str) -> Result<&Node, StepError> {
        let found = self.nodes.iter().find(|node| node.id == id);
        found.ok_or_else(|| incomplete(format!("cluster `{}` has no node `{id}`", self.id)))
    }
}

impl Node {
    /// Parameters of an operation on this node.
    pub(super) fn params(&self, cluster: &Cluster, more: Value) -> Result<Params, StepError> {
        let address = self.admin.as_ref();
        let address = address.ok_or_else(|| incomplete(format!("node `{}` has no admin address", self.id)))?;
        Ok(with_address("node", address, &cluster.id, more))
    }
}

impl Route {
    /// Parameters of an operation on this route.
    pub(super) fn params(&self, cluster: &Cluster) -> Result<Params, StepError> {
        let address = self.admin.as_ref().or(cluster.control_plane.as_ref());
        let address =
            address.ok_or_else(|| incomplete(format!("ingress route `{}` has no admin address", self.route)))?;
        let mut params = with_address("ingress", address, &cluster.id, json!({"route": self.route}));
        if let Some(control_plane) = &cluster.control_plane {
            params.insert("control_plane".to_owned(), json!(control_plane));
        }
        Ok(params)
    }
}

fn with_address(name: &str, address: &str, cluster: &str, more: Value) -> Params {
    let mut params = Params::new();
    params.insert(name.to_owned(), json!(address.trim_end_matches('/')));
    params.insert("cluster".to_owned(), json!(cluster));
    if let Value::Object(more) = more {
        params.extend(more);
    }
    params
}

fn list<T: DeserializeOwned>(cx: &StepContext, key: &str) -> Result<Vec<T>, StepError> {
    let Some(found) = cx.target.get(key) else { return Err(incomplete(format!("it has no [[{key}]]"))) };
    read(cx, key, found)
}

fn read<T: DeserializeOwned>(cx: &StepContext, what: &str, value: &Value) -> Result<T, StepError> {
    serde_json::from_value(cx.resolve(value.clone())?).map_err(|error| incomplete(format!("{what}: {error}")))
}

fn incomplete(why: String) -> StepError {
    StepError::nothing("target", format!("the target does not say enough: {why}"))
}
