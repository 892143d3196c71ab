//! `wait`, `set`, the types that a person or the driver settles, the catalogue, and `carry_out`.

use super::{World, checked};
use crate::context::StepContext;
use crate::error::{Aftermath, StepError};
use crate::step::{BoxFuture, Step};
use crate::{Work, carry_out, catalog, find, generic, values};
use ceptra_flow_core::catalog::StepType;
use ceptra_flow_core::input::{self, Left};
use ceptra_flow_core::{Effect, Name};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn waiting_for_a_duration_or_a_time() {
    let world = World::new();
    let output = world.run("wait", json!({ "duration": "30ms" })).await.unwrap();
    assert!(output["waited_ms"].as_u64().unwrap() >= 30, "{output}");
    let soon = Timestamp::now().checked_add(30.milliseconds()).unwrap();
    let output = world.run("wait", json!({ "until": soon.to_string() })).await.unwrap();
    assert!(
        output["ended_at"].as_str().unwrap().parse::<Timestamp>().unwrap()
            >= soon.round(jiff::Unit::Millisecond).unwrap() - 1.milliseconds()
    );
    for past in [
        json!({ "until": "2001-01-01T00:00:00Z" }),
        json!({ "duration": "10m", "since": "2001-01-01T00:00:00+02:00" }),
        json!({ "duration": "0s" }),
    ] {
        assert!(world.run("wait", past).await.unwrap()["waited_ms"].as_u64().unwrap() < 1000);
    }
}

#[tokio::test]
async fn a_wait_that_cannot_end_in_time_is_refused_at_once() {
    let world = World::new();
    let error = world.run("wait", json!({ "duration": "2h" })).await.unwrap_err();
    assert_eq!(error.class, "parameter");
    assert_eq!(
        error.message,
        "a wait of 2h does not fit in the step's timeout of 1m; give the step a longer `timeout`"
    );
    for (with, what) in [
        (json!({ "until": "tomorrow" }), "`tomorrow` is no RFC 3339 time"),
        (json!({ "duration": "1d", "since": "9999-12-28T00:00:00Z" }), "does not fit"),
        (json!({ "duration": "9999999d", "since": "2026-01-01T00:00:00Z" }), "beyond the calendar"),
        (json!({}), "give either `duration` or `until`"),
        (json!({ "duration": 5 }), "`with.duration` is a number"),
    ] {
        let error = world.run("wait", with).await.unwrap_err();
        assert!(error.class == "parameter" && error.message.contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_stopped_wait_has_done_nothing() {
    let world = World::new();
    let stop = async { world.cx.cancel.cancel() };
    let (error, ()) = tokio::join!(world.run("wait", json!({ "duration": "50s" })), stop);
    let error = error.unwrap_err();
    assert_eq!((error.class, error.left), ("cancelled", Aftermath::Left(Left::Nothing)));
}

#[test]
fn check_of_wait_assert_and_approval() {
    let cases = [
        ("wait", json!({}), "duration: nothing says how long to wait"),
        (
            "wait",
            json!({ "duration": "1s", "until": "2026-01-01T00:00:00Z" }),
            "until: both `duration` and `until` are given",
        ),
        (
            "wait",
            json!({ "until": "2026-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z" }),
            "since: `since` is what `duration` counts from, and there is none",
        ),
        ("wait", json!({ "until": "noon" }), "until: `noon` is no RFC 3339 time"),
        ("assert", json!({ "checks": [] }), "checks: the list is empty, so nothing is asserted"),
        (
            "approval",
            json!({ "prompt": "?", "approvers": 0 }),
            "approvers: it takes between 1 and 100 people to approve",
        ),
        (
            "approval",
            json!({ "prompt": "?", "choices": [] }),
            "choices: the list is empty, so nothing could be answered",
        ),
    ];
    for (kind, with, expected) in cases {
        assert_eq!(checked(kind, &with), [expected]);
    }
    assert_eq!(checked("wait", &json!({ "until": "{{ inputs.at }}" })), [""; 0]);
}

#[tokio::test]
async fn set_gives_back_what_it_is_given() {
    let world = World::new();
    let with = json!({ "a": [1, { "b": null }], "c": "d" });
    assert_eq!(world.run("set", with.clone()).await, Ok(with.clone()));
    assert_eq!(find("set").unwrap().run_inline(&with), Some(Ok(with)));
    assert_eq!(find("exec").unwrap().run_inline(&json!({})), None);
}

#[tokio::test]
async fn what_others_settle_is_never_done_by_being_run() {
    let world = World::new();
    for (kind, with) in [
        ("approval", json!({ "prompt": "?" })),
        ("manual", json!({ "instructions": "!" })),
        ("assert", json!({ "checks": [{ "check": "true" }] })),
    ] {
        assert_eq!(world.run(kind, with).await.unwrap_err().class, "unsupported");
    }
}

#[test]
fn every_example_is_toml_that_fits_its_type() {
    for kind in catalog() {
        let file: Value = toml::from_str(kind.example).unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        let steps = file["steps"].as_object().unwrap();
        let step = steps
            .values()
            .find(|step| step["type"] == kind.name)
            .unwrap_or_else(|| panic!("{}: no step of this type", kind.name));
        let with = step.get("with").cloned().unwrap_or_else(|| json!({}));
        assert_eq!(values::misfits(&with, &kind.params), [""; 0], "{}", kind.name);
        assert!((kind.check)(&with).is_empty(), "{}: {:?}", kind.name, (kind.check)(&with));
    }
}

#[test]
fn names_are_unique_and_everything_is_documented() {
    let kinds = catalog();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds.len());
    for kind in &kinds {
        assert!(kind.summary.ends_with('.'), "{}", kind.name);
        for field in &kind.params.fields {
            assert!(field.doc.contains('.'), "{}.{}", kind.name, field.name);
        }
        // Parameters of any shape are described without panicking.
        for with in [
            Value::Null,
            json!({}),
            json!([1]),
            json!({ "parse": 7, "method": [], "checks": 1, "tls": "x", "action": {}, "creates": null }),
        ] {
            let _ = (
                (kind.effect)(&with),
                (kind.output)(&with),
                (kind.probes)(&with),
                (kind.operations)(&with),
                (kind.check)(&with),
            );
        }
    }
    let generic: Vec<&str> = generic::STEPS.iter().map(|step| step.describe().name).collect();
    assert_eq!(generic, ["exec", "http", "wait", "assert", "approval", "manual", "template", "file", "set"]);
    assert!(find("no such type").is_none());
}

#[tokio::test]
async fn addresses_in_the_lab_are_resolved_before_a_step_sees_them() {
    let mut world = World::new();
    world.cx.endpoints = Arc::new(BTreeMap::from([("objects".to_owned(), "/objects".to_owned())]));
    assert_eq!(world.run("set", json!({ "dir": "lab://objects/wal" })).await, Ok(json!({ "dir": "/objects/wal" })));
    assert_eq!(world.run("set", json!({ "dir": "lab://nowhere" })).await.unwrap_err().class, "endpoint");
    assert_eq!(world.cx.resolve(json!(["lab://objects"])), Ok(json!(["/objects"])));
}

/// Never ends, whatever it is told.
struct Stuck;

impl Step for Stuck {
    fn describe(&self) -> StepType {
        find("set").unwrap().describe()
    }

    fn run<'a>(&'a self, _with: Value, _cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_end_is_given_up() {
    let world = World::new();
    let error = carry_out(&Stuck, Work::Do, json!({}), &world.cx).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("timeout", true));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.cx.cancel.cancel();
    };
    let (error, ()) = tokio::join!(carry_out(&Stuck, Work::Do, json!({}), &world.cx), stop);
    let error = error.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("cancelled", true));
    let error = carry_out(&Stuck, Work::Do, json!({}), &world.cx).await.unwrap_err();
    assert_eq!(error, StepError::cancelled_before_start());
}

#[tokio::test]
async fn a_type_without_probe_or_undo_says_so() {
    let world = World::new();
    for work in [Work::Probe, Work::Undo(Value::Null)] {
        let error = world.carry_out("wait", work, json!({ "duration": "0s" })).await.unwrap_err();
        assert_eq!((error.class, error.left), ("unsupported", Aftermath::Left(Left::Nothing)));
    }
}

#[test]
fn what_nobody_knows_is_a_plain_failure_of_a_step_that_only_reads() {
    let error = StepError::unknown("timeout", "no answer").with_detail(json!({ "a": 1 }));
    let input::Result::Failed(failure) = error.clone().into_result(Effect::Read) else {
        panic!("a read is never in doubt")
    };
    assert_eq!((failure.class, failure.left), (Name::from("timeout"), Left::Nothing));
    for effect in [Effect::Idempotent, Effect::Keyed, Effect::Probe, Effect::Once] {
        assert!(matches!(error.clone().into_result(effect), input::Result::Unknown(_)));
    }
    let input::Result::Failed(failure) = StepError::partial("exit", "3").with_exit_code(3).into_result(Effect::Once)
    else {
        panic!()
    };
    assert_eq!((failure.left, failure.exit_code), (Left::Partial, Some(3)));
}
