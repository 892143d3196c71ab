//! Keeps the values of secrets out of whatever people and files get to see.
//!
//! A secret is looked for as it is and as it commonly travels: JSON-escaped, percent-encoded, in hex, in
//! Base64 (also inside a longer Base64 text, as in an `Authorization: Basic` header). Secrets shorter
//! than four characters would blacken ordinary words, so they are replaced only where they are the whole
//! value. A program that transforms a secret in another way can still leak it: this is a net, not a proof.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// What stands where a secret was.
pub const MASK: &str = "***";

/// Shorter secrets are replaced only where they are the whole value.
const SEARCHED_CHARS_MIN: usize = 4;

/// Shorter pieces of Base64 would match ordinary text.
const BASE64_PIECE_MIN: usize = 8;

/// Longer secrets (whole files) are looked for only as they are and JSON-escaped: each form costs memory.
const ENCODED_BYTES_MAX: usize = 64 * 1024;

/// Knows the secrets of a run, and replaces them by `***`.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: BTreeSet<String>,
    search: Option<Search>,
}

#[derive(Clone)]
struct Search {
    /// Longest first.
    forms: Arc<[Vec<u8>]>,
    /// Where two forms begin at the same place, it finds the longer one.
    finder: AhoCorasick,
}

impl Redactor {
    /// One that knows these secrets. Empty ones are ignored.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets: BTreeSet<String> = secrets
            .into_iter()
            .flat_map(|secret| [secret.trim().to_owned(), secret])
            .filter(|secret| !secret.is_empty())
            .collect();
        let search = Search::for_forms(secrets.iter().flat_map(|secret| forms(secret)).collect());
        Self { secrets, search }
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The text with every secret in it replaced.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.secrets.contains(text) {
            return Cow::Borrowed(MASK);
        }
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The value with every secret in it replaced, at any depth, keys and numbers included.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => match self.text(&text) {
                Cow::Borrowed(same) if same == text => Value::String(text),
                redacted => Value::String(redacted.into_owned()),
            },
            Value::Number(number) => {
                let text = number.to_string();
                if self.text(&text) == text { Value::Number(number) } else { Value::String(MASK.to_owned()) }
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(fields) => {
                let fields: Map<String, Value> =
                    fields.into_iter().map(|(key, field)| (self.text(&key).into_owned(), self.value(field))).collect();
                Value::Object(fields)
            }
            Value::Null | Value::Bool(_) => value,
        }
    }

    /// Bytes with every secret of four characters or more replaced.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.search {
            Some(search) if search.finder.is_match(bytes) => {
                let masks = vec![MASK; search.forms.len()];
                Cow::Owned(search.finder.replace_all_bytes(bytes, &masks))
            }
            Some(_) => Cow::Borrowed(bytes),
            None => Cow::Borrowed(bytes),
        }
    }

    /// One that is fed in pieces.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> RedactedStream {
        RedactedStream { redactor: Arc::clone(self), held: Vec::new() }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Redactor({} secrets)", self.secrets.len())
    }
}

/// Replaces secrets in a stream, also those that arrive in pieces.
///
/// It holds back only what may be the beginning of a secret, so that a log stays live.
pub struct RedactedStream {
    redactor: Arc<Redactor>,
    /// Bytes not given out yet: a beginning of some form, shorter than the longest form.
    held: Vec<u8>,
}

impl RedactedStream {
    /// Takes the next bytes, gives those that are safe to show.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(search) = &self.redactor.search else {
            return bytes.to_vec();
        };
        self.held.extend_from_slice(bytes);
        let mut shown = Vec::with_capacity(self.held.len());
        let mut at = 0;
        let keep = loop {
            // What begins before `undecided` can become no longer match by more bytes.
            let undecided = at + search.undecided_from(&self.held[at..]);
            match search.finder.find(Input::new(&self.held).range(at..)).filter(|found| found.start() < undecided) {
                Some(found) => {
                    shown.extend_from_slice(&self.held[at..found.start()]);
                    shown.extend_from_slice(MASK.as_bytes());
                    at = found.end();
                }
                None => {
                    shown.extend_from_slice(&self.held[at..undecided]);
                    break undecided;
                }
            }
        };
        self.held.drain(..keep);
        shown
    }

    /// The end: what was held back.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.redactor.bytes(&held).into_owned()
    }
}

impl Search {
    fn for_forms(forms: BTreeSet<Vec<u8>>) -> Option<Self> {
        if forms.is_empty() {
            return None;
        }
        let mut forms: Vec<Vec<u8>> = forms.into_iter().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&forms)
            .expect("a search fails to build only beyond two billion bytes of secrets");
        Some(Self { forms: forms.into(), finder })
    }

    /// The place from which on `bytes` may be the beginning of a form whose rest is still to come.
    fn undecided_from(&self, bytes: &[u8]) -> usize {
        let longest = self.forms.first().map_or(0, Vec::len);
        let from = bytes.len().saturating_sub(longest.saturating_sub(1));
        (from..bytes.len())
            .find(|&at| {
                let tail = &bytes[at..];
                self.forms.iter().any(|form| form.len() > tail.len() && form.starts_with(tail))
            })
            .unwrap_or(bytes.len())
    }
}

/// A secret as it commonly travels.
fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    if secret.chars().count() < SEARCHED_CHARS_MIN {
        return BTreeSet::new();
    }
    let escaped = Value::String(secret.to_owned()).to_string();
    let escaped = escaped[1..escaped.len() - 1].to_owned();
    if secret.len() > ENCODED_BYTES_MAX {
        return BTreeSet::from([secret.to_owned().into_bytes(), escaped.into_bytes()]);
    }
    let percent = percent_encoded(secret);
    let hex: String = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let mut forms: BTreeSet<Vec<u8>> = [
        secret.to_owned(),
        escaped,
        percent.to_lowercase_escapes(),
        percent.0.replace("%20", "+"),
        percent.0,
        hex.to_uppercase(),
        hex,
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    forms.extend(base64_forms(secret.as_bytes()).into_iter().map(String::into_bytes));
    forms
}

/// The secret alone in Base64, and what is always the same of it inside the Base64 of a longer text, for each
/// of the three places where it may begin.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    let mut forms = vec![STANDARD.encode(secret)];
    for offset in 0..3 {
        let shifted: Vec<u8> = std::iter::repeat_n(0, offset).chain(secret.iter().copied()).collect();
        // A character holds six bits; the first ones share bits with what comes before, the last with what follows.
        let first = (offset * 8).div_ceil(6);
        let end = shifted.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.push(text[first..end].to_owned());
        }
    }
    forms.retain(|form| form.len() >= BASE64_PIECE_MIN);
    forms
}

struct Percent(String);

impl Percent {
    fn to_lowercase_escapes(&self) -> String {
        let mut text = self.0.clone();
        let escapes: Vec<usize> = text.match_indices('%').map(|(at, _)| at).collect();
        for at in escapes {
            let lower = text[at..at + 3].to_ascii_lowercase();
            text.replace_range(at..at + 3, &lower);
        }
        text
    }
}

fn percent_encoded(text: &str) -> Percent {
    Percent(text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SECRET: &str = "hunter2/\"Zürich 9\"";

    fn redactor() -> Arc<Redactor> {
        Arc::new(Redactor::new([SECRET.to_owned(), "ab".to_owned(), "31337".to_owned(), String::new()]))
    }

    #[test]
    fn every_form_of_a_secret_is_replaced() {
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let shown_as = [
            SECRET.to_owned(),
            r#"hunter2/\"Zürich 9\""#.to_owned(),
            STANDARD.encode(SECRET),
            hex.to_uppercase(),
            hex,
            "hunter2%2F%22Z%C3%BCrich%209%22".to_owned(),
            "hunter2%2f%22Z%c3%bcrich%209%22".to_owned(),
            "hunter2%2F%22Z%C3%BCrich+9%22".to_owned(),
        ];
        for form in shown_as {
            assert_eq!(redactor().text(&format!("<{form}>")), "<***>", "{form}");
        }
    }

    #[test]
    fn a_secret_inside_longer_base64_is_replaced() {
        for user in ["a", "op", "ops", "operator"] {
            let header = STANDARD.encode(format!("{user}:{SECRET}!"));
            let redacted = redactor().text(&header).into_owned();
            assert!(redacted.contains(MASK), "{header}");
            assert!(redacted.len() < 24, "{redacted}");
        }
    }

    #[test]
    fn values_are_redacted_at_any_depth_and_short_secrets_only_as_a_whole() {
        let value = json!({ SECRET: ["ab", "cab", 31337, 131_337, format!("token={SECRET}"), true, null] });
        let expected = json!({ "***": ["***", "cab", "***", "***", "token=***", true, null] });
        assert_eq!(redactor().value(value), expected);
    }

    #[test]
    fn a_secret_in_pieces_is_replaced_wherever_it_is_cut() {
        let text = format!("begin {SECRET} hunter2 middle {} end", STANDARD.encode(SECRET));
        let expected = "begin *** hunter2 middle *** end";
        for cut in 0..=text.len() {
            for second in cut..=text.len() {
                let mut stream = redactor().stream();
                let mut shown = stream.push(&text.as_bytes()[..cut]);
                shown.extend(stream.push(&text.as_bytes()[cut..second]));
                shown.extend(stream.push(&text.as_bytes()[second..]));
                shown.extend(stream.finish());
                assert_eq!(String::from_utf8(shown).unwrap(), expected, "cut at {cut} and {second}");
            }
        }
    }

    #[test]
    fn a_stream_holds_back_only_what_may_become_a_secret() {
        let mut stream = redactor().stream();
        assert_eq!(stream.push(b"progress 40 %\n"), b"progress 40 %\n");
        assert_eq!(stream.push(b"hunt"), b"");
        assert_eq!(stream.push(b"ing\n"), b"hunting\n");
        assert_eq!(stream.finish(), b"");
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let mut stream = redactor().stream();
        let mut bytes = vec![0xff, 0, 0xfe];
        assert_eq!(stream.push(&bytes), bytes);
        bytes.extend(SECRET.as_bytes());
        assert_eq!(redactor().bytes(&bytes).as_ref(), b"\xff\0\xfe***");
    }

    #[test]
    fn without_secrets_nothing_changes() {
        let none = Arc::new(Redactor::default());
        assert!(none.is_empty());
        assert_eq!(none.text("as it is"), "as it is");
        assert_eq!(none.stream().push(b"as it is"), b"as it is");
    }
}
