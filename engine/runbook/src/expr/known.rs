//! What is known of a plan's parameters before it runs.

use super::helpers::to_text;
use super::path::Path;
use super::reads::{in_expr, paths};
use super::render::render;
use super::scope::{Fixed, Parsed, Scope, object};
use super::template::{Expr, Part, Template, is_template};
use ceptra_flow_core::{Plan, StepIx};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// When a step's parameters are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of them before the run.
    Now,
    /// Some only from the outputs of earlier steps, or from the run itself.
    Later,
}

impl Known {
    /// As in `plan --format json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
        }
    }
}

/// A plan's parameters as they can be shown before the run; secrets are `***`. Make one for all steps of a plan.
pub struct Preview<'p> {
    plan: &'p Plan,
    scope: Scope,
}

impl<'p> Preview<'p> {
    /// The preview of a plan.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        let mut inputs = plan.inputs.value();
        if let Value::Object(inputs) = &mut inputs {
            inputs.extend(plan.secrets.iter().map(|secret| (secret.name.as_str().to_owned(), Value::from("***"))));
        }
        let fixed =
            Fixed { inputs, target: plan.target.value.value(), env: plan.env.value(), parsed: Parsed::default() };
        Self { plan, scope: before_the_run(Arc::new(fixed), &plan.runbook.name) }
    }

    /// When the parameters of a step are known.
    #[must_use]
    pub fn known(&self, step: StepIx) -> Known {
        let with = &self.plan.step(step).with;
        if !is_template(with.as_str()) {
            return Known::Now;
        }
        let mut known = Known::Now;
        super::reads::each_text(&with.value(), &mut |text| {
            if is_template(text)
                && let Ok(template) = self.scope.fixed.parsed.template(text)
            {
                paths(&template, &mut |path| {
                    if !is_known_now(path) {
                        known = Known::Later;
                    }
                });
            }
        });
        known
    }

    /// A step's parameters as far as they are known; what is not stays as its template.
    #[must_use]
    pub fn with(&self, step: StepIx) -> Value {
        let with = &self.plan.step(step).with;
        self.value(with.value())
    }

    /// Any parameters (a probe's, an undo's) in the same way.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) if is_template(&text) => self.text(text),
            Value::Array(list) => Value::Array(list.into_iter().map(|value| self.value(value)).collect()),
            Value::Object(map) => {
                Value::Object(map.into_iter().map(|(key, value)| (key, self.value(value))).collect::<Map<_, _>>())
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
        }
    }

    /// A text, for titles and prompts.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        match self.value(Value::String(text.to_owned())) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    fn text(&self, text: String) -> Value {
        let Ok(template) = self.scope.fixed.parsed.template(&text) else {
            return Value::String(text);
        };
        let mut all_known = true;
        paths(&template, &mut |path| all_known &= is_known_now(path));
        if all_known {
            return self.scope.value(&text, None).unwrap_or(Value::String(text));
        }
        self.partly(&template).map_or(Value::String(text), Value::String)
    }

    /// The parts that are known, and the others as they are written; nothing when it has blocks.
    fn partly(&self, template: &Template) -> Option<String> {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(expr) => {
                    let mut known = true;
                    in_expr(expr, &mut |path| known &= is_known_now(path));
                    let one = Template { parts: vec![part.clone()] };
                    let rendered = known.then(|| self.scope.rendered(&one)).flatten();
                    out.push_str(&rendered.unwrap_or_else(|| format!("{{{{ {} }}}}", Shown(expr))));
                }
                Part::If { .. } | Part::Each { .. } | Part::With { .. } => return None,
            }
        }
        Some(out)
    }
}

impl Scope {
    fn rendered(&self, template: &Template) -> Option<String> {
        let value = render(template, &self.names()).ok()?;
        to_text(&value).ok()
    }
}

/// The names that are known before a run.
pub(crate) fn before_the_run(fixed: Arc<Fixed>, runbook: &str) -> Scope {
    let run = Arc::new(object([("name", Value::from(runbook))]));
    Scope { fixed, run, item: None, index: None, steps: None, output: None }
}

/// Whether a path names something that is known before the run. Bare names inside blocks are; what they come from is asked too.
pub(crate) fn is_known_now(path: &Path) -> bool {
    match &*path.root {
        "steps" | "item" | "index" | "output" => false,
        "run" => path.key(0) == Some("name"),
        _ => true,
    }
}

/// When the parameters of one step are known. For many steps, use a [`Preview`].
#[must_use]
pub fn known(plan: &Plan, step: StepIx) -> Known {
    if is_template(plan.step(step).with.as_str()) { Preview::new(plan).known(step) } else { Known::Now }
}

/// One step's parameters as far as they are known. For many steps, use a [`Preview`].
#[must_use]
pub fn render_known(plan: &Plan, step: StepIx) -> Value {
    if is_template(plan.step(step).with.as_str()) {
        Preview::new(plan).with(step)
    } else {
        plan.step(step).with.value()
    }
}

/// An expression as it is written, pipes as calls.
struct Shown<'e>(&'e Expr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Literal(value) => write!(out, "{value}"),
            Expr::Path(path) => write!(out, "{path}"),
            Expr::Call { helper, arguments } => {
                out.write_str(helper.name())?;
                for argument in arguments {
                    match argument {
                        Expr::Call { .. } => write!(out, " ({})", Shown(argument))?,
                        Expr::Literal(_) | Expr::Path(_) => write!(out, " {}", Shown(argument))?,
                    }
                }
                Ok(())
            }
        }
    }
}
