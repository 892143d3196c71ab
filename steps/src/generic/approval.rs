//! `approval`: a person decides. The core asks and waits; nothing of it runs here.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde_json::Value;

/// `approval`.
pub(super) struct Approval;

impl Step for Approval {
    fn describe(&self) -> StepType {
        StepType {
            name: "approval",
            summary: "Asks a person, and goes on when enough of them agree.",
            params: Table { fields: params(), open: false },
            example: EXAMPLE,
            effect: |_| Effect::Read,
            output,
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check,
            by_person: true,
            inline: false,
        }
    }

    fn run<'a>(&'a self, _with: Value, _cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(std::future::ready(Err(StepError::unsupported("`approval` is decided by a person, not carried out"))))
    }
}

const EXAMPLE: &str = r#"[steps.go]
type = "approval"
with = { prompt = "Declare the loss of {{ target.target.name }}?", approvers = 2, not_initiator = true, expires = "30m" }
"#;

/// The declarations of typed answers, shared with `manual`.
pub(super) fn answers() -> Field {
    Field::optional(
        "fields",
        Shape::Map(Box::new(Shape::Table(Table { fields: Vec::new(), open: true }))),
        "Typed answers that are asked for and become the output: a table of input declarations (`type`, `description`, `pattern`, …). Default none.",
    )
}

fn params() -> Vec<Field> {
    vec![
        Field::required("prompt", Shape::String, "What is asked."),
        Field::optional(
            "choices",
            Shape::List(Box::new(Shape::String)),
            "What may be answered. Default: yes, or reject.",
        ),
        Field::optional("approvers", Shape::Integer, "How many different people must agree. Default 1."),
        Field::optional(
            "not_initiator",
            Shape::Boolean,
            "Whether the person who started the run does not count. Default false.",
        ),
        Field::optional(
            "expires",
            Shape::Duration,
            "How long the question stands; the step fails then. Default: without end.",
        ),
        Field::optional(
            "evidence",
            Shape::List(Box::new(Shape::String)),
            "Paths such as `steps.restore.output` whose values are shown and recorded with the question. Default none.",
        ),
        Field::optional(
            "rehearsal",
            Shape::OneOf(&["grant", "ask"]),
            "What happens where the target is a lab: `grant` lets the run go on by itself and says so. Default `ask`.",
        ),
        answers(),
    ]
}

/// Typed answers become the output, under the author's own keys; the checker reads those off `with`.
fn output(_with: &Value) -> Shape {
    Shape::Table(Table {
        fields: vec![Field::optional("choice", Shape::String, "The answer, where there were choices.")],
        open: true,
    })
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    if with.get("approvers").and_then(Value::as_i64).is_some_and(|count| !(1..=100).contains(&count)) {
        found.push(ParamProblem {
            field: "approvers",
            message: "it takes between 1 and 100 people to approve".to_owned(),
            help: "write how many different people must agree".to_owned(),
        });
    }
    if with.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        found.push(ParamProblem {
            field: "choices",
            message: "the list is empty, so nothing could be answered".to_owned(),
            help: "name the answers, or leave `choices` out for yes or no".to_owned(),
        });
    }
    found
}
