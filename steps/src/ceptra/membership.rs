//! `ceptra.promote_voter` and `ceptra.evict_voter`: membership as asked, quorum kept at every point.

use super::elect::{MEMBERSHIP, Membership};
use super::freeze::dr;
use super::ops::Operations;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use serde::Deserialize;
use serde_json::{Value, json};

/// Makes a standby a voter.
pub(super) struct PromoteVoter;
/// Takes a voter out.
pub(super) struct EvictVoter;

const PROMOTE: &str = "promote_voter";
const EVICT: &str = "evict_voter";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    member: String,
    #[serde(default = "dr")]
    cluster: String,
}

/// The two changes, which differ in the voters that result.
#[derive(Clone, Copy)]
enum Change {
    Promote,
    Evict,
}

impl Change {
    fn operation(self) -> &'static str {
        match self {
            Self::Promote => PROMOTE,
            Self::Evict => EVICT,
        }
    }

    /// Voters after the change.
    fn applied(self, voters: &[String], member: &str) -> Vec<String> {
        let others = voters.iter().filter(|name| *name != member).cloned();
        match self {
            Self::Promote => others.chain([member.to_owned()]).collect(),
            Self::Evict => others.collect(),
        }
    }

    /// Refuses a change in whose course no majority could decide.
    fn check(self, membership: &Membership, member: &str) -> Result<(), String> {
        if !membership.members.iter().any(|known| known.name == member) {
            let known: Vec<&str> = membership.members.iter().map(|known| known.name.as_str()).collect();
            return Err(format!("`{member}` is no member; members are {}", known.join(", ")));
        }
        if let Self::Promote = self
            && !membership.is_ready(member)
        {
            return Err(format!("`{member}` is not ready; a voter that cannot vote would cost quorum"));
        }
        let after = self.applied(&membership.voters, member);
        for (when, voters) in [("now", &membership.voters), ("afterwards", &after)] {
            let ready = voters.iter().filter(|name| membership.is_ready(name)).count();
            if ready * 2 <= voters.len() {
                return Err(format!(
                    "quorum would be lost: {when} {ready} of {} voters are ready ({})",
                    voters.len(),
                    voters.join(", ")
                ));
            }
        }
        Ok(())
    }

    async fn perform(self, params: &Params, cx: &StepContext, part: Option<&str>) -> Result<Value, StepError> {
        let cluster = world::cluster(cx, &params.cluster)?;
        let ops = Operations::of(cx).await?;
        let operation = cluster.params(json!({"member": params.member}))?;
        let membership = Membership::of(&ops, &cluster).await?;
        if let Probed::Done(seen) = ops.probe(self.operation(), operation.clone()).await? {
            return Ok(output(&params.member, &seen));
        }
        self.check(&membership, &params.member).map_err(|why| StepError::nothing("refused", why))?;
        let seen = ops.perform(self.operation(), operation, part).await?;
        Ok(output(&params.member, &seen))
    }

    async fn probe(self, params: &Params, cx: &StepContext) -> Result<Probed, StepError> {
        let ops = Operations::of(cx).await?;
        let operation = world::cluster(cx, &params.cluster)?.params(json!({"member": params.member}))?;
        Ok(match ops.probe(self.operation(), operation).await? {
            Probed::Done(seen) => Probed::Done(output(&params.member, &seen)),
            other => other,
        })
    }

    fn describe(self) -> StepType {
        let (name, summary, example, doc) = match self {
            Self::Promote => (
                "ceptra.promote_voter",
                "Makes a ready standby a voter of the control plane; refused if quorum would be lost.",
                "[steps.promote]\ntype = \"ceptra.promote_voter\"\nwith = { member = \"cp-b-3\" }\n",
                "Member to promote.",
            ),
            Self::Evict => (
                "ceptra.evict_voter",
                "Takes a voter out of the control plane; refused if quorum would be lost.",
                "[steps.evict]\ntype = \"ceptra.evict_voter\"\nwith = { member = \"cp-b-1\" }\n",
                "Voter to evict.",
            ),
        };
        StepType {
            params: shape::table(vec![
                Field::required("member", Shape::String, doc),
                shape::cluster("Cluster whose control plane changes; default `dr`."),
            ]),
            example,
            output: |_| {
                shape::object(vec![
                    shape::out("member", Shape::String, "The member."),
                    shape::out("voters", shape::or_null(shape::list(Shape::String)), "Voters after the change."),
                    shape::out("leader", shape::or_null(Shape::String), "Leader after the change."),
                    shape::out("seen", Shape::Any, "What the control plane answered."),
                ])
            },
            // A voter is evicted because it is lost; there is no way back but to bootstrap it anew.
            undoes: matches!(self, Self::Promote),
            operations: match self {
                Self::Promote => |_| vec![MEMBERSHIP, PROMOTE, EVICT],
                Self::Evict => |_| vec![MEMBERSHIP, EVICT],
            },
            ..shape::probing(name, summary)
        }
    }
}

fn output(member: &str, seen: &Value) -> Value {
    json!({"member": member, "voters": seen.get("voters"), "leader": seen.get("leader"), "seen": seen})
}

impl Step for PromoteVoter {
    fn describe(&self) -> StepType {
        Change::Promote.describe()
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move { Change::Promote.perform(&world::params(with)?, cx, None).await })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move { Change::Promote.probe(&world::params(with)?, cx).await })
    }

    fn undo<'a>(&'a self, with: Value, _output: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move { Change::Evict.perform(&world::params(with)?, cx, Some("undo")).await })
    }
}

impl Step for EvictVoter {
    fn describe(&self) -> StepType {
        Change::Evict.describe()
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move { Change::Evict.perform(&world::params(with)?, cx, None).await })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move { Change::Evict.probe(&world::params(with)?, cx).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership() -> Membership {
        let members: Vec<Value> = [("a", true), ("b", false), ("c", true), ("d", true), ("e", false)]
            .iter()
            .enumerate()
            .map(|(ordinal, (name, ready))| json!({"name": name, "ordinal": ordinal, "ready": ready}))
            .collect();
        serde_json::from_value(json!({"voters": ["a", "b", "c"], "members": members})).unwrap()
    }

    #[test]
    fn a_change_that_would_lose_quorum_is_refused() {
        let membership = membership();
        assert_eq!(Change::Promote.check(&membership, "d"), Ok(()));
        assert_eq!(Change::Evict.check(&membership, "b"), Ok(()));
        let refused = Change::Evict.check(&membership, "a").unwrap_err();
        assert_eq!(refused, "quorum would be lost: afterwards 1 of 2 voters are ready (b, c)");
        assert!(Change::Promote.check(&membership, "e").unwrap_err().contains("is not ready"));
        assert!(Change::Promote.check(&membership, "z").unwrap_err().contains("is no member"));
    }
}
