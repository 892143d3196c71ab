//! `set`: its parameters are its output.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Shape, StepType, Table};
use serde_json::Value;

/// `set`.
pub(super) struct Set;

impl Step for Set {
    fn describe(&self) -> StepType {
        StepType {
            name: "set",
            summary: "Computes values: what is written under `with` is the output.",
            params: Table { fields: Vec::new(), open: true },
            example: "[steps.names]\ntype = \"set\"\nwith = { bucket = \"backups-{{ run.name }}\", copies = 3 }\n",
            effect: |_| Effect::Read,
            // Keys are the author's own, so the checker reads them off `with`; here they are only open.
            output: |_| Shape::Table(Table { fields: Vec::new(), open: true }),
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check: |_| Vec::new(),
            by_person: false,
            inline: true,
        }
    }

    fn run<'a>(&'a self, with: Value, _cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(std::future::ready(Ok(with)))
    }

    fn run_inline(&self, with: &Value) -> Option<Result<Value, StepError>> {
        Some(Ok(with.clone()))
    }
}
