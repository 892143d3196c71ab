//! Times and durations as people and files have them.

use ceptra_flow_core::Timestamp;
use jiff::tz::TimeZone;

/// A duration for people: `350ms`, `1.4s`, `59s`, `1m 12s`, `30m`, `2h 03m`, `1d 4h`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        3600..86_400 if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        1..10 => format!("{seconds}.{}s", ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// An instant for files: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    format!("{:.3}", instant(at))
}

/// Milliseconds as seconds, for JSON.
pub(crate) fn seconds(ms: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
    let ms = ms as f64;
    ms / 1000.0
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
}

/// Shows instants in the time zone of whoever reads them.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Zone,
}

/// A time zone, or who knows it when it is wanted.
#[derive(Clone, Debug)]
enum Zone {
    Known(TimeZone),
    AskedLater(fn() -> TimeZone),
}

impl Clock {
    /// Times in UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: Zone::Known(TimeZone::UTC) }
    }

    /// Times in this zone; the caller found out which (`TimeZone::system()` reads files).
    #[must_use]
    pub fn in_zone(zone: TimeZone) -> Self {
        Self { zone: Zone::Known(zone) }
    }

    /// Times in the zone that `ask` tells whenever one is shown; it should remember its answer.
    #[must_use]
    pub fn asking(ask: fn() -> TimeZone) -> Self {
        Self { zone: Zone::AskedLater(ask) }
    }

    /// `23:57:34+01:00`.
    #[must_use]
    pub fn time_of_day(&self, at: Timestamp) -> String {
        self.shown(at, "%H:%M:%S%:z")
    }

    /// `2026-11-22 23:57:34 +01:00`.
    #[must_use]
    pub fn date_time(&self, at: Timestamp) -> String {
        self.shown(at, "%Y-%m-%d %H:%M:%S %:z")
    }

    fn shown(&self, at: Timestamp, format: &str) -> String {
        let zone = match &self.zone {
            Zone::Known(zone) => zone.clone(),
            Zone::AskedLater(ask) => ask(),
        };
        instant(at).to_zoned(zone).strftime(format).to_string()
    }
}
