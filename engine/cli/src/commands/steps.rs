//! `steps`: the step types of this installation, and everything about one of them.

use crate::app::App;
use crate::exit::{CommandError, Exit};
use ceptra_flow_core::catalog::{Field, Shape, StepType, Table};
use serde_json::{Value, json};

/// List step types, or explain one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A type's name
    #[arg(value_name = "TYPE")]
    kind: Option<String>,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let catalog = ceptra_flow_steps::catalog();
    match &args.kind {
        None => list(app, &catalog),
        Some(name) => {
            let kind = catalog.iter().find(|kind| kind.name == name).ok_or_else(|| unknown(name, &catalog))?;
            if app.console.is_json() { app.console.json(&document(kind)) } else { app.console.result(&explained(kind)) }
        }
    }
    Ok(Exit::Done)
}

fn unknown(name: &str, catalog: &[StepType]) -> CommandError {
    let names: Vec<&str> = catalog.iter().map(|kind| kind.name).collect();
    CommandError::usage(format!("no step type is called `{name}`"), format!("there are {}", names.join(", ")))
}

fn list(app: &App, catalog: &[StepType]) {
    if app.console.is_json() {
        app.console.json(&catalog.iter().map(document).collect::<Vec<_>>());
        return;
    }
    let width = catalog.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for kind in catalog {
        text.push_str(&format!("{:<width$}  {:<10}  {}\n", kind.name, usual_effect(kind), kind.summary));
    }
    app.console.result(&text);
    app.console.say("\n`ceptra-flow steps TYPE` explains one");
}

/// The effect where no parameter says otherwise.
fn usual_effect(kind: &StepType) -> &'static str {
    (kind.effect)(&json!({})).as_str()
}

fn document(kind: &StepType) -> Value {
    json!({
        "name": kind.name,
        "summary": kind.summary,
        "effect": usual_effect(kind),
        "probes": (kind.probes)(&json!({})),
        "undoes": kind.undoes,
        "by_person": kind.by_person,
        "params": fields(&kind.params),
        "output": shape_document(&(kind.output)(&json!({}))),
        "example": kind.example,
    })
}

fn fields(table: &Table) -> Value {
    let field = |field: &Field| json!({ "name": field.name, "type": shape_name(&field.shape), "required": field.required, "doc": field.doc, "fields": shape_document(&field.shape) });
    table.fields.iter().map(field).collect()
}

/// The fields of a table, null for anything else.
fn shape_document(shape: &Shape) -> Value {
    match shape {
        Shape::Table(table) => fields(table),
        Shape::List(inner) => match shape_document(inner) {
            Value::Null => Value::Null,
            inner => inner,
        },
        _ => Value::Null,
    }
}

fn shape_name(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".into(),
        Shape::Null => "null".into(),
        Shape::Boolean => "boolean".into(),
        Shape::Integer => "integer".into(),
        Shape::Number => "number".into(),
        Shape::String => "string".into(),
        Shape::Duration => "duration".into(),
        Shape::Size => "size".into(),
        Shape::Cel => "condition".into(),
        Shape::OneOf(texts) => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" | "),
        Shape::List(inner) => format!("list of {}", shape_name(inner)),
        Shape::Table(_) => "table".into(),
        Shape::Map(inner) => format!("table of {}", shape_name(inner)),
        Shape::Either(shapes) => shapes.iter().map(shape_name).collect::<Vec<_>>().join(" | "),
    }
}

fn explained(kind: &StepType) -> String {
    let mut text = format!("{}: {}\n\neffect   {}", kind.name, kind.summary, usual_effect(kind));
    text.push_str(if kind.by_person { ", a person carries it out" } else { "" });
    text.push_str(if (kind.probes)(&json!({})) { ", can tell by itself whether it happened" } else { "" });
    text.push_str(if kind.undoes { ", undo = \"auto\" works" } else { "" });
    text.push_str("\n\nwith\n");
    explain_fields(&mut text, &kind.params, 1);
    text.push_str("\noutput\n");
    match (kind.output)(&json!({})) {
        Shape::Table(table) => explain_fields(&mut text, &table, 1),
        other => text.push_str(&format!("  {}\n", shape_name(&other))),
    }
    text.push_str(&format!(
        "\nexample\n{}\n",
        kind.example.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    ));
    text
}

fn explain_fields(text: &mut String, table: &Table, depth: usize) {
    /// Deeper tables are for the JSON.
    const DEPTH_MAX: usize = 3;
    let margin = "  ".repeat(depth);
    if table.fields.is_empty() {
        text.push_str(&format!("{margin}{}\n", if table.open { "any key" } else { "nothing" }));
        return;
    }
    for field in &table.fields {
        let required = if field.required { ", required" } else { "" };
        text.push_str(&format!("{margin}{} ({}{required})", field.name, shape_name(&field.shape)));
        text.push_str(&if field.doc.is_empty() { "\n".to_owned() } else { format!(": {}\n", field.doc) });
        let inner = match &field.shape {
            Shape::Table(inner) => Some(inner),
            Shape::List(inner) => match &**inner {
                Shape::Table(inner) => Some(inner),
                _ => None,
            },
            _ => None,
        };
        if let Some(inner) = inner.filter(|inner| depth < DEPTH_MAX && !inner.fields.is_empty()) {
            explain_fields(text, inner, depth + 1);
        }
    }
}
