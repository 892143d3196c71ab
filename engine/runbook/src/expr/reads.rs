//! What the expressions of a step read, so that a scope holds only that.

use super::path::Path;
use super::scope::Parsed;
use super::template::{Expr, Part, Template, is_template};
use ceptra_flow_core::Json;
use ceptra_flow_core::plan::{Body, StepPlan, Undo};
use serde_json::Value;
use std::collections::BTreeMap;

/// Parts of `steps.ID` that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) output: bool,
    pub(crate) items: bool,
}

/// What is read, all expressions of a step together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) steps: BTreeMap<Box<str>, Parts>,
    pub(crate) run: bool,
    pub(crate) item: bool,
    pub(crate) output: bool,
}

impl Reads {
    fn path(&mut self, path: &Path) {
        match &*path.root {
            "run" => self.run = true,
            "item" | "index" => self.item = true,
            "output" => self.output = true,
            "steps" => {
                if let Some(id) = path.key(0) {
                    let parts = self.steps.entry(id.into()).or_default();
                    let field = path.key(1);
                    parts.output |= matches!(field, None | Some("output"));
                    parts.items |= matches!(field, None | Some("items"));
                }
            }
            _ => {}
        }
    }
}

/// Everything a step reads. Texts that cannot be parsed read nothing; evaluating them tells why.
pub(crate) fn of_step(step: &StepPlan, parsed: &Parsed) -> Reads {
    let mut reader = Reader { parsed, reads: Reads::default() };
    reader.json(&step.with);
    if let Some(more) = step.more.as_deref() {
        for text in [&more.title, &more.description].into_iter().flatten() {
            reader.template(text);
        }
        for text in [&more.when, &more.until].into_iter().flatten() {
            reader.condition(text);
        }
        if let Some(for_each) = &more.for_each {
            reader.json(&for_each.over);
            for_each.key.iter().for_each(|key| reader.template(key));
        }
        if let Some(probe) = &more.probe {
            reader.body(&probe.body);
            for text in [&probe.done, &probe.not_done].into_iter().flatten() {
                reader.condition(text);
            }
        }
        for check in &more.verify {
            reader.condition(&check.check);
            check.message.iter().for_each(|message| reader.template(message));
        }
        if let Some(Undo::Body(body)) = &more.undo {
            reader.body(body);
        }
        if let Some(approval) = &more.approval {
            reader.template(&approval.prompt);
            approval.evidence.iter().for_each(|path| reader.template(&format!("{{{{ {path} }}}}")));
        }
        if let Some(manual) = &more.manual {
            reader.template(&manual.instructions);
        }
    }
    reader.reads
}

struct Reader<'p> {
    parsed: &'p Parsed,
    reads: Reads,
}

impl Reader<'_> {
    fn body(&mut self, body: &Body) {
        self.json(&body.with);
    }

    fn json(&mut self, json: &Json) {
        if is_template(json.as_str()) {
            each_text(&json.value(), &mut |text| self.template(text));
        }
        // `assert` and others hold conditions among their parameters; those read like texts that name steps.
        if json.as_str().contains("steps.") || json.as_str().contains("steps[") || json.as_str().contains("run.") {
            each_text(&json.value(), &mut |text| {
                if !is_template(text) {
                    self.condition(text);
                }
            });
        }
    }

    fn template(&mut self, text: &str) {
        if is_template(text)
            && let Ok(template) = self.parsed.template(text)
        {
            paths(&template, &mut |path| self.reads.path(path));
        }
    }

    fn condition(&mut self, text: &str) {
        if let Ok(condition) = self.parsed.condition(text) {
            condition.paths.iter().for_each(|path| self.reads.path(path));
        }
    }
}

/// Every text of a value.
pub(crate) fn each_text(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| each_text(value, see)),
        Value::Object(map) => map.values().for_each(|value| each_text(value, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every path of a template, in its order.
pub(crate) fn paths<'t>(template: &'t Template, see: &mut dyn FnMut(&'t Path)) {
    in_parts(&template.parts, see);
}

fn in_parts<'t>(parts: &'t [Part], see: &mut dyn FnMut(&'t Path)) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Value(expr) => in_expr(expr, see),
            Part::If { condition, negated: _, then, otherwise } => {
                in_expr(condition, see);
                in_parts(then, see);
                in_parts(otherwise, see);
            }
            Part::Each { over: expr, names: _, body, otherwise }
            | Part::With { value: expr, names: _, body, otherwise } => {
                in_expr(expr, see);
                in_parts(body, see);
                in_parts(otherwise, see);
            }
        }
    }
}

pub(crate) fn in_expr<'t>(expr: &'t Expr, see: &mut dyn FnMut(&'t Path)) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Path(path) => see(path),
        Expr::Call { helper: _, arguments } => arguments.iter().for_each(|argument| in_expr(argument, see)),
    }
}
