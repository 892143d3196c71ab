//! Shorthand for describing parameters and outputs of the CEPtra types.

use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde_json::Value;

/// A closed table.
pub(super) fn table(fields: Vec<Field>) -> Table {
    Table { fields, open: false }
}

/// A closed table as a shape.
pub(super) fn object(fields: Vec<Field>) -> Shape {
    Shape::Table(table(fields))
}

/// A list.
pub(super) fn list(of: Shape) -> Shape {
    Shape::List(Box::new(of))
}

/// A value that may be `null`.
pub(super) fn or_null(shape: Shape) -> Shape {
    Shape::Either(vec![shape, Shape::Null])
}

/// A field of an output: always there.
pub(super) fn out(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field::required(name, shape, doc)
}

/// The field that sealed outputs carry.
pub(super) fn evidence() -> Field {
    let text = |name, doc| Field::required(name, Shape::String, doc);
    let fields = vec![
        text("by", "Step type that saw it."),
        text("step", "Step that saw it."),
        text("run", "Run in which it was seen."),
        text("seal", "Hash over run, type and output."),
    ];
    out("evidence", object(fields), "Who saw this, sealed.")
}

/// The parameter that names a cluster.
pub(super) fn cluster(doc: &'static str) -> Field {
    Field::optional("cluster", Shape::String, doc)
}

/// A type that only looks.
pub(super) fn reading(name: &'static str, summary: &'static str) -> StepType {
    StepType {
        name,
        summary,
        params: table(Vec::new()),
        example: "",
        effect: |_| Effect::Read,
        output: |_| Shape::Any,
        probes: |_| false,
        undoes: false,
        operations: |_| Vec::new(),
        check: |_| Vec::new(),
        by_person: false,
        inline: false,
    }
}

/// A type that changes the world and can tell whether it did.
pub(super) fn probing(name: &'static str, summary: &'static str) -> StepType {
    StepType { effect: |_| Effect::Probe, probes: |_| true, ..reading(name, summary) }
}

/// A parameter that must be what an earlier step gave, whole: `{{ steps.ID.output }}` or `{{ steps.ID.items }}`.
pub(super) fn must_be_reference(with: &Value, field: &'static str) -> Option<ParamProblem> {
    let written = with.get(field)?;
    let reference = written.as_str().and_then(|text| text.trim().strip_prefix("{{")?.strip_suffix("}}")).map(str::trim);
    let whole = reference
        .is_some_and(|path| path.starts_with("steps.") && (path.ends_with(".output") || path.ends_with(".items")));
    (!whole).then(|| ParamProblem {
        field,
        message: format!("`{field}` must be the output of an earlier step, not something typed"),
        help: format!(
            "write {field} = \"{{{{ steps.ID.output }}}}\", or \"{{{{ steps.ID.items }}}}\" for a step with for_each"
        ),
    })
}
