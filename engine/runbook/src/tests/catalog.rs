//! A small catalogue with one type of each sort.

use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use serde_json::Value;

fn list(shape: Shape) -> Shape {
    Shape::List(Box::new(shape))
}

fn map(shape: Shape) -> Shape {
    Shape::Map(Box::new(shape))
}

fn plain(name: &'static str, fields: Vec<Field>) -> StepType {
    StepType {
        name,
        summary: "",
        params: Table { fields, open: false },
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

fn exec_output(with: &Value) -> Shape {
    match with.get("parse").and_then(Value::as_str) {
        Some("json") => Shape::Any,
        _ => Shape::Table(Table {
            fields: vec![
                Field::required("stdout", Shape::String, ""),
                Field::required("stderr", Shape::String, ""),
                Field::required("exit_code", Shape::Integer, ""),
            ],
            open: false,
        }),
    }
}

fn exec_check(with: &Value) -> Vec<ParamProblem> {
    if with.get("command").is_some() == with.get("script").is_some() {
        return vec![ParamProblem {
            field: "command",
            message: "takes either `command` or `script`".into(),
            help: "write  command = [\"…\"]".into(),
        }];
    }
    Vec::new()
}

pub(super) fn catalog() -> Vec<StepType> {
    let text = || Shape::String;
    let argument = Shape::Either(vec![Shape::String, Shape::Integer, Shape::Boolean]);
    vec![
        StepType {
            effect: |_| Effect::Once,
            output: exec_output,
            check: exec_check,
            ..plain(
                "exec",
                vec![
                    Field::optional("command", list(argument), "").exposed(),
                    Field::optional("script", text(), ""),
                    Field::optional("env", map(text()), ""),
                    Field::optional("stdin", text(), ""),
                    Field::optional("parse", Shape::OneOf(&["text", "json", "lines"]), ""),
                    Field::optional("ok_codes", list(Shape::Integer), ""),
                    Field::optional("limit", Shape::Size, ""),
                ],
            )
        },
        StepType {
            effect: |with| {
                if with.get("method").and_then(Value::as_str).unwrap_or("GET") == "GET" {
                    Effect::Read
                } else {
                    Effect::Once
                }
            },
            ..plain(
                "http",
                vec![
                    Field::optional("method", Shape::OneOf(&["GET", "POST"]), ""),
                    Field::required("url", text(), "").exposed(),
                    Field::optional("headers", map(text()), ""),
                ],
            )
        },
        StepType {
            params: Table { fields: Vec::new(), open: true },
            output: |_| Shape::Table(Table { fields: Vec::new(), open: true }),
            inline: true,
            ..plain("set", Vec::new())
        },
        StepType {
            inline: true,
            ..plain(
                "assert",
                vec![Field::required(
                    "checks",
                    list(Shape::Table(Table {
                        fields: vec![Field::required("check", Shape::Cel, ""), Field::optional("message", text(), "")],
                        open: false,
                    })),
                    "",
                )],
            )
        },
        plain("wait", vec![Field::optional("duration", Shape::Duration, "")]),
        StepType { by_person: true, ..plain("approval", vec![Field::required("prompt", text(), "")]) },
        StepType {
            by_person: true,
            effect: |_| Effect::Probe,
            ..plain("manual", vec![Field::required("instructions", text(), "")])
        },
        StepType {
            effect: |_| Effect::Probe,
            probes: |_| true,
            undoes: true,
            output: |_| {
                let fields = vec![
                    Field::required("epoch", Shape::Integer, ""),
                    Field::required("replicas", list(Shape::String), ""),
                ];
                Shape::Table(Table { fields, open: false })
            },
            operations: |_| vec!["freeze_partition_group"],
            ..plain("ceptra.freeze", vec![Field::required("group", text(), "")])
        },
        StepType {
            effect: |_| Effect::Probe,
            probes: |_| true,
            operations: |_| vec!["advance_epoch"],
            ..plain("ceptra.cutover", Vec::new())
        },
    ]
}
