//! `ceptra.readyz`: enough partitions are ready, on every node that should hold them.

use super::freeze::dr;
use super::ops::Operations;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Waits until a cluster is ready.
pub(super) struct Readyz;

const READINESS: &str = "readiness";
/// Between two looks at all nodes; their readiness is published every second.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "dr")]
    cluster: String,
    #[serde(default = "nearly_all")]
    ratio: f64,
}

fn nearly_all() -> f64 {
    0.99
}

/// One look at all nodes.
struct Look {
    ready: usize,
    total: usize,
    waiting: Vec<String>,
}

impl Look {
    fn ratio(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "partitions are counted in thousands")]
        let (ready, total) = (self.ready as f64, self.total as f64);
        if self.total == 0 { 0.0 } else { ready / total }
    }

    fn output(&self) -> Value {
        json!({"ratio": self.ratio(), "ready": self.ready, "total": self.total, "waiting": self.waiting})
    }
}

async fn look(ops: &Operations<'_>, cluster: &world::Cluster, groups: &[world::Group]) -> Result<Look, StepError> {
    let asked = cluster.nodes.iter().map(|node| async move {
        let params = node.params(cluster, Value::Null)?;
        Ok((node, ops.query(READINESS, params).await))
    });
    let mut look = Look { ready: 0, total: 0, waiting: Vec::new() };
    for answer in join_all(asked).await {
        let (node, answer) = answer?;
        let held = groups.iter().filter(|group| group.replicas.contains(&node.id));
        for partition in held.flat_map(|group| &group.partitions) {
            look.total += 1;
            match why_not_ready(&answer, partition) {
                None => look.ready += 1,
                Some(why) => look.waiting.push(format!("{partition} on {}: {why}", node.id)),
            }
        }
    }
    Ok(look)
}

fn why_not_ready(answer: &Result<Value, StepError>, partition: &str) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Some(error.message.clone()),
    };
    let entries = answer.get("readiness").and_then(Value::as_array);
    let entry = entries.and_then(|entries| {
        entries.iter().find(|entry| entry.get("partition_id").and_then(Value::as_str) == Some(partition))
    });
    let Some(entry) = entry else { return Some("is not there".to_owned()) };
    let ratio = |key: &str| entry.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let (warmup, caught_up) = (ratio("warmup_ready_ratio"), ratio("partition_ready_ratio"));
    let state = entry.get("shadow_apply_state").and_then(Value::as_str).unwrap_or("unknown");
    let is_ready = state == "Ready" && warmup >= 1.0 && caught_up >= 1.0;
    (!is_ready).then(|| format!("{state}, warm-up {warmup}, caught up {caught_up}"))
}

impl Step for Readyz {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                shape::cluster("Cluster that shall be ready; default `dr`."),
                Field::optional(
                    "ratio",
                    Shape::Number,
                    "Part of the replicas' partitions that must be ready, 0 to 1; default 0.99.",
                ),
            ]),
            example: "[steps.ready]\ntype = \"ceptra.readyz\"\nwith = { ratio = 1.0 }\n",
            output: |_| {
                shape::object(vec![
                    shape::out("ratio", Shape::Number, "Ready ones of all."),
                    shape::out("ready", Shape::Integer, "Replicas' partitions that are ready."),
                    shape::out("total", Shape::Integer, "All of them."),
                    shape::out("waiting", shape::list(Shape::String), "Those that are not, and why."),
                ])
            },
            operations: |_| vec![READINESS],
            ..shape::reading("ceptra.readyz", "Waits, at most for its timeout, until enough partitions are ready.")
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            if !(0.0..=1.0).contains(&params.ratio) {
                return Err(StepError::parameter(format!("`ratio` must be from 0 to 1, not {}", params.ratio)));
            }
            let cluster = world::cluster(cx, &params.cluster)?;
            let groups = world::groups(cx)?;
            let ops = Operations::of(cx).await?;
            loop {
                let seen = look(&ops, &cluster, &groups).await?;
                if seen.total > 0 && seen.ratio() >= params.ratio {
                    return Ok(seen.output());
                }
                if ops.time_left() <= PAUSE {
                    let why = format!(
                        "{} of {} are ready, {} is asked for: {}",
                        seen.ready,
                        seen.total,
                        params.ratio,
                        seen.waiting.join("; ")
                    );
                    return Err(StepError::nothing("not_ready", why).with_detail(seen.output()));
                }
                ops.unless_stopped(tokio::time::sleep(PAUSE)).await?;
            }
        })
    }
}
