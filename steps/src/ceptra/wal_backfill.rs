//! `ceptra.wal_backfill`: every replica of a group gets the entries it lacks, from verified shipments only.

use super::freeze::dr;
use super::ops::Operations;
use super::shipments::{Chosen, Store};
use super::world::{Cluster, Node};
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

/// Fetches, verifies and applies a group's shipments.
pub(super) struct WalBackfill;

/// The operation that applies one shipment on one node; its probe tells whether a range is there, byte for byte.
pub(super) const APPLY: &str = "apply_shipment";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    group: String,
    #[serde(default = "dr")]
    cluster: String,
    #[serde(default)]
    replicas: Option<Vec<String>>,
}

/// Parameters of the operation for one range on one node.
pub(super) fn range_params(
    node: &Node,
    cluster: &Cluster,
    group: &str,
    object: &str,
    (from, to): (u64, u64),
    sha256: &str,
) -> Result<super::binding::Params, StepError> {
    node.params(cluster, json!({"group_id": group, "object": object, "sha256": sha256, "from": from, "to": to}))
}

/// What one replica got.
struct Applied {
    node: String,
    applied: u64,
    present: u64,
}

async fn apply(
    ops: &Operations<'_>,
    cluster: &Cluster,
    node: &Node,
    group: &str,
    ranges: &[Chosen],
) -> Result<Applied, StepError> {
    let (mut applied, mut present) = (0, 0);
    for range in ranges {
        let params = range_params(node, cluster, group, &range.object, (range.from, range.to), &range.sha256)?;
        if let Probed::Done(_) = ops.probe(APPLY, params.clone()).await? {
            present += 1;
            continue;
        }
        ops.perform(APPLY, params, Some(&format!("{}:{}", node.id, range.from))).await?;
        applied += 1;
    }
    Ok(Applied { node: node.id.clone(), applied, present })
}

impl Step for WalBackfill {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::required("group", Shape::String, "Partition group, one of the target's."),
                shape::cluster("Cluster whose replicas are filled; default `dr`."),
                Field::optional("replicas", shape::list(Shape::String), "Nodes to fill; default the group's replicas."),
            ]),
            example: "[steps.backfill]\ntype = \"ceptra.wal_backfill\"\nfor_each = \"{{ target.partition_groups }}\"\nkey = \"{{ item.group_id }}\"\nwith = { group = \"{{ item.group_id }}\" }\n",
            effect: |_| Effect::Idempotent,
            output: |_| {
                let range = vec![
                    shape::out("from", Shape::Integer, "First index."),
                    shape::out("to", Shape::Integer, "Last index."),
                    shape::out("object", Shape::String, "Shipment that was taken."),
                    shape::out("generation", Shape::Integer, "Which upload of the range."),
                    shape::out("bytes", Shape::Integer, "Its length."),
                    shape::out("sha256", Shape::String, "Its digest, equal to the baseline's."),
                    shape::out("refused", shape::list(Shape::String), "Newer uploads that do not equal the baseline."),
                ];
                let replica = vec![
                    shape::out("node", Shape::String, "The node."),
                    shape::out("applied", Shape::Integer, "Shipments that it took."),
                    shape::out("present", Shape::Integer, "Shipments whose entries it had already."),
                ];
                shape::object(vec![
                    shape::out("group_id", Shape::String, "The group."),
                    shape::out("last_index", Shape::Integer, "Last entry of the baseline."),
                    shape::out("baseline", Shape::String, "Hash of the baseline."),
                    shape::out(
                        "refused",
                        Shape::Integer,
                        "Uploads that were passed over because they do not equal the baseline.",
                    ),
                    shape::out("ranges", shape::list(shape::object(range)), "Shipments that were taken."),
                    shape::out("replicas", shape::list(shape::object(replica)), "What each replica got."),
                ])
            },
            operations: |_| vec![APPLY],
            ..shape::reading(
                "ceptra.wal_backfill",
                "Fetches a group's WAL shipments, verifies them against the baseline and applies them to every replica.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let group = world::group(cx, &params.group)?;
            let cluster = world::cluster(cx, &params.cluster)?;
            let store = Store::of(cx, &group)?;
            let baseline = store.baseline(&group.group_id).await?;
            let chosen = store.choose(&baseline).await?;
            let names = params.replicas.as_ref().unwrap_or(&group.replicas);
            let nodes = names.iter().map(|name| cluster.node(name)).collect::<Result<Vec<_>, _>>()?;
            if nodes.is_empty() {
                return Err(StepError::parameter(format!("group `{}` has no replicas to fill", group.group_id)));
            }
            let ops = Operations::of(cx).await?;
            let filled = join_all(nodes.iter().map(|node| apply(&ops, &cluster, node, &group.group_id, &chosen))).await;
            let filled = filled.into_iter().collect::<Result<Vec<_>, _>>()?;
            let replicas = filled.iter();
            let replicas: Vec<Value> = replicas
                .map(|done| json!({"node": done.node, "applied": done.applied, "present": done.present}))
                .collect();
            let refused: usize = chosen.iter().map(|range| range.refused.len()).sum();
            Ok(json!({
                "group_id": group.group_id, "last_index": baseline.last_index, "baseline": baseline.content_hash,
                "refused": refused, "ranges": chosen, "replicas": replicas,
            }))
        })
    }
}
