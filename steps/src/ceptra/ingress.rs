//! `ceptra.switch_ingress` and `ceptra.observe_ingress`: clients reach the cluster they should.

use super::freeze::dr;
use super::ops::Operations;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Probed, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use serde::Deserialize;
use serde_json::{Value, json};

/// Sends a route's clients to a cluster.
pub(super) struct SwitchIngress;
/// Looks where a route's clients end up.
pub(super) struct ObserveIngress;

const SWITCH: &str = "switch_ingress";
const OBSERVE: &str = "observe_ingress";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    route: String,
    #[serde(default = "dr")]
    cluster: String,
}

impl Params {
    fn operation(&self, cx: &StepContext) -> Result<super::binding::Params, StepError> {
        world::route(cx, &self.route)?.params(&world::cluster(cx, &self.cluster)?)
    }

    fn output(&self, seen: &Value) -> Value {
        json!({
            "route": self.route, "cluster": seen.get("cluster"), "epoch": seen.get("epoch"),
            "serving": seen.get("serving"), "answered_by": seen.get("answered_by"), "seen": seen,
        })
    }
}

fn described(name: &'static str, summary: &'static str, kind: fn(&'static str, &'static str) -> StepType) -> StepType {
    StepType {
        params: shape::table(vec![
            Field::required("route", Shape::String, "Ingress route, one of the target's."),
            shape::cluster("Cluster that shall answer; default `dr`."),
        ]),
        output: |_| {
            shape::object(vec![
                shape::out("route", Shape::String, "The route."),
                shape::out("cluster", shape::or_null(Shape::String), "Cluster that it leads to."),
                shape::out("epoch", shape::or_null(Shape::Integer), "Epoch under which it was published."),
                shape::out("serving", shape::or_null(Shape::Boolean), "Whether clients are served."),
                shape::out("answered_by", shape::or_null(Shape::String), "Who answered."),
                shape::out("seen", Shape::Any, "What was observed."),
            ])
        },
        ..kind(name, summary)
    }
}

impl Step for SwitchIngress {
    fn describe(&self) -> StepType {
        StepType {
            example: "[steps.switch]\ntype = \"ceptra.switch_ingress\"\nfor_each = \"{{ target.ingress }}\"\nkey = \"{{ item.route }}\"\nwith = { route = \"{{ item.route }}\" }\n",
            operations: |_| vec![SWITCH],
            ..described(
                "ceptra.switch_ingress",
                "Switches a route and waits until it answers from the new cluster.",
                shape::probing,
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            let seen = ops.perform(SWITCH, params.operation(cx)?, None).await?;
            Ok(params.output(&seen))
        })
    }

    fn probe<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Probed, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ops = Operations::of(cx).await?;
            Ok(match ops.probe(SWITCH, params.operation(cx)?).await? {
                Probed::Done(seen) => Probed::Done(params.output(&seen)),
                other => other,
            })
        })
    }
}

impl Step for ObserveIngress {
    fn describe(&self) -> StepType {
        StepType {
            example: "[steps.observe]\ntype = \"ceptra.observe_ingress\"\nwith = { route = \"lb:edge-1\" }\n",
            operations: |_| vec![OBSERVE],
            ..described(
                "ceptra.observe_ingress",
                "Observes from which cluster a route answers; fails if it is another one.",
                shape::reading,
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let wanted = world::cluster(cx, &params.cluster)?.id;
            let ops = Operations::of(cx).await?;
            let seen = ops.query(OBSERVE, params.operation(cx)?).await?;
            let leads_there = seen.get("cluster").and_then(Value::as_str) == Some(&wanted);
            if leads_there && seen.get("serving") != Some(&json!(false)) {
                return Ok(params.output(&seen));
            }
            let message = format!("{} does not serve from {wanted}: {seen}", params.route);
            Err(StepError::nothing("not_serving", message))
        })
    }
}
