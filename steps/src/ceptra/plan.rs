//! `ceptra.plan`: the DR plan, put together from what earlier steps saw.
//!
//! A group is `freeze_issued` where a `ceptra.freeze` step saw its fence, and has a shipment with
//! `verified` where a `ceptra.wal_verify` step compared it. There is no parameter for either flag.

use super::freeze::dr;
use super::{epoch, evidence, freeze, shape, wal_verify, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::dr_plan::{DrPlan, PartitionGroup, WalShipment};
use ceptra_flow_formats::hash::Sha256Digest;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Assembles the DR plan.
pub(super) struct Plan;

/// The type's name, which evidence carries.
pub(super) const KIND: &str = "ceptra.plan";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    freezes: Value,
    shipments: Value,
    epoch: Value,
    #[serde(default)]
    routes: Option<Vec<String>>,
    #[serde(default = "primary")]
    primary: String,
    #[serde(default = "dr")]
    dr: String,
}

fn primary() -> String {
    "primary".to_owned()
}

/// Reads a plan that a `ceptra.plan` step of this run gave.
pub(super) fn open(cx: &StepContext, value: &Value) -> Result<DrPlan, StepError> {
    let output = evidence::open(cx, KIND, "plan", value)?;
    let plan = output.get("plan").cloned().unwrap_or(Value::Null);
    serde_json::from_value(plan).map_err(|error| StepError::parameter(format!("`plan`: {error}")))
}

impl Params {
    fn assemble(&self, cx: &StepContext) -> Result<DrPlan, StepError> {
        let freezes = evidence::open_all(cx, freeze::KIND, "freezes", &self.freezes)?;
        let shipments = evidence::open_all(cx, wal_verify::KIND, "shipments", &self.shipments)?;
        let epoch = number(evidence::open(cx, epoch::KIND, "epoch", &self.epoch)?, "epoch")?;
        let groups = world::groups(cx)?;
        let fence = highest(&freezes, "fence_epoch");
        let shipped = highest(&shipments, "epoch");
        if let Some(newer) = shipped.filter(|shipped| *shipped > epoch) {
            let why =
                format!("shipments were uploaded under epoch {newer}, but the control plane knows epoch {epoch} only");
            return Err(StepError::nothing("evidence", why));
        }
        let next = epoch
            .checked_add(1)
            .ok_or_else(|| StepError::nothing("evidence", format!("epoch {epoch} has no successor")))?;
        let routes = match &self.routes {
            Some(routes) => routes.clone(),
            None => world::routes(cx)?.into_iter().map(|route| route.route).collect(),
        };
        let mut plan = DrPlan {
            primary_cluster: world::cluster_id(cx, &self.primary)?,
            dr_cluster: world::cluster_id(cx, &self.dr)?,
            partition_groups: Vec::new(),
            wal_shipments: Vec::new(),
            ingress_routes: routes,
            source_epoch: epoch,
            // A group that is fenced further up would take no appends under a lower epoch.
            target_epoch: next.max(fence.unwrap_or(0)),
        };
        for group in groups {
            let id = group.group_id;
            if let Some(compared) = shipments.iter().copied().find(|output| is_of(output, &id)) {
                let last_applied_offset = number(compared, "last_applied_offset")?;
                plan.wal_shipments.push(WalShipment { group_id: id.clone(), verified: true, last_applied_offset });
            }
            let freeze_issued = freezes.iter().any(|output| is_of(output, &id));
            plan.partition_groups.push(PartitionGroup { group_id: id, freeze_issued });
        }
        Ok(plan)
    }
}

fn is_of(output: &Map<String, Value>, group_id: &str) -> bool {
    output.get("group_id").and_then(Value::as_str) == Some(group_id)
}

fn highest(outputs: &[&Map<String, Value>], key: &str) -> Option<u64> {
    outputs.iter().filter_map(|output| output.get(key).and_then(Value::as_u64)).max()
}

fn number(output: &Map<String, Value>, key: &str) -> Result<u64, StepError> {
    let found = output.get(key).and_then(Value::as_u64);
    found.ok_or_else(|| StepError::nothing("evidence", format!("the evidence has no whole number `{key}`")))
}

impl Step for Plan {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::required("freezes", Shape::Any, "Outputs of `ceptra.freeze` steps: {{ steps.ID.items }}."),
                Field::required("shipments", Shape::Any, "Outputs of `ceptra.wal_verify` steps: {{ steps.ID.items }}."),
                Field::required("epoch", Shape::Any, "Output of a `ceptra.cluster_epoch` step: {{ steps.ID.output }}."),
                Field::optional("routes", shape::list(Shape::String), "Ingress routes; default all of the target's."),
                Field::optional("primary", Shape::String, "Cluster that was lost; default `primary`."),
                Field::optional("dr", Shape::String, "Cluster that takes over; default `dr`."),
            ]),
            example: "[steps.plan]\ntype = \"ceptra.plan\"\nneeds = [\"freeze\", \"verify\", \"epoch\"]\nwith = { freezes = \"{{ steps.freeze.items }}\", shipments = \"{{ steps.verify.items }}\", epoch = \"{{ steps.epoch.output }}\" }\n",
            output: |_| {
                let group = vec![
                    shape::out("group_id", Shape::String, "The group."),
                    shape::out("freeze_issued", Shape::Boolean, "Whether its fence was seen."),
                ];
                let shipment = vec![
                    shape::out("group_id", Shape::String, "The group."),
                    shape::out("verified", Shape::Boolean, "Whether its replicas equal the baseline."),
                    shape::out("last_applied_offset", Shape::Integer, "Last entry."),
                ];
                let plan = vec![
                    shape::out("primary_cluster", Shape::String, "Cluster that was lost."),
                    shape::out("dr_cluster", Shape::String, "Cluster that takes over."),
                    shape::out("partition_groups", shape::list(shape::object(group)), "Every group of the target."),
                    shape::out("wal_shipments", shape::list(shape::object(shipment)), "Every group that was compared."),
                    shape::out("ingress_routes", shape::list(Shape::String), "Routes to switch."),
                    shape::out("source_epoch", Shape::Integer, "Epoch before."),
                    shape::out("target_epoch", Shape::Integer, "Epoch after."),
                ];
                shape::object(vec![
                    shape::out("plan", shape::object(plan), "The plan."),
                    shape::out("text", Shape::String, "The plan's file."),
                    shape::out("sha256", Shape::String, "Digest of that file."),
                    shape::evidence(),
                ])
            },
            check: |with| {
                ["freezes", "shipments", "epoch"]
                    .iter()
                    .filter_map(|field| shape::must_be_reference(with, field))
                    .collect()
            },
            ..shape::reading(
                KIND,
                "Assembles the DR plan from the evidence of earlier steps; no flag of it can be typed.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let plan = params.assemble(cx)?;
            let text = plan.render();
            let sha256 = Sha256Digest::of(text.as_bytes()).prefixed();
            Ok(evidence::seal(cx, KIND, json!({"plan": plan, "text": text, "sha256": sha256})))
        })
    }
}
