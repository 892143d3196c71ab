//! Decisions about a run from another process: tried against the fold, posted to its inbox, answered by its owner.
//!
//! What the run would refuse is refused here, before anything is posted. Start at [`post`].

use crate::app::{App, now};
use crate::args::{Deciding, StepArg};
use crate::exit::{CommandError, Exit};
use crate::loaded::{self, Loaded, Purpose};
use crate::who::Person;
use ceptra_flow_core::event::{ApprovalRequested, Item};
use ceptra_flow_core::input::{Operation, Request};
use ceptra_flow_core::{Expressions, Input, Json, Name, Place, Prompt, RunState, Scheduler};
use ceptra_flow_report::Liveness;
use ceptra_flow_runbook::{InputDecl, Source};
use ceptra_flow_state::{Reply, RequestId, RunId, Store};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// A live engine looks into its inbox many times a second; one that is busy writing gets this long.
const REPLY_WAIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Posts a decision about a run, and tells what became of it.
pub(crate) fn post(
    app: &App,
    run: Option<&str>,
    deciding: &Deciding,
    what: impl FnOnce(&RunState) -> Result<Operation, CommandError>,
) -> Result<Exit, CommandError> {
    let store = app.store()?;
    let run = loaded::find(app, &store, run, Purpose::GoOn)?;
    let loaded = Loaded::of(&store, &run)?;
    let request = request(deciding, what(&loaded.state)?);
    let (step, liveness) = (subject(&request.what), loaded.liveness);
    try_out(loaded.state, &request)?;
    let id = store.post(&run, &request)?;
    let reply = if liveness == Liveness::Driven { await_reply(&store, &run, &id)? } else { None };
    tell(app, &run, &request, step, reply)
}

/// A person's request, with who and why.
pub(crate) fn request(deciding: &Deciding, what: Operation) -> Request {
    let person = Person::of(deciding.who.as_deref());
    Request { by: person.actor("command"), reason: deciding.reason.clone(), what }
}

/// Whether the run as it is now would take the request.
pub(crate) fn try_out(state: RunState, request: &Request) -> Result<(), CommandError> {
    // What it would lead to is dropped: nothing is recorded, and nothing starts before a tenure is opened.
    let decision = Scheduler::resume(state).handle(now(), Input::Operator(request.clone()), &NoExpressions)?;
    drop(decision);
    Ok(())
}

/// Nothing is evaluated when a request is only tried out.
struct NoExpressions;

impl Expressions for NoExpressions {
    fn when(&self, _: Place<'_>) -> Result<bool, String> {
        Err("not evaluated here".into())
    }
    fn items(&self, _: Place<'_>) -> Result<Vec<Item>, String> {
        Err("not evaluated here".into())
    }
    fn prompt(&self, _: Place<'_>) -> Result<Prompt, String> {
        Err("not evaluated here".into())
    }
}

fn await_reply(store: &Store, run: &RunId, id: &RequestId) -> Result<Option<Reply>, CommandError> {
    let deadline = Instant::now() + REPLY_WAIT;
    loop {
        if let Some(reply) = store.reply(run, id)? {
            return Ok(Some(reply));
        }
        if Instant::now() > deadline || store.is_held(run)?.is_none() {
            // The last look: it may have been answered by an engine that ended right after.
            return Ok(store.reply(run, id)?);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What the request is about: `approve go`.
fn subject(what: &Operation) -> String {
    let label = |step: &Name, key: &Option<Name>| ceptra_flow_core::ids::label(step, key.as_ref());
    match what {
        Operation::Approve { step, key, .. } => format!("approval of `{}`", label(step, key)),
        Operation::Reject { step, key } => format!("rejection of `{}`", label(step, key)),
        Operation::Resolve { step, key, .. } => format!("verdict on `{}`", label(step, key)),
        Operation::Note { .. } => "note".into(),
        Operation::Pause => "pause".into(),
        Operation::Unpause => "end of the pause".into(),
        Operation::Cancel => "cancellation".into(),
        Operation::Undo { .. } => "undo".into(),
        Operation::Retry { step, key } => format!("retry of `{}`", label(step, key)),
    }
}

fn tell(
    app: &App,
    run: &RunId,
    request: &Request,
    subject: String,
    reply: Option<Reply>,
) -> Result<Exit, CommandError> {
    let who = &request.by.name;
    let (standing, exit) = match &reply {
        Some(Reply::Accepted) => ("accepted", Exit::Done),
        Some(Reply::Refused(_)) => ("refused", Exit::BadInput),
        None => ("posted", Exit::Done),
    };
    if let Some(Reply::Refused(why)) = &reply {
        return Err(CommandError::usage(
            format!("the run refused the {subject}: {why}"),
            format!("`{}` shows where it stands", app.commands(run.as_str()).show()),
        ));
    }
    if app.console.is_json() {
        app.console.json(&json!({ "run": run.as_str(), "request": request.what, "by": who, "state": standing }));
        return Ok(exit);
    }
    let resume = app.commands(run.as_str()).resume();
    match reply {
        Some(_) => app.console.result(&format!("{subject} by {who}: in the journal of run {run}\n")),
        None => app.console.result(&format!(
            "{subject} by {who}: kept for run {run}, which nobody drives right now\n  `{resume}` goes on with it\n"
        )),
    }
    Ok(exit)
}

/// A step, or the instance of it, as the core names it.
pub(crate) fn names(step: &StepArg) -> (Name, Option<Name>) {
    (Name::from(step.id.as_str()), step.key.as_deref().map(Name::from))
}

/// What a person was asked about a step and has not decided, if anything.
pub(crate) fn open_request<'a>(state: &'a RunState, step: &StepArg) -> Option<&'a ApprovalRequested> {
    let at = state.find(&step.id)?;
    state.instance(at, step.key.as_deref())?.1.open_request()
}

/// Declarations of typed answers, as the runbook crate reads inputs.
pub(crate) fn declared_fields(fields: &Json) -> Vec<InputDecl> {
    let document = json!({ "schema": 1, "inputs": fields.value() });
    let text = toml::to_string(&without_nulls(document)).unwrap_or_default();
    ceptra_flow_runbook::inputs(&Source { name: "fields", text: &text })
}

/// TOML has no null; a member that is one is left out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, without_nulls(member)))
                .collect(),
        ),
        other => other,
    }
}

/// Typed answers given as `--field name=text`, checked against what was asked for.
pub(crate) fn fields(
    asked: Option<&ApprovalRequested>,
    given: &[(String, String)],
) -> Result<Option<Json>, CommandError> {
    let declared = asked.and_then(|asked| asked.fields.as_ref()).map(declared_fields).unwrap_or_default();
    let known: Vec<&str> = declared.iter().map(|field| field.name.as_str()).collect();
    if let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        let help =
            if known.is_empty() { "it asks for none".to_owned() } else { format!("it asks for {}", known.join(", ")) };
        return Err(CommandError::usage(format!("the step asks for no field `{name}`"), help));
    }
    let mut values = Map::new();
    let mut missing = Vec::new();
    for field in &declared {
        let text = given.iter().rev().find(|(name, _)| *name == field.name).map(|(_, text)| text);
        match (text, &field.default) {
            (Some(text), _) => {
                let value = field.read(text).map_err(|why| {
                    CommandError::usage(
                        format!("field `{}`: {why}", field.name),
                        "give another value with --field NAME=VALUE",
                    )
                })?;
                values.insert(field.name.clone(), value);
            }
            (None, Some(usual)) => drop(values.insert(field.name.clone(), usual.clone())),
            (None, None) => missing.push(format!("--field {}=…", field.name)),
        }
    }
    if !missing.is_empty() {
        return Err(CommandError::usage("the step asks for answers", format!("add {}", missing.join(" "))));
    }
    Ok((!values.is_empty()).then(|| Json::from(Value::Object(values))))
}
