//! `wait`: a duration, or until a time.
//!
//! A run that is resumed waits again. A wait that must not begin anew counts from a recorded time: `since`.

use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use crate::values::{self, shown};
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// `wait`.
pub(super) struct Wait;

/// The wall clock is looked at this often: a laptop that slept, or a clock that was set, is noticed soon.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Params {
    duration: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Step for Wait {
    fn describe(&self) -> StepType {
        StepType {
            name: "wait",
            summary: "Waits for a duration, or until a time.",
            params: Table {
                fields: vec![
                    Field::optional("duration", Shape::Duration, "How long to wait; this or `until`."),
                    Field::optional(
                        "since",
                        Shape::String,
                        "The RFC 3339 time that `duration` counts from, so that a resumed run does not wait anew. Default: when the step starts.",
                    ),
                    Field::optional(
                        "until",
                        Shape::String,
                        "The RFC 3339 time to wait for, such as `2026-03-01T02:00:00Z`; this or `duration`. A time in the past is no wait.",
                    ),
                ],
                open: false,
            },
            example: "[steps.settle]\ntype = \"wait\"\nwith = { duration = \"30s\" }\n",
            effect: |_| Effect::Read,
            output: |_| {
                let fields = vec![
                    Field::required("waited_ms", Shape::Integer, "How long it waited, in milliseconds."),
                    Field::required("ended_at", Shape::String, "When it ended, RFC 3339, UTC."),
                ];
                Shape::Table(Table { fields, open: false })
            },
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check,
            by_person: false,
            inline: false,
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(run(with, cx))
    }
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    let mut problem =
        |field, message: String, help: &str| found.push(ParamProblem { field, message, help: help.to_owned() });
    match (with.get("duration"), with.get("until")) {
        (None, None) => problem(
            "duration",
            "nothing says how long to wait".to_owned(),
            "write `duration = \"30s\"` or `until = \"2026-03-01T02:00:00Z\"`",
        ),
        (Some(_), Some(_)) => problem("until", "both `duration` and `until` are given".to_owned(), "keep one of them"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if with.get("since").is_some() && with.get("duration").is_none() {
        problem(
            "since",
            "`since` is what `duration` counts from, and there is none".to_owned(),
            "write `duration`, or remove `since`",
        );
    }
    for field in ["since", "until"] {
        let Some(text) = with.get(field).and_then(Value::as_str).filter(|text| !text.contains("{{")) else { continue };
        if let Err(wrong) = time(text) {
            problem(field, wrong, "write a time with its zone, such as `2026-03-01T02:00:00Z`");
        }
    }
    found
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is no RFC 3339 time"))
}

enum End {
    /// After this much of the monotonic clock: setting the wall clock does not change a duration.
    After(Duration),
    /// When the wall clock shows this.
    At(Timestamp),
}

async fn run(with: Value, cx: &StepContext) -> Result<Value, StepError> {
    let params: Params = values::params(with)?;
    let end = end(&params).map_err(StepError::parameter)?;
    let begun = Instant::now();
    let expected = remaining(&end, begun);
    if expected > cx.timeout {
        let message = format!(
            "a wait of {} does not fit in the step's timeout of {}; give the step a longer `timeout`",
            shown(expected),
            shown(cx.timeout)
        );
        return Err(StepError::parameter(message));
    }
    loop {
        let remaining = remaining(&end, begun);
        if remaining.is_zero() {
            break;
        }
        if begun.elapsed() >= cx.timeout {
            return Err(StepError::nothing("timeout", format!("still waiting after {}", shown(cx.timeout))));
        }
        tokio::select! {
            () = tokio::time::sleep(remaining.min(LOOK).min(cx.timeout)) => {}
            () = cx.cancel.cancelled() => return Err(StepError::nothing("cancelled", "stopped while waiting")),
        }
    }
    let waited_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({ "waited_ms": waited_ms, "ended_at": format!("{:.3}", Timestamp::now()) }))
}

fn end(params: &Params) -> Result<End, String> {
    match (&params.duration, &params.until, &params.since) {
        (Some(text), None, None) => values::duration(text).map(End::After),
        (Some(text), None, Some(since)) => {
            let end = time(since)?.checked_add(values::duration(text)?);
            end.map(End::At).map_err(|_| format!("`{text}` after {since} is beyond the calendar"))
        }
        (None, Some(until), None) => time(until).map(End::At),
        (Some(_), Some(_), _) | (None, Some(_), Some(_)) | (None, None, _) => {
            Err("give either `duration` or `until`".to_owned())
        }
    }
}

fn remaining(end: &End, begun: Instant) -> Duration {
    match end {
        End::After(duration) => duration.saturating_sub(begun.elapsed()),
        End::At(time) => Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default(),
    }
}
