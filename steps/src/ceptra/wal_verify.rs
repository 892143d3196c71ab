//! `ceptra.wal_verify`: what each replica holds equals the baseline; the only source of `verified = true`.

use super::freeze::dr;
use super::ops::Operations;
use super::shipments::{Store, blocking};
use super::wal_backfill::{APPLY, range_params};
use super::wal_scan;
use super::world::{Cluster, Group, Node};
use super::{evidence, shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::scan::Verdict;
use ceptra_flow_formats::shipment::{Baseline, Range};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

/// Compares a group's replicas with the baseline.
pub(super) struct WalVerify;

/// The type's name, which evidence carries.
pub(super) const KIND: &str = "ceptra.wal_verify";
const STATUS: &str = "wal_status";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    group: String,
    #[serde(default = "dr")]
    cluster: String,
    #[serde(default)]
    replicas: Option<Vec<String>>,
}

/// Compares one replica: its end, every range's digest, and its files where they can be read from here.
async fn compare(
    ops: &Operations<'_>,
    cx: &StepContext,
    cluster: &Cluster,
    node: &Node,
    group: &Group,
    baseline: &Baseline,
) -> Result<Value, StepError> {
    let id = &group.group_id;
    let differs = |why: String| StepError::nothing("mismatch", format!("{id} on {}/{}: {why}", cluster.id, node.id));
    let status = ops.query(STATUS, node.params(cluster, json!({"group_id": id}))?).await?;
    let last_index = status.get("last_index").and_then(Value::as_u64);
    if last_index != Some(baseline.last_index) {
        let has = last_index.map_or("nothing".to_owned(), |index| format!("entry {index}"));
        return Err(differs(format!("ends with {has}, the baseline with entry {}", baseline.last_index)));
    }
    for range in &baseline.ranges {
        let params = range_params(node, cluster, id, "", (range.from, range.to), &range.sha256)?;
        match ops.probe(APPLY, params).await? {
            Probed::Done(_) => {}
            Probed::NotDone(seen) => return Err(differs(not_equal(range, &seen.to_string()))),
            Probed::Unknown(why) => return Err(differs(not_equal(range, &why))),
        }
    }
    let files = scanned(cx, node, group, baseline).await?;
    Ok(json!({"node": node.id, "last_index": baseline.last_index, "ranges": baseline.ranges.len(), "files": files}))
}

fn not_equal(range: &Range, seen: &str) -> String {
    format!("entries {} to {} do not have the baseline's digest {}: {seen}", range.from, range.to, range.sha256)
}

async fn scanned(cx: &StepContext, node: &Node, group: &Group, baseline: &Baseline) -> Result<Value, StepError> {
    let Some(root) = &node.wal_root else { return Ok(Value::Null) };
    let folder = world::local(cx, root)?.join(&baseline.partition_id);
    if !folder.is_dir() {
        return Ok(Value::Null);
    }
    let shown = folder.display().to_string();
    let report = blocking(move || wal_scan::scan_folder(&folder)).await?;
    let reached = report.last_good.map(|last| last.index);
    if report.verdict != Verdict::Healthy || reached != Some(baseline.last_index) {
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
        let why = format!(
            "{}: {shown} is {:?}, good up to {reached:?}: {}",
            group.group_id,
            report.verdict,
            found.join("; ")
        );
        return Err(StepError::nothing("mismatch", why));
    }
    Ok(json!({"verdict": report.verdict, "frames": report.frames}))
}

impl Step for WalVerify {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::required("group", Shape::String, "Partition group, one of the target's."),
                shape::cluster("Cluster whose replicas are compared; default `dr`."),
                Field::optional(
                    "replicas",
                    shape::list(Shape::String),
                    "Nodes to compare; default the group's replicas.",
                ),
            ]),
            example: "[steps.verify]\ntype = \"ceptra.wal_verify\"\nfor_each = \"{{ target.partition_groups }}\"\nkey = \"{{ item.group_id }}\"\nwith = { group = \"{{ item.group_id }}\" }\n",
            output: |_| {
                let replica = vec![
                    shape::out("node", Shape::String, "The node."),
                    shape::out("last_index", Shape::Integer, "Its last entry."),
                    shape::out("ranges", Shape::Integer, "Ranges whose digest equals the baseline's."),
                    shape::out(
                        "files",
                        shape::or_null(Shape::Any),
                        "Verdict over its files, where they can be read from here.",
                    ),
                ];
                shape::object(vec![
                    shape::out("group_id", Shape::String, "The group."),
                    shape::out("verified", Shape::Boolean, "Always true: the step is done only then."),
                    shape::out("last_applied_offset", Shape::Integer, "Last entry, on every replica."),
                    shape::out("epoch", Shape::Integer, "Epoch at the time of the last upload."),
                    shape::out("baseline", Shape::String, "Hash of the baseline."),
                    shape::out("replicas", shape::list(shape::object(replica)), "What was compared on each replica."),
                    shape::evidence(),
                ])
            },
            operations: |_| vec![STATUS, APPLY],
            ..shape::reading(
                KIND,
                "Compares frames, digests and offsets of every replica of a group with the shipments' baseline.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let group = world::group(cx, &params.group)?;
            let cluster = world::cluster(cx, &params.cluster)?;
            let baseline = Store::of(cx, &group)?.baseline(&group.group_id).await?;
            let names = params.replicas.as_ref().unwrap_or(&group.replicas);
            let nodes = names.iter().map(|name| cluster.node(name)).collect::<Result<Vec<_>, _>>()?;
            if nodes.is_empty() {
                return Err(StepError::parameter(format!("group `{}` has no replicas to compare", group.group_id)));
            }
            let ops = Operations::of(cx).await?;
            let compared =
                join_all(nodes.iter().map(|node| compare(&ops, cx, &cluster, node, &group, &baseline))).await;
            let replicas = compared.into_iter().collect::<Result<Vec<_>, _>>()?;
            let output = json!({
                "group_id": group.group_id, "verified": true, "last_applied_offset": baseline.last_index,
                "epoch": baseline.epoch, "baseline": baseline.content_hash, "replicas": replicas,
            });
            Ok(evidence::seal(cx, KIND, output))
        })
    }
}
