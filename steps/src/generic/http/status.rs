//! Which statuses mean success, and what the others say about the effect.

use crate::error::StepError;
use serde_json::{Value, json};
use std::fmt;
use std::ops::RangeInclusive;

/// How much of an answer's body is shown with a failure.
const SHOWN_CHARS_MAX: usize = 500;

/// The statuses that mean success.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected(Vec<RangeInclusive<u64>>);

impl Default for Expected {
    fn default() -> Self {
        Self(vec![200..=299])
    }
}

impl Expected {
    /// Reads `200`, `"2xx"`, `"200-204"`, or a list of those.
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(items) if items.is_empty() => {
                Err("the list is empty, so no status would be a success".to_owned())
            }
            Value::Array(items) => items.iter().map(range).collect::<Result<_, _>>().map(Self),
            one => range(one).map(|range| Self(vec![range])),
        }
    }

    fn holds(&self, status: u64) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match (range.start(), range.end()) {
                (start, end) if start == end => write!(out, "{separator}{start}")?,
                (start, end) => write!(out, "{separator}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

fn range(value: &Value) -> Result<RangeInclusive<u64>, String> {
    let wrong = || format!("`{}` is no status", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let status =
        |text: &str| text.trim().parse::<u64>().ok().filter(|status| (100..=599).contains(status)).ok_or_else(wrong);
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(wrong()),
    };
    if let Some(class) = text.strip_suffix("xx") {
        let first = status(&format!("{class}00"))?;
        return Ok(first..=first + 99);
    }
    match text.split_once('-') {
        Some((start, end)) => {
            let (start, end) = (status(start)?, status(end)?);
            if start <= end { Ok(start..=end) } else { Err(wrong()) }
        }
        None => status(&text).map(|status| status..=status),
    }
}

/// The answer, if its status was expected; else class `status` with what it says about the effect.
pub(super) fn judged(what: &str, expected: &Expected, output: Value) -> Result<Value, StepError> {
    let status = output["status"].as_u64().unwrap_or_default();
    if expected.holds(status) {
        return Ok(output);
    }
    let body: String = output["body"].as_str().unwrap_or_default().trim().chars().take(SHOWN_CHARS_MAX).collect();
    let told = match (output["headers"]["location"].as_str(), body.is_empty()) {
        (Some(location), _) if (300..400).contains(&status) => {
            format!(": it points to {location}; write that address if it is meant")
        }
        (_, false) => format!(": {body}"),
        (_, true) => String::new(),
    };
    let message = format!("{what} answered {status}, expected {expected}{told}");
    let error = match status {
        // Refused, or sent elsewhere: the server did nothing.
        300..=499 | 501 | 503 | 505 => StepError::nothing("status", message),
        // A gateway answered; what is behind it may be at work still.
        502 | 504 => StepError::unknown("status", message),
        _ => StepError::partial("status", message),
    };
    Err(error.with_detail(json!({ "status": status, "headers": output["headers"], "body": body })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Aftermath;
    use ceptra_flow_core::input::Left;

    #[test]
    fn statuses_are_numbers_ranges_classes_and_lists() {
        let expected = Expected::of(&json!([200, "3xx", "404-406", "409"])).unwrap();
        assert_eq!(expected.to_string(), "200, 300-399, 404-406, 409");
        let held: Vec<u64> =
            [199, 200, 201, 302, 405, 407, 409].into_iter().filter(|status| expected.holds(*status)).collect();
        assert_eq!(held, [200, 302, 405, 409]);
        for wrong in [
            json!([]),
            json!("ok"),
            json!(20),
            json!("9xx"),
            json!("300-200"),
            json!(true),
            json!([[200]]),
            json!("xx"),
        ] {
            assert!(Expected::of(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_status_tells_what_is_known_of_the_effect() {
        let left = |status: u64| {
            let answer = json!({ "status": status, "headers": {}, "body": "why" });
            judged("POST http://x/", &Expected::default(), answer).unwrap_err().left
        };
        assert_eq!(left(302), Aftermath::Left(Left::Nothing));
        assert_eq!(left(409), Aftermath::Left(Left::Nothing));
        assert_eq!(left(500), Aftermath::Left(Left::Partial));
        assert_eq!(left(503), Aftermath::Left(Left::Nothing));
        assert_eq!(left(504), Aftermath::Unknown);
        let answer = json!({ "status": 302, "headers": { "location": "https://b/" }, "body": "" });
        let error = judged("POST http://x/", &Expected::default(), answer).unwrap_err();
        assert_eq!(
            error.message,
            "POST http://x/ answered 302, expected 200-299: it points to https://b/; write that address if it is meant"
        );
    }
}
