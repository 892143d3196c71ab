//! `ceptra.freeze`: no replica of a group takes another append under the old epoch.

use super::ops::Operations;
use super::{evidence, shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use serde::Deserialize;
use serde_json::{Value, json};

/// Freezes a partition group; its inverse lifts the fence as long as the epoch has not reached it.
pub(super) struct Freeze;

/// The type's name, which evidence carries.
pub(super) const KIND: &str = "ceptra.freeze";
const FREEZE: &str = "freeze_partition_group";
const UNFREEZE: &str = "unfreeze_partition_group";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    group: String,
    #[serde(default = "dr")]
    cluster: String,
}

/// The key of the cluster that takes over.
pub(super) fn dr() -> String {
    "dr".to_owned()
}

impl Params {
    fn operation(&self, cx: &StepContext) -> Result<super::binding::Params, StepError> {
        let group = world::group(cx, &self.group)?;
        world::cluster(cx, &self.cluster)?.params(json!({"group_id": group.group_id, "partitions": group.partitions}))
    }
}

/// Whether a group is frozen now.
pub(super) async fn probe(
    ops: &Operations<'_>,
    cx: &StepContext,
    cluster: &str,
    group: &str,
) -> Result<Probed, StepError> {
    let params = Params { group: group.to_owned(), cluster: cluster.to_owned() };
    ops.probe(FREEZE, params.operation(cx)?).await
}

fn output(cx: &StepContext, group: &str, seen: &Value) -> Value {
    let output = json!({
        "group_id": group,
        "frozen": true,
        "fence_epoch": seen.get("fence_epoch"),
        "leader": seen.get("leader"),
        "seen": seen,
    });
    evidence::seal(cx, KIND, output)
}

impl Step for Freeze {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::required("group", Shape::String, "Partition group to freeze, one of the target's."),
                shape::cluster("Cluster whose control plane is asked; default `dr`."),
            ]),
            example: "[steps.freeze]\ntype = \"ceptra.freeze\"\nfor_each = \"{{ target.partition_groups }}\"\nkey = \"{{ item.group_id }}\"\nwith = { group = \"{{ item.group_id }}\" }\n",
            output: |_| {
                shape::object(vec![
                    shape::out("group_id", Shape::String, "The group."),
                    shape::out("frozen", Shape::Boolean, "Always true: the step is done only then."),
                    shape::out("fence_epoch", shape::or_null(Shape::Integer), "Appends below this epoch are rejected."),
                    shape::out("leader", shape::or_null(Shape::String), "The group's leader at that moment."),
                    shape::out("seen", Shape::Any, "What the control plane answered."),
                    shape::evidence(),
                ])
            },
            undoes: true,
            operations: |_| vec![FREEZE, UNFREEZE],
            ..shape::probing(KIND, "Fences a partition group: every replica rejects appends under the old epoch.")
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            let seen = ops.perform(FREEZE, params.operation(cx)?, None).await?;
            Ok(output(cx, &params.group, &seen))
        })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            Ok(match ops.probe(FREEZE, params.operation(cx)?).await? {
                Probed::Done(seen) => Probed::Done(output(cx, &params.group, &seen)),
                other => other,
            })
        })
    }

    fn undo<'a>(&'a self, with: Value, _output: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            let seen = ops.perform(UNFREEZE, params.operation(cx)?, Some("undo")).await?;
            Ok(json!({"group_id": params.group, "frozen": false, "seen": seen}))
        })
    }
}
