//! `ceptra.elect`: who shall vote, from what the control plane says about its members.

use super::freeze::dr;
use super::ops::Operations;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::bootstrap::{self, Pod, Spec};
use serde::Deserialize;
use serde_json::{Value, json};

/// Computes the bootstrap plan and what it changes.
pub(super) struct Elect;

/// Asks who is a member; every installation that elects must bind it.
pub(super) const MEMBERSHIP: &str = "membership";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "dr")]
    cluster: String,
    #[serde(default)]
    cp_quorum: Option<usize>,
}

/// What a control plane says about its members.
#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    #[serde(default)]
    pub(super) cp_quorum: Option<usize>,
    pub(super) voters: Vec<String>,
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ordinal: u64,
    pub(super) ready: bool,
}

impl Membership {
    pub(super) async fn of(ops: &Operations<'_>, cluster: &world::Cluster) -> Result<Self, StepError> {
        let answer = ops.query(MEMBERSHIP, cluster.params(Value::Null)?).await?;
        let read = |error: serde_json::Error| StepError::nothing("parse", format!("{MEMBERSHIP}: {error} in {answer}"));
        Self::deserialize(&answer).map_err(read)
    }

    pub(super) fn is_ready(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name && member.ready)
    }
}

impl Step for Elect {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                shape::cluster("Cluster whose control plane elects; default `dr`."),
                Field::optional(
                    "cp_quorum",
                    Shape::Integer,
                    "Voters wanted, odd; default what the target or the control plane says.",
                ),
            ]),
            example: "[steps.elect]\ntype = \"ceptra.elect\"\n",
            output: |_| {
                let names = || shape::list(Shape::String);
                shape::object(vec![
                    shape::out("voters", names(), "Members that shall vote, by ordinal."),
                    shape::out("learners", names(), "All others."),
                    shape::out("assignments", Shape::Map(Box::new(names())), "Partitions per member."),
                    shape::out("promote", names(), "Members that must become voters."),
                    shape::out("evict", names(), "Voters that must go; promote first."),
                    shape::out("present", names(), "Voters before the change."),
                ])
            },
            operations: |_| vec![MEMBERSHIP],
            ..shape::reading(
                "ceptra.elect",
                "Computes voters, learners and assignments, and what must change for them.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let cluster = world::cluster(cx, &params.cluster)?;
            let ops = Operations::of(cx).await?;
            let membership = Membership::of(&ops, &cluster).await?;
            let cp_quorum = params.cp_quorum.or(cluster.cp_quorum).or(membership.cp_quorum);
            let cp_quorum = cp_quorum
                .ok_or_else(|| StepError::parameter("nobody says how many voters there shall be: set `cp_quorum`"))?;
            let partitions = world::groups(cx)?.into_iter().flat_map(|group| group.partitions).collect();
            let pods = membership.members.iter();
            let pods = pods
                .map(|member| Pod { name: member.name.clone(), ordinal: member.ordinal, ready: member.ready })
                .collect();
            let spec = Spec { cp_quorum, partitions, pods };
            spec.check().map_err(|problems| StepError::nothing("refused", format!("no election: {problems}")))?;
            Ok(changes(&bootstrap::plan(&spec), &membership.voters))
        })
    }
}

fn changes(plan: &bootstrap::Plan, present: &[String]) -> Value {
    let promote: Vec<&String> = plan.voters.iter().filter(|name| !present.contains(name)).collect();
    let evict: Vec<&String> = present.iter().filter(|name| !plan.voters.contains(name)).collect();
    json!({
        "voters": plan.voters, "learners": plan.learners, "assignments": plan.assignments,
        "promote": promote, "evict": evict, "present": present,
    })
}
