//! The names of a running plan, over a state made of records.

use super::{around, given, plan_with};
use crate::Evaluator;
use ceptra_flow_core::event::{
    EpochOpened, Event, FinallyStarted, Item, Outcome, RunStarted, StepDone, StepExpanded, StepIntent, StepSkipped,
};
use ceptra_flow_core::ids::{Attempt, Purpose};
use ceptra_flow_core::input::{Actor, Engine};
use ceptra_flow_core::{
    BlobRef, Epoch, Expressions, Json, Name, Output, Place, Plan, Record, RunState, Seq, Timestamp,
};
use serde_json::{Value, json};

const RUNBOOK: &str = r#"
[inputs.ticket]
type = "string"
[inputs.token]
type = "string"
secret = true
from = { env = "T" }
[steps.freeze]
type = "ceptra.freeze"
for_each = "{{ target.partition_groups }}"
key = "{{ item.group_id }}"
title = "Fence {{ item.group_id }} for {{ inputs.ticket }}"
with = { group = "{{ item.group_id }}" }
undo = { type = "exec", with = { command = ["unfence", "{{ item.group_id }}", "{{ output.epoch }}"] } }
[steps.big]
type = "exec"
with = { command = ["big"], env = { T = "{{ inputs.token }}" }, parse = "json" }
[steps.none]
type = "set"
[steps.zero]
type = "set"
for_each = []
[steps.use]
type = "set"
needs = ["freeze", "big", "none", "zero"]
when = "steps.freeze.output.all(one, one.epoch == 7) && steps.none.output == null"
for_each = "{{ steps.freeze.items }}"
key = "{{ item.key }}-{{ index }}"
with = { run = "{{ run.id }} {{ run.epoch }} {{ run.started_at }} {{ run.dir }}", epochs = "{{ steps.freeze.output }}", status = "{{ steps.none.status }}", big = "{{ steps.big.output.words | size }}", time = "{{ steps.big.duration }}", attempts = "{{ steps.big.attempts }}", zero = "{{ steps.zero.output }}", items = "{{ steps.zero.items | size }}" }
[steps.go]
type = "approval"
needs = ["use"]
with = { prompt = "Rejoin {{ steps.freeze.items | size }} groups?", evidence = ["steps.freeze.output", "inputs.ticket"] }
[finally.tell]
type = "set"
with = { text = "{{ run.name }}: {{ run.outcome }}" }
"#;

fn state(plan: &Plan) -> RunState {
    let by = Actor { name: "ada".into(), via: Name::from("terminal"), host: None };
    let attempt = |step: &str, key: Option<&str>, number| Attempt {
        step: Name::from(step),
        key: key.map(Name::from),
        purpose: Purpose::Do,
        number,
        epoch: Epoch(1),
    };
    let done = |step: &str, key: Option<&str>, output: Output| {
        [
            Event::from(StepIntent { attempt: attempt(step, key, 1), intent: 1 }),
            Event::from(StepDone { attempt: attempt(step, key, 1), output }),
        ]
    };
    let json = |value: Value| Output::Inline(Json::from(value));
    let group = |id: &str| Item { key: Name::from(id), item: Json::from(json!({"group_id": id})) };
    let blob = Output::Blob(BlobRef { sha256: Name::from("ab"), size: 70_000 });
    let engine = Engine { version: "0".into(), host: "h".into(), pid: 1, boot_id: None };
    let mut events = vec![
        Event::from(RunStarted {
            run: Name::from("run-1"),
            digest: plan.digest(),
            by: by.clone(),
            path: None,
            plan: Json::of(plan),
        }),
        Event::from(EpochOpened { by, engine, go_on: false }),
        Event::from(StepExpanded { step: Name::from("freeze"), items: vec![group("pg-0"), group("pg-1")] }),
        Event::from(StepExpanded { step: Name::from("zero"), items: Vec::new() }),
        Event::from(StepSkipped { step: Name::from("none"), key: None, reason: "x".into() }),
    ];
    events.extend(done("freeze", Some("pg-0"), json(json!({"epoch": 7, "replicas": []}))));
    events.extend(done("freeze", Some("pg-1"), json(json!({"epoch": 7, "replicas": ["n"]}))));
    events.extend(done("big", None, blob));
    events.push(Event::from(FinallyStarted { outcome: Outcome::Failed }));
    let records: Vec<Record> = (1..)
        .zip(events)
        .map(|(seq, event)| Record {
            seq: Seq(seq),
            at: Timestamp(1_700_000_000_000 + seq * 250),
            epoch: Epoch(1),
            event,
        })
        .collect();
    RunState::replay(&records).unwrap()
}

fn evaluator(plan: &Plan) -> Evaluator {
    let blobs = |blob: &BlobRef| {
        assert_eq!(blob.sha256.as_str(), "ab");
        Ok(json!({"words": ["a", "b", "c"]}).to_string())
    };
    Evaluator::new(plan, [("token".to_owned(), "hunter2".to_owned())].into(), "/runs/run-1", Box::new(blobs))
}

fn setting() -> (Plan, RunState, Evaluator) {
    let plan = plan_with(&around(RUNBOOK), &given(&[("ticket", "INC-1")]));
    let state = state(&plan);
    let evaluator = evaluator(&plan);
    (plan, state, evaluator)
}

fn at<'a>(plan: &Plan, state: &'a RunState, id: &str, instance: usize) -> Place<'a> {
    let step = plan.places().find(|(_, step)| &*step.id == id).unwrap().0;
    Place { state, step, instance, now: Timestamp(0) }
}

fn with(evaluator: &Evaluator, at: Place<'_>) -> Result<Value, String> {
    evaluator.render_with(at, &at.state.plan().step(at.step).with)
}

#[test]
fn parameters_are_rendered_over_the_state() {
    let (plan, state, evaluator) = setting();
    assert_eq!(with(&evaluator, at(&plan, &state, "freeze", 1)), Ok(json!({"group": "pg-1"})));
    assert_eq!(
        with(&evaluator, at(&plan, &state, "big", 0)),
        Ok(json!({"command": ["big"], "env": {"T": "hunter2"}, "parse": "json"}))
    );
    assert_eq!(
        with(&evaluator, at(&plan, &state, "use", 0)),
        Ok(json!({
            "run": "run-1 1 2023-11-14T22:13:20.250Z /runs/run-1",
            "epochs": [{"epoch": 7, "replicas": []}, {"epoch": 7, "replicas": ["n"]}],
            "status": "skipped",
            "big": 3,
            "time": 0.25,
            "attempts": 1,
            "zero": [],
            "items": 0,
        }))
    );
    assert_eq!(with(&evaluator, at(&plan, &state, "tell", 0)), Ok(json!({"text": "x: failed"})));
}

#[test]
fn conditions_instances_and_questions() {
    let (plan, state, evaluator) = setting();
    let place = at(&plan, &state, "use", 0);
    assert_eq!(evaluator.when(place), Ok(true));
    let items = evaluator.items(place).unwrap();
    assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["pg-0-0", "pg-1-1"]);
    assert_eq!(
        items[1].item.value(),
        json!({"key": "pg-1", "item": {"group_id": "pg-1"}, "status": "done", "output": {"epoch": 7, "replicas": ["n"]}, "attempts": 1})
    );
    let prompt = evaluator.prompt(at(&plan, &state, "go", 0)).unwrap();
    assert_eq!(prompt.prompt, "Rejoin 2 groups?");
    assert_eq!(
        prompt.evidence.unwrap().value(),
        json!({"steps.freeze.output": [{"epoch": 7, "replicas": []}, {"epoch": 7, "replicas": ["n"]}], "inputs.ticket": "INC-1"})
    );
    let freeze = at(&plan, &state, "freeze", 0);
    assert_eq!(evaluator.items(freeze).unwrap().len(), 2);
    assert_eq!(
        evaluator.title(freeze, plan.step(freeze.step).more.as_ref().unwrap().title.as_ref().unwrap()),
        "Fence pg-0 for INC-1"
    );
}

#[test]
fn an_undo_reads_what_its_step_gave_back() {
    let (plan, state, evaluator) = setting();
    let place = at(&plan, &state, "freeze", 0);
    let Some(ceptra_flow_core::plan::Undo::Body(body)) = plan.step(place.step).undo() else { panic!("an undo") };
    assert_eq!(evaluator.render_with(place, &body.with), Ok(json!({"command": ["unfence", "pg-0", 7]})));
}

#[test]
fn a_scope_outlives_the_state() {
    let (plan, state, evaluator) = setting();
    let scope = evaluator.scope(at(&plan, &state, "use", 1)).unwrap();
    drop((state, evaluator));
    assert_eq!(
        std::thread::spawn(move || scope.check("output.n == steps.big.output.words.size()", Some(&json!({"n": 3}))))
            .join()
            .unwrap(),
        Ok(true)
    );
}

#[test]
fn a_blob_that_cannot_be_read_is_told() {
    let (plan, state, _) = setting();
    let evaluator = Evaluator::new(&plan, [].into(), "/", Box::new(|_| Err("blob ab is gone".to_owned())));
    assert_eq!(with(&evaluator, at(&plan, &state, "use", 0)), Err("blob ab is gone".to_owned()));
    assert!(with(&evaluator, at(&plan, &state, "big", 0)).unwrap_err().contains("`inputs.token` is unknown"));
}
