//! `manual`: a person carries out instructions. The core asks and waits, and the driver accepts it only when
//! the step's `verify` holds; nothing of it runs here.

use super::approval;
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, Shape, StepType, Table};
use serde_json::Value;

/// `manual`.
pub(super) struct Manual;

impl Step for Manual {
    fn describe(&self) -> StepType {
        StepType {
            name: "manual",
            summary: "Shows instructions to a person, and goes on when they are done and verified.",
            params: Table {
                fields: vec![
                    Field::required("instructions", Shape::String, "What to do, in Markdown."),
                    approval::answers(),
                ],
                open: false,
            },
            example: EXAMPLE,
            effect: |_| Effect::Probe,
            output: |_| Shape::Table(Table { fields: Vec::new(), open: true }),
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check: |_| Vec::new(),
            by_person: true,
            inline: false,
        }
    }

    fn run<'a>(&'a self, _with: Value, _cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(std::future::ready(Err(StepError::unsupported("`manual` is carried out by a person"))))
    }
}

const EXAMPLE: &str = r#"[steps.power]
type   = "manual"
with   = { instructions = "Switch on rack 7.", fields = { volts = { type = "integer", description = "What the meter shows" } } }
verify = [{ check = "output.volts > 220", message = "the rack has no power" }]
"#;
