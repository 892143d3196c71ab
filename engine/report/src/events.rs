//! Records for programs: one JSON object a line.

use crate::{OutputView, utc};
use ceptra_flow_core::event::{Event, RunStarted};
use ceptra_flow_core::{Json, Output, Record, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt::{self, Write as _};

/// A record as one line of JSON, without newline: `seq`, `at`, `epoch`, `kind`, `step`, `key`, `attempt` (null where the event has
/// none), then the rest of the event. The plan is left out of `run_started`; its digest stays.
#[must_use]
pub fn event_json(record: &Record) -> String {
    let payload = match &record.event {
        // Without its plan, which may be megabytes.
        Event::RunStarted(event) => Event::from(RunStarted { plan: Json::null(), ..event.clone() }).payload(),
        event => event.payload(),
    };
    let fields: Fields<'_> = serde_json::from_str(&payload).expect("an event's payload is an object");
    let named =
        |wanted: &str| fields.0.iter().find(|(name, _)| name == wanted).map_or("null", |(_, value)| value.get());
    let mut line = format!(
        r#"{{"seq":{},"at":"{}","epoch":{},"kind":"{}","step":{},"key":{},"attempt":{}"#,
        record.seq.0,
        utc(record.at),
        record.epoch.0,
        record.event.kind(),
        named("step"),
        named("key"),
        named("attempt"),
    );
    for (name, value) in &fields.0 {
        if !matches!(name.as_str(), "step" | "key" | "attempt" | "epoch" | "plan") {
            write!(line, ",\"{name}\":{}", in_files(name, value.get())).expect("writing to a String cannot fail");
        }
    }
    line.push('}');
    line
}

/// A field's value: instants as every other time in files, outputs as `show` has them.
fn in_files(name: &str, value: &str) -> String {
    let shown = match name {
        "output" => serde_json::from_str(value)
            .ok()
            .map(|output: Output| Json::of(&OutputView::of(&output)).as_str().to_owned()),
        "retry_at" | "expires_at" => value.parse().ok().map(|ms| format!("\"{}\"", utc(Timestamp(ms)))),
        _ => None,
    };
    shown.unwrap_or_else(|| value.to_owned())
}

/// An object's fields in order, values as text: numbers keep their digits, outputs are not parsed.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
