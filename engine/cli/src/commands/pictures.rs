//! A plan as Mermaid, DOT or Markdown, for documents and tickets.

use ceptra_flow_report::{PlanStep, PlanView};
use std::fmt::Write as _;

/// A Mermaid flowchart.
pub(crate) fn mermaid(view: &PlanView<'_>) -> String {
    let mut text = String::from("flowchart TD\n");
    for step in all(view) {
        let (open, close) = if is_decision(view, step) { ("{{", "}}") } else { ("[", "]") };
        writeln!(text, "  {}{open}\"{} · {}\"{close}", step.id, step.id, step.kind).expect("a String takes everything");
    }
    for step in all(view) {
        for need in &step.needs {
            writeln!(text, "  {need} --> {}", step.id).expect("a String takes everything");
        }
    }
    for step in all(view).filter(|step| step.effect == "once") {
        writeln!(text, "  style {} stroke-width:3px", step.id).expect("a String takes everything");
    }
    text
}

/// A Graphviz graph.
pub(crate) fn dot(view: &PlanView<'_>) -> String {
    let mut text = String::from("digraph plan {\n  node [shape=box];\n");
    for step in all(view) {
        let shape = if is_decision(view, step) { ", shape=hexagon" } else { "" };
        let style = if step.effect == "once" { ", penwidth=3" } else { "" };
        writeln!(text, "  {} [label=\"{}\\n{} · {}\"{shape}{style}];", step.id, step.id, step.kind, step.effect)
            .expect("a String takes everything");
    }
    for step in all(view) {
        for need in &step.needs {
            writeln!(text, "  {need} -> {};", step.id).expect("a String takes everything");
        }
    }
    text.push_str("}\n");
    text
}

/// A Markdown page with the first screen and a table of the steps.
pub(crate) fn markdown(view: &PlanView<'_>, why: &str) -> String {
    let mut summary = String::new();
    view.write_summary(&mut summary, why).expect("a String takes everything");
    let mut text = format!(
        "# Plan of {}\n\n```text\n{}\n```\n\n| step | type | effect | needs | inputs known |\n| --- | --- | --- | --- | --- |\n",
        view.runbook,
        summary.trim_end()
    );
    for step in all(view) {
        let needs: Vec<&str> = step.needs.iter().map(|need| need.as_str()).collect();
        writeln!(text, "| `{}` | `{}` | {} | {} | {} |", step.id, step.kind, step.effect, needs.join(", "), step.known)
            .expect("a String takes everything");
    }
    text
}

fn all<'v>(view: &'v PlanView<'_>) -> impl Iterator<Item = &'v PlanStep> {
    view.steps.iter().chain(&view.finally)
}

fn is_decision(view: &PlanView<'_>, step: &PlanStep) -> bool {
    view.approvals.contains(&step.id)
}
