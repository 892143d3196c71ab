//! Tests through one `check`: text in, findings or a plan out.

mod broken;
mod catalog;
mod expressions;
mod fuzz;
mod pages;
mod parity;
mod paths;
mod plans;
mod running;

use crate::lower::file::{self, Job, Way};
use crate::{Diagnostic, Given, Options, Source, Target, line_column};
use ceptra_flow_core::Plan;
use std::fmt::Write as _;

/// The target of all tests here.
const TARGET: &str = r#"
[target]
name = "rehearsal"
kind = "lab"
[clusters.primary]
id = "cluster-a"
[clusters.dr]
id = "cluster-b"
[[partition_groups]]
group_id = "pg-0"
replicas = ["n0", "n1"]
[[partition_groups]]
group_id = "pg-1"
replicas = ["n0"]
[operations.advance_epoch]
kubernetes = {}
"#;

#[test]
fn findings_as_json_have_lines_and_columns() {
    let text = around("[steps.ü]\ntype = \"set\"\ntitel = 1\n");
    let found = compile(&text).1;
    let json = serde_json::to_value(crate::diagnostic::to_json(&found[2], &text)).unwrap();
    let expected = serde_json::json!({
        "code": "CF0010",
        "severity": "error",
        "message": "the step `ü` has no key `titel`",
        "file": "x.toml",
        "line": 7,
        "column": 1,
        "help": "did you mean `title`?",
        "labels": [{"line": 7, "column": 1, "end_line": 7, "end_column": 6, "text": "not known here"}],
    });
    assert_eq!(json, expected, "{found:?}");
}

fn target() -> Target {
    let (target, found) = Target::parse(&Source { name: "lab.toml", text: TARGET });
    assert_eq!(found, []);
    target.expect("the test target is valid")
}

fn options() -> Options {
    Options { env: [("HOME".to_owned(), "/home/ada".to_owned())].into(), ..Options::default() }
}

fn compile_by(way: Way, text: &str, options: &Options) -> (Option<Plan>, Vec<Diagnostic>) {
    let catalog = catalog::catalog();
    file::read(&Job {
        source: &Source { name: "x.toml", text },
        catalog: &catalog,
        target: Some(&target()),
        options: Some(options),
        way,
    })
}

fn compile(text: &str) -> (Option<Plan>, Vec<Diagnostic>) {
    compile_by(Way::Auto, text, &options())
}

/// The plan of a file that must be fine.
fn plan_of(text: &str) -> Plan {
    plan_with(text, &options())
}

fn plan_with(text: &str, options: &Options) -> Plan {
    let (plan, found) = compile_by(Way::Auto, text, options);
    plan.unwrap_or_else(|| panic!("{}", told(text, &found)))
}

fn given(pairs: &[(&str, &str)]) -> Options {
    Options {
        given: pairs.iter().map(|(name, text)| ((*name).to_owned(), Given::Text((*text).to_owned()))).collect(),
        ..options()
    }
}

/// Findings as people read them, without the picture.
fn told(text: &str, found: &[Diagnostic]) -> String {
    let mut out = String::new();
    for one in found {
        let (line, column) = line_column(text, one.start());
        writeln!(out, "{line}:{column} {} {}: {}", one.code, one.severity.as_str(), one.message).unwrap();
        for label in &one.labels {
            let (line, column) = line_column(text, label.span.start);
            let piece = text.get(label.span.clone()).unwrap_or("?").lines().next().unwrap_or_default();
            writeln!(out, "    {line}:{column} ‹{piece}› {}", label.text).unwrap();
        }
        writeln!(out, "    help: {}", one.help).unwrap();
    }
    out
}

/// A whole file around some lines.
fn around(lines: &str) -> String {
    format!("schema = 1\n[runbook]\nname = \"x\"\ntitle = \"X\"\n{lines}")
}
