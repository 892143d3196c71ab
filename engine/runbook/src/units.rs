//! Durations (`1h30m`) and sizes (`64KiB`) as people type them.

/// Milliseconds of a text such as `250ms`, `30s`, `10m`, `1h30m`, `2d`: units from large to small, each at most once.
#[must_use]
pub fn duration_ms(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let (_, factor) = units.by_ref().find(|(name, _)| *name == unit)?;
        total = total.checked_add(count.checked_mul(*factor)?)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Bytes of a text such as `64KiB`, `10MB`, `512B`, `4096`.
#[must_use]
pub fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: u64 = text.get(..digits)?.parse().ok()?;
    let factor = match text[digits..].trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    count.checked_mul(factor)
}

/// Names that a typed one is compared with; a file may have a hundred thousand.
const COMPARED_MAX: usize = 2000;

/// The name among `known` that was probably meant.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > 100 {
        return None;
    }
    let typed: Vec<char> = typed.to_lowercase().chars().collect();
    let allowed = (typed.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .take(COMPARED_MAX)
        .filter_map(|name| Some((distance(&typed, name, allowed)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// Edits from one text to the other, swapping two neighbours being one; nothing when there are more than `allowed`.
fn distance(a: &[char], b: &str, allowed: usize) -> Option<usize> {
    if b.len() > 4 * (a.len() + allowed) {
        return None;
    }
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    if a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i);
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        if row.iter().chain(&last).min().is_some_and(|least| *least > allowed) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|distance| *distance <= allowed)
}

/// "did you mean `x`?" or the choices themselves: the start of a help line.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = closest(typed, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let all = known.clone().into_iter().count();
    if all == 0 {
        return "there is none".to_owned();
    }
    let names: Vec<&str> = known.into_iter().take(24).collect();
    let more = all - names.len();
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match more {
        0 => format!("there is {}", listed.join(", ")),
        more => format!("there is {}, and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_from_large_to_small_units() {
        let cases = [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("1m500ms", Some(60_500)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("m", None),
            ("1m1h", None),
            ("1m1m", None),
            ("-1s", None),
            ("1.5h", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, expected) in [
            ("64KiB", Some(65_536)),
            ("10MB", Some(10_000_000)),
            ("4096", Some(4096)),
            ("1XB", None),
            ("KiB", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(size_bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["needs", "timeout", "retry", "type"];
        assert_eq!(closest("need", keys), Some("needs"));
        assert_eq!(closest("tmieout", keys), Some("timeout"));
        assert_eq!(closest("colour", keys), None);
    }
}
