//! Records and commands as short text, for a person to compare.

use ceptra_flow_core::event::{Event, ProbeVerdict, Record};
use ceptra_flow_core::ids::{Purpose, label};
use ceptra_flow_core::input::{Command, Failure, Verdict};
use ceptra_flow_core::{Attempt, Json, Name, Output, Timestamp};

/// `a#2` is the second attempt at `a`; `a#2/2` is of its second intent.
pub(crate) fn attempt(attempt: &Attempt, intent: u32) -> String {
    let purpose = match attempt.purpose {
        Purpose::Do => "",
        Purpose::Probe => "probe ",
        Purpose::Undo => "undo ",
    };
    let intent = if intent == 1 { String::new() } else { format!("/{intent}") };
    format!("{purpose}{}#{}{intent}", attempt.label(), attempt.number)
}

/// One record.
pub(crate) fn record(record: &Record) -> String {
    match &record.event {
        Event::RunStarted(_) => "started".to_owned(),
        Event::EpochOpened(_) => format!("epoch {}", record.epoch.0),
        Event::StepExpanded(event) => {
            let keys: Vec<&str> = event.items.iter().map(|item| item.key.as_str()).collect();
            format!("{} = [{}]", event.step, keys.join(" "))
        }
        Event::StepSkipped(event) => format!("{} skipped", subject(&event.step, event.key.as_ref())),
        Event::StepIntent(event) => attempt(&event.attempt, event.intent),
        Event::StepDone(event) => format!("{} done{}", event.attempt.label(), shown(&event.output)),
        Event::StepFailed(event) => format!("{} failed: {}", event.attempt.label(), why(&event.error, event.retry_at)),
        Event::StepUnknown(event) => format!("{} unknown: {}", event.attempt.label(), event.error.class),
        Event::ProbeAnswered(event) => {
            let verdict = match event.verdict {
                Some(ProbeVerdict::Done) => "done",
                Some(ProbeVerdict::NotDone) => "not done",
                None => "nobody can tell",
            };
            format!("{} probed: {verdict}", event.attempt.label())
        }
        Event::StepResolved(event) => {
            let verdict = match event.verdict {
                Verdict::Done => "done",
                Verdict::NotDone => "not done",
                Verdict::Skip => "skip",
            };
            format!("{} resolved: {verdict}", subject(&event.step, event.key.as_ref()))
        }
        Event::ApprovalRequested(event) => {
            let verb = if event.manual { "instruct" } else { "ask" };
            format!("{verb} {}", subject(&event.step, event.key.as_ref()))
        }
        Event::ApprovalGranted(event) => {
            format!("{} granted by {}", subject(&event.step, event.key.as_ref()), event.by.name)
        }
        Event::ApprovalRejected(event) => {
            format!("{} rejected by {}", subject(&event.step, event.key.as_ref()), event.by.name)
        }
        Event::ApprovalExpired(event) => format!("{} expired", subject(&event.step, event.key.as_ref())),
        Event::NoteAdded(event) => format!("note: {}", event.text),
        Event::RunPaused(_) => "paused".to_owned(),
        Event::RunUnpaused(_) => "unpaused".to_owned(),
        Event::CancelRequested(event) => {
            format!("cancelled by {}", event.by.as_ref().map_or("the clock", |by| by.name.as_str()))
        }
        Event::RetryRequested(event) => format!("retry {}", subject(&event.step, event.key.as_ref())),
        Event::UndoRequested(event) => match &event.to {
            Some(to) => format!("undo asked to {to}"),
            None => "undo asked".to_owned(),
        },
        Event::UndoIntent(event) => attempt(&event.attempt, event.intent),
        Event::UndoDone(event) => format!("{} undone", event.attempt.label()),
        Event::UndoFailed(event) => {
            format!("undo {} failed: {}", event.attempt.label(), why(&event.error, event.retry_at))
        }
        Event::FinallyStarted(event) => format!("finally after {}", event.outcome.as_str()),
        Event::RunFinished(event) => {
            let reasons =
                if event.reasons.is_empty() { String::new() } else { format!(" ({})", event.reasons.join("; ")) };
            format!("ended {}{reasons}", event.outcome.as_str())
        }
        Event::RunInterrupted(_) => "interrupted".to_owned(),
    }
}

/// One command; `None` for an attempt whose intent is a record, which says the same.
pub(crate) fn command(command: &Command) -> Option<String> {
    match command {
        Command::Run { attempt: run, intent, claim } => match run.purpose {
            Purpose::Do | Purpose::Undo => None,
            Purpose::Probe if claim.is_some() => Some(format!("check {}#{}", run.label(), run.number)),
            Purpose::Probe => Some(attempt(run, *intent)),
        },
        Command::Stop { attempt } => Some(format!("stop {}#{}", attempt.label(), attempt.number)),
        Command::Lock { step, key, locks } => {
            let locks: Vec<&str> = locks.iter().map(Name::as_str).collect();
            Some(format!("lock {} for {}", locks.join("+"), subject(step, key.as_ref())))
        }
        Command::Unlock { step, key } => Some(format!("unlock {}", subject(step, key.as_ref()))),
    }
}

fn subject(step: &Name, key: Option<&Name>) -> String {
    label(step, key)
}

fn why(error: &Failure, retry_at: Option<Timestamp>) -> String {
    match retry_at {
        Some(at) => format!("{}, again at {}", error.class, at.0),
        None => error.class.to_string(),
    }
}

/// An output, unless it is the plain one of the harness.
fn shown(output: &Output) -> String {
    match output {
        Output::Inline(json) if *json == Json::of("ok") => String::new(),
        Output::Inline(json) => format!(" {}", json.as_str()),
        Output::Blob(blob) => format!(" blob {}", blob.sha256),
    }
}
