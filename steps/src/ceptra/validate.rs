//! `ceptra.validate`: the DR plan satisfies every rule, and the world still agrees with it.

use super::ops::Operations;
use super::{epoch, evidence, freeze, plan, shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::dr_plan::DrPlan;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

/// Validates a DR plan.
pub(super) struct Validate;

const KIND: &str = "ceptra.validate";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    plan: Value,
}

/// The rules, then the world: every group is frozen now. All that is wrong is said at once.
pub(super) async fn check(ops: &Operations<'_>, cx: &StepContext, plan: &DrPlan) -> Result<(), StepError> {
    plan.validate().map_err(|refusal| StepError::nothing("refused", refusal.to_string()))?;
    let groups = plan.partition_groups.iter().map(|group| async {
        let seen = freeze::probe(ops, cx, &plan.dr_cluster, &group.group_id).await?;
        Ok(match seen {
            Probed::Done(_) => None,
            Probed::NotDone(seen) => Some(format!("partition group {} is not frozen any more: {seen}", group.group_id)),
            Probed::Unknown(why) => {
                Some(format!("partition group {}: nobody tells whether it is frozen: {why}", group.group_id))
            }
        })
    });
    let found = join_all(groups).await.into_iter().collect::<Result<Vec<_>, StepError>>()?;
    let problems: Vec<String> = found.into_iter().flatten().collect();
    if problems.is_empty() { Ok(()) } else { Err(StepError::nothing("refused", problems.join("; "))) }
}

impl Step for Validate {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![Field::required(
                "plan",
                Shape::Any,
                "Output of a `ceptra.plan` step: {{ steps.ID.output }}.",
            )]),
            example: "[steps.validate]\ntype = \"ceptra.validate\"\nneeds = [\"plan\"]\nwith = { plan = \"{{ steps.plan.output }}\" }\n",
            output: |_| {
                shape::object(vec![
                    shape::out("summary", Shape::String, "What `dr_cutover validate` prints."),
                    shape::out("sha256", Shape::String, "Digest of the plan's file."),
                    shape::out("source_epoch", Shape::Integer, "Epoch that the control plane has."),
                    shape::out("target_epoch", Shape::Integer, "Epoch after the cutover."),
                    shape::evidence(),
                ])
            },
            operations: |_| vec!["freeze_partition_group", epoch::CLUSTER_EPOCH],
            check: |with| shape::must_be_reference(with, "plan").into_iter().collect(),
            ..shape::reading(
                KIND,
                "Checks the DR plan against dr_cutover's rules and stricter ones, and against the world as it is now.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let plan = plan::open(cx, &params.plan)?;
            let ops = Operations::of(cx).await?;
            check(&ops, cx, &plan).await?;
            let present = epoch::ask(&ops, &world::cluster(cx, &plan.dr_cluster)?).await?;
            if present != plan.source_epoch {
                let why = format!(
                    "the plan starts from epoch {}, {} has epoch {present}",
                    plan.source_epoch, plan.dr_cluster
                );
                return Err(StepError::nothing("refused", why));
            }
            let output = json!({
                "summary": plan.summary(), "sha256": params.plan.get("sha256"),
                "source_epoch": plan.source_epoch, "target_epoch": plan.target_epoch,
            });
            Ok(evidence::seal(cx, KIND, output))
        })
    }
}
