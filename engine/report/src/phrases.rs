//! What happened, in words: one phrase a record, shared by the lines of a run and the timeline of a report.

use crate::duration;
use crate::text::{count, one_line, shortened, some_of};
use ceptra_flow_core::event::{ApprovalRequested, Event, Outcome, ProbeVerdict};
use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::input::{Actor, Failure, Verdict};
use ceptra_flow_core::{Record, RunState, Timestamp};
use std::fmt;

/// Longer messages are cut: logs and the report have them whole.
const MESSAGE_CHARS_MAX: usize = 240;
/// A question is shown whole unless it is an essay: `show` has all of it.
const PROMPT_CHARS_MAX: usize = 1000;

/// What a record says, without its step's name. `began` is when the attempt that it ends began, where that is known.
pub(crate) fn what(record: &Record, state: &RunState, began: Option<Timestamp>) -> String {
    one_line(&phrase(record, state, began)).into_owned()
}

fn phrase(record: &Record, state: &RunState, began: Option<Timestamp>) -> String {
    let after =
        |word: &str| began.map_or(String::new(), |began| format!(" {word} {}", duration(record.at.ms_since(began))));
    match &record.event {
        Event::RunStarted(event) => {
            let plan = state.plan();
            let kind = plan.target.kind.as_str().to_uppercase();
            format!(
                "{} on {} ({kind}), run {}, started by {}",
                plan.runbook.name, plan.target.name, event.run, event.by.name
            )
        }
        Event::EpochOpened(event) if record.epoch.0 == 1 => {
            format!("ceptra-flow {} on {}, process {}", event.engine.version, event.engine.host, event.engine.pid)
        }
        Event::EpochOpened(event) => {
            format!(
                "taken up by {} on {}, process {} (epoch {})",
                event.by.name, event.engine.host, event.engine.pid, record.epoch.0
            )
        }
        Event::StepExpanded(event) => {
            let keys = some_of(event.items.iter().map(|item| &item.key), 6, ", ");
            format!("{}: {keys}", count(event.items.len(), "instance"))
        }
        Event::StepSkipped(event) => format!("skipped: {}", event.reason),
        Event::StepIntent(event) if event.attempt.number <= 1 => "starts".to_owned(),
        Event::StepIntent(event) => format!("starts again (attempt {})", event.attempt.number),
        Event::StepDone(event) if event.attempt.purpose == Purpose::Probe => "done, as a check shows".to_owned(),
        Event::StepDone(_) => format!("done{}", after("in")),
        Event::StepFailed(event) => match event.retry_at {
            Some(at) => format!(
                "failed{}: {}; again in {}",
                after("after"),
                reason(&event.error),
                duration(at.ms_since(record.at))
            ),
            None => format!("FAILED{}: {}", after("after"), reason(&event.error)),
        },
        Event::StepUnknown(event) => format!("IN DOUBT{}: {}", after("after"), reason(&event.error)),
        Event::ProbeAnswered(event) => match (event.verdict, &event.error) {
            (Some(ProbeVerdict::Done), _) => "checked: it happened".to_owned(),
            (Some(ProbeVerdict::NotDone), None) => "checked: it did not happen".to_owned(),
            (Some(ProbeVerdict::NotDone), Some(error)) => format!("checked: not done: {}", reason(error)),
            (None, None) => "IN DOUBT: the check could not tell".to_owned(),
            (None, Some(error)) => format!("IN DOUBT: the check could not tell: {}", reason(error)),
        },
        Event::StepResolved(event) => {
            let said = match event.verdict {
                Verdict::Done => "it is done",
                Verdict::NotDone => "it is not done, and to do it again",
                Verdict::Skip => "to go on without it",
            };
            format!("{} says {said}{}", who(&event.by), because(event.reason.as_deref()))
        }
        Event::ApprovalRequested(event) => {
            let asks = if event.manual { "BY HAND" } else { "ASKS" };
            format!("{asks}: {}", shortened(&event.prompt, PROMPT_CHARS_MAX))
        }
        Event::ApprovalGranted(event) => {
            let choice = event.choice.as_ref().map_or(String::new(), |choice| format!(" ({choice})"));
            format!("approved{choice} by {}{}", who(&event.by), because(event.reason.as_deref()))
        }
        Event::ApprovalRejected(event) => format!("REJECTED by {}{}", who(&event.by), because(event.reason.as_deref())),
        Event::ApprovalExpired(_) => "EXPIRED: nobody answered in time".to_owned(),
        Event::NoteAdded(event) => format!("note by {}: {}", event.by.name, event.text),
        Event::RunPaused(event) => match &event.by {
            Some(by) => format!("paused by {}{}", by.name, because(event.reason.as_deref())),
            None => format!("paused{}", because(event.reason.as_deref())),
        },
        Event::RunUnpaused(event) => format!("goes on, says {}", event.by.name),
        Event::CancelRequested(event) => match &event.by {
            Some(by) => format!("CANCELLED by {}{}", by.name, because(event.reason.as_deref())),
            None => format!("GIVEN UP{}", because(event.reason.as_deref())),
        },
        Event::RetryRequested(event) => {
            format!("to be tried again, says {}{}", event.by.name, because(event.reason.as_deref()))
        }
        Event::UndoRequested(event) => {
            let to = event.to.as_ref().map_or(String::new(), |to| format!(" down to {to}"));
            let by = event.by.as_ref().map_or("a step failed".to_owned(), |by| format!("says {}", by.name));
            let past = if event.past_point_of_no_return { ", past the point of no return" } else { "" };
            format!("UNDO{to}{past}: {by}{}", because(event.reason.as_deref()))
        }
        Event::UndoIntent(_) => "undo starts".to_owned(),
        Event::UndoDone(_) => format!("undone{}", after("in")),
        Event::UndoFailed(event) => match event.retry_at {
            Some(at) => format!("undo failed: {}; again in {}", reason(&event.error), duration(at.ms_since(record.at))),
            None => format!("STUCK: its undo failed: {}", reason(&event.error)),
        },
        Event::FinallyStarted(event) => format!("the main steps ended: {}; the last steps run", event.outcome.as_str()),
        Event::RunFinished(event) => {
            let took = duration(record.at.ms_since(state.started_at()));
            let why = if event.reasons.is_empty() {
                String::new()
            } else {
                format!(": {}", some_of(&event.reasons, 3, "; "))
            };
            match event.outcome {
                Outcome::Done => format!("DONE in {took}{why}"),
                Outcome::Failed => format!("FAILED after {took}{why}"),
                Outcome::Cancelled => format!("CANCELLED after {took}{why}"),
            }
        }
        Event::RunInterrupted(event) => format!("stopped by {}; it can go on", event.signal),
    }
}

/// A failure in a few words.
fn reason(error: &Failure) -> String {
    let message = shortened(&error.message, MESSAGE_CHARS_MAX);
    match error.exit_code {
        Some(code) if !message.contains(&code.to_string()) => format!("{message} (exit code {code})"),
        Some(_) | None => message.into_owned(),
    }
}

fn because(reason: Option<&str>) -> String {
    reason.filter(|reason| !reason.is_empty()).map_or(String::new(), |reason| format!(": {reason}"))
}

/// Who, and how where it was not by hand.
pub(crate) fn who(by: &Actor) -> String {
    match &*by.via {
        "terminal" | "command" => by.name.clone(),
        "yes" => format!("{} (with --yes)", by.name),
        "approve" => format!("{} (with --approve)", by.name),
        "rehearsal" => format!("{} (a rehearsal grants it)", by.name),
        other => format!("{} ({other})", by.name),
    }
}

/// What else a question says: who may answer, until when, and what it rests on.
pub(crate) fn write_terms(
    out: &mut dyn fmt::Write,
    margin: &str,
    asked: &ApprovalRequested,
    now: Timestamp,
) -> fmt::Result {
    if asked.approvers > 1 {
        writeln!(out, "{margin}{} different people must agree", asked.approvers)?;
    }
    if asked.not_initiator {
        writeln!(out, "{margin}whoever started the run does not count")?;
    }
    if let Some(at) = asked.expires_at {
        writeln!(out, "{margin}stands for another {}", duration(at.ms_since(now)))?;
    }
    let evidence = asked.evidence.as_ref().map(|evidence| evidence.value());
    for (path, value) in evidence.iter().filter_map(|value| value.as_object()).flatten() {
        writeln!(out, "{margin}{path} = {}", shortened(&value.to_string(), 400))?;
    }
    Ok(())
}
