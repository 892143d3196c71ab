//! `ceptra.cluster_epoch`: the epoch that everybody has agreed on so far.

use super::ops::Operations;
use super::{evidence, shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use serde::Deserialize;
use serde_json::{Value, json};

/// Asks the control planes for the present epoch.
pub(super) struct ClusterEpoch;

/// The type's name, which evidence carries.
pub(super) const KIND: &str = "ceptra.cluster_epoch";
/// The operation that asks.
pub(super) const CLUSTER_EPOCH: &str = "cluster_epoch";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "both")]
    clusters: Vec<String>,
    #[serde(default = "one")]
    must_answer: Vec<String>,
}

fn both() -> Vec<String> {
    vec!["dr".to_owned(), "primary".to_owned()]
}

fn one() -> Vec<String> {
    vec!["dr".to_owned()]
}

/// The epoch that one control plane knows.
pub(super) async fn ask(ops: &Operations<'_>, cluster: &world::Cluster) -> Result<u64, StepError> {
    let answer = ops.query(CLUSTER_EPOCH, cluster.params(Value::Null)?).await?;
    let epoch = answer.get("epoch").and_then(Value::as_u64);
    epoch.ok_or_else(|| StepError::nothing("parse", format!("{CLUSTER_EPOCH}: no `epoch` in {answer}")))
}

impl Step for ClusterEpoch {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::optional("clusters", shape::list(Shape::String), "Clusters to ask; default `dr` and `primary`."),
                Field::optional(
                    "must_answer",
                    shape::list(Shape::String),
                    "Clusters without whose answer the step fails; default `dr`.",
                ),
            ]),
            example: "[steps.epoch]\ntype = \"ceptra.cluster_epoch\"\n",
            output: |_| {
                shape::object(vec![
                    shape::out("epoch", Shape::Integer, "Highest epoch that any cluster knows."),
                    shape::out(
                        "answers",
                        Shape::Map(Box::new(Shape::Any)),
                        "What each cluster answered, or why it did not.",
                    ),
                    shape::evidence(),
                ])
            },
            operations: |_| vec![CLUSTER_EPOCH],
            ..shape::reading(KIND, "Asks the control planes for the present epoch and takes the highest.")
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            let mut answers = serde_json::Map::new();
            let mut highest = None;
            for name in &params.clusters {
                let cluster = world::cluster(cx, name)?;
                match ask(&ops, &cluster).await {
                    Ok(epoch) => {
                        highest = highest.max(Some(epoch));
                        answers.insert(cluster.id, json!({"epoch": epoch}));
                    }
                    Err(error) if params.must_answer.contains(name) => return Err(error),
                    Err(error) => {
                        answers.insert(cluster.id, json!({"error": error.message}));
                    }
                }
            }
            let epoch =
                highest.ok_or_else(|| StepError::nothing("connect", "no cluster tells its epoch".to_owned()))?;
            Ok(evidence::seal(cx, KIND, json!({"epoch": epoch, "answers": answers})))
        })
    }
}
