//! `assert`: conditions that must hold.
//!
//! CEL is evaluated by the driver, which knows the names in scope; it hands the answers to [`judge`]. Carried
//! out in any other way the step fails, so that a check nobody evaluated never counts as one that held.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde_json::{Value, json};

/// `assert`.
pub(super) struct Assert;

/// One check with the driver's answer.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The condition, as written.
    pub check: String,
    /// What to tell people when it does not hold, rendered.
    pub message: Option<String>,
    /// Whether it held, or why it could not be evaluated.
    pub holds: Result<bool, String>,
}

/// The step's result, once its conditions are evaluated: `{checks}`, or class `assert` with everything that did not hold.
///
/// # Errors
/// When a check does not hold or could not be evaluated.
pub fn judge(checks: &[Checked]) -> Result<Value, StepError> {
    let failed: Vec<(&Checked, String)> = checks.iter().filter_map(|one| Some((one, why_not(one)?))).collect();
    if failed.is_empty() {
        return Ok(json!({ "checks": checks.len() }));
    }
    let message = failed.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("\n");
    let detail: Vec<Value> = failed.iter().map(|(one, why)| json!({ "check": one.check, "message": why })).collect();
    Err(StepError::nothing("assert", message).with_detail(json!({ "failed": detail })))
}

fn why_not(one: &Checked) -> Option<String> {
    match (&one.holds, &one.message) {
        (Ok(true), _) => None,
        (Ok(false), Some(message)) => Some(format!("{message} (`{}` does not hold)", one.check)),
        (Ok(false), None) => Some(format!("`{}` does not hold", one.check)),
        (Err(error), _) => Some(format!("`{}` cannot be evaluated: {error}", one.check)),
    }
}

impl Step for Assert {
    fn describe(&self) -> StepType {
        let check = Table {
            fields: vec![
                Field::required("check", Shape::Cel, "A CEL condition over the names in scope."),
                Field::optional(
                    "message",
                    Shape::String,
                    "What to say when it does not hold. Default: the condition itself.",
                ),
            ],
            open: false,
        };
        let checks = Shape::List(Box::new(Shape::Table(check)));
        StepType {
            name: "assert",
            summary: "Fails unless every condition holds.",
            params: Table {
                fields: vec![Field::required(
                    "checks",
                    checks,
                    "The conditions; all are evaluated, and all that fail are named.",
                )],
                open: false,
            },
            example: EXAMPLE,
            effect: |_| Effect::Read,
            output: |_| {
                let count = Field::required("checks", Shape::Integer, "How many conditions held.");
                Shape::Table(Table { fields: vec![count], open: false })
            },
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check: |with| match with.get("checks").and_then(Value::as_array) {
                Some(checks) if checks.is_empty() => vec![ParamProblem {
                    field: "checks",
                    message: "the list is empty, so nothing is asserted".to_owned(),
                    help: "write `checks = [{ check = \"…\", message = \"…\" }]`".to_owned(),
                }],
                Some(_) | None => Vec::new(),
            },
            by_person: false,
            inline: true,
        }
    }

    fn run<'a>(&'a self, _with: Value, _cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(std::future::ready(Err(StepError::unsupported("the checks of `assert` were not evaluated"))))
    }
}

const EXAMPLE: &str = r#"[steps.enough]
type = "assert"
with = { checks = [{ check = "target.partition_groups.size() > 0", message = "the target has no partition group" }] }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(check: &str, message: Option<&str>, holds: Result<bool, &str>) -> Checked {
        Checked { check: check.to_owned(), message: message.map(str::to_owned), holds: holds.map_err(str::to_owned) }
    }

    #[test]
    fn all_hold() {
        assert_eq!(
            judge(&[checked("1 < 2", None, Ok(true)), checked("true", Some("no"), Ok(true))]),
            Ok(json!({ "checks": 2 }))
        );
    }

    #[test]
    fn everything_that_fails_is_named() {
        let checks = [
            checked("a > 1", Some("too few"), Ok(false)),
            checked("b", None, Ok(true)),
            checked("c == 2", None, Ok(false)),
            checked("d.e", Some("no e"), Err("no such key: e")),
        ];
        let error = judge(&checks).unwrap_err();
        assert_eq!((error.class, error.is_unknown()), ("assert", false));
        expect_test::expect![[r#"
            too few (`a > 1` does not hold)
            `c == 2` does not hold
            `d.e` cannot be evaluated: no such key: e"#]]
        .assert_eq(&error.message);
        assert_eq!(error.detail.unwrap()["failed"].as_array().unwrap().len(), 3);
    }
}
