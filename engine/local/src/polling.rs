//! `until`: asking again until a condition holds or the time is over.

use crate::carried::{Outcome, failure};
use ceptra_flow_core::input::Left;
use ceptra_flow_runbook::Scope;
use ceptra_flow_steps::StepContext;
use serde_json::Value;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Between two askings where the runbook says nothing.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(2);

/// Classes of failure that asking again cannot mend.
const HOPELESS: [&str; 6] = ["parameter", "template", "unsupported", "spawn", "endpoint", "cancelled"];

/// What is asked for, and how often.
pub(crate) struct Until<'a> {
    pub(crate) condition: &'a str,
    pub(crate) interval_ms: Option<u64>,
    pub(crate) scope: &'a Scope,
}

/// Runs `once` again and again until the condition holds on its output.
pub(crate) async fn repeat<'a, F, Fut>(until: Until<'_>, cx: &'a StepContext, once: F) -> Outcome
where
    F: Fn(Duration) -> Fut,
    Fut: Future<Output = Outcome> + 'a,
{
    let deadline = Instant::now() + cx.timeout;
    let interval = until.interval_ms.map_or(INTERVAL_DEFAULT, Duration::from_millis);
    let mut last = String::from("it was never answered");
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || cx.cancel.is_cancelled() {
            return timed_out(until.condition, &last, cx);
        }
        match once(left).await {
            Outcome::Done(output) => match until.scope.check(until.condition, Some(&output)) {
                Ok(true) => return Outcome::Done(output),
                Ok(false) => last = format!("the last answer was {}", shortened(&output)),
                Err(message) => last = format!("it could not be judged: {message}"),
            },
            Outcome::NotDone(seen) => last = format!("the last answer was {}", shortened(&seen)),
            Outcome::Error(error) if HOPELESS.contains(&error.class) => return Outcome::Error(error),
            Outcome::Error(error) => last = format!("the last try failed: {}", error.message),
            Outcome::Failed(failure) => return Outcome::Failed(failure),
        }
        let pause = interval.min(deadline.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cx.cancel.cancelled() => {}
        }
    }
}

fn timed_out(condition: &str, last: &str, cx: &StepContext) -> Outcome {
    let why = if cx.cancel.is_cancelled() { "it was stopped" } else { "the time was over" };
    Outcome::Failed(failure("timeout", format!("{why} before `{condition}` held; {last}"), Left::Nothing))
}

/// A value as far as fits on a line.
pub(crate) fn shortened(value: &Value) -> String {
    const CHARS_MAX: usize = 200;
    let text = value.to_string();
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    let head: String = text.chars().take(CHARS_MAX).collect();
    format!("{head}…")
}
