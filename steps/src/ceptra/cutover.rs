//! `ceptra.cutover`: the new cluster's epoch rises, and with it the old one's authority ends.
//!
//! The output is the object that `dr_cutover run` prints, nothing more. Before the call the rules and
//! the fences are checked once more; after it the control plane is asked until it shows the new epoch.

use super::ops::Operations;
use super::{plan, shape, validate, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::dr_plan::DrPlan;
use serde::Deserialize;
use serde_json::{Value, json};

/// Carries out a DR plan.
pub(super) struct Cutover;

const ADVANCE: &str = "advance_epoch";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    plan: Value,
}

fn operation(cx: &StepContext, plan: &DrPlan) -> Result<super::binding::Params, StepError> {
    let epochs = json!({"source_epoch": plan.source_epoch, "target_epoch": plan.target_epoch});
    world::cluster(cx, &plan.dr_cluster)?.params(epochs)
}

fn report(plan: &DrPlan) -> Value {
    json!(plan.report())
}

impl Step for Cutover {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![Field::required(
                "plan",
                Shape::Any,
                "Output of a `ceptra.plan` step: {{ steps.ID.output }}.",
            )]),
            example: "[steps.cutover]\ntype = \"ceptra.cutover\"\nneeds = [\"plan\"]\npoint_of_no_return = true\nwith = { plan = \"{{ steps.plan.output }}\" }\n",
            output: |_| {
                shape::object(vec![
                    shape::out("primary_cluster", Shape::String, "Cluster that was lost."),
                    shape::out("dr_cluster", Shape::String, "Cluster that took over."),
                    shape::out("fenced_groups", shape::list(Shape::String), "Groups that are fenced."),
                    shape::out(
                        "verified_shipments",
                        shape::list(Shape::String),
                        "Groups whose shipments were verified.",
                    ),
                    shape::out("ingress_rerouted", shape::list(Shape::String), "Routes that were declared."),
                    shape::out("reconciled_epoch", Shape::Integer, "Epoch that holds now."),
                ])
            },
            operations: |_| vec!["freeze_partition_group", ADVANCE],
            check: |with| shape::must_be_reference(with, "plan").into_iter().collect(),
            ..shape::probing(
                "ceptra.cutover",
                "Advances the epoch as the DR plan says; done when the control plane shows it. Gives dr_cutover's report.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let plan = plan::open(cx, &params.plan)?;
            let ops = Operations::of(cx).await?;
            validate::check(&ops, cx, &plan).await?;
            ops.perform(ADVANCE, operation(cx, &plan)?, None).await?;
            Ok(report(&plan))
        })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let plan = plan::open(cx, &params.plan)?;
            let ops = Operations::of(cx).await?;
            Ok(match ops.probe(ADVANCE, operation(cx, &plan)?).await? {
                Probed::Done(_) => Probed::Done(report(&plan)),
                other => other,
            })
        })
    }
}
