//! `ceptra.restore_control_plane`: the control plane holds what a verified snapshot holds.

use super::freeze::dr;
use super::ops::Operations;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use serde::Deserialize;
use serde_json::{Value, json};

/// Restores a control plane from a snapshot.
pub(super) struct RestoreControlPlane;

const RESTORE: &str = "restore_control_plane";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    snapshot: String,
    content_hash: String,
    #[serde(default = "dr")]
    cluster: String,
}

impl Params {
    fn operation(&self, cx: &StepContext) -> Result<super::binding::Params, StepError> {
        world::cluster(cx, &self.cluster)?.params(json!({"snapshot": self.snapshot, "content_hash": self.content_hash}))
    }

    fn output(&self, seen: &Value) -> Value {
        json!({"snapshot": self.snapshot, "content_hash": self.content_hash, "seen": seen})
    }
}

impl Step for RestoreControlPlane {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::required("snapshot", Shape::String, "The snapshot's folder below the object store."),
                Field::required("content_hash", Shape::String, "What its manifest must hash to: the verified value."),
                shape::cluster("Cluster whose control plane is restored; default `dr`."),
            ]),
            example: "[steps.restore]\ntype = \"ceptra.restore_control_plane\"\nneeds = [\"snapshot\"]\nwith = { snapshot = \"{{ steps.snapshot.output.snapshot }}\", content_hash = \"{{ steps.snapshot.output.content_hash }}\" }\n",
            output: |_| {
                shape::object(vec![
                    shape::out("snapshot", Shape::String, "The snapshot."),
                    shape::out("content_hash", Shape::String, "Its hash, which the control plane confirms."),
                    shape::out("seen", Shape::Any, "What the control plane answered."),
                ])
            },
            operations: |_| vec![RESTORE],
            ..shape::probing(
                "ceptra.restore_control_plane",
                "Restores a control plane from a snapshot and waits until it shows the snapshot's digest.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            let seen = ops.perform(RESTORE, params.operation(cx)?, None).await?;
            Ok(params.output(&seen))
        })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            Ok(match ops.probe(RESTORE, params.operation(cx)?).await? {
                Probed::Done(seen) => Probed::Done(params.output(&seen)),
                other => other,
            })
        })
    }
}
