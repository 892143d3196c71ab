//! A piece of a file as a spanned TOML document.

use crate::codes;
use crate::diagnostic::{Sink, Span};
use std::borrow::Cow;
use std::ops::Range;
use toml::de::DeTable;

/// Text taken from one or several places of a file.
pub(crate) struct Document<'t> {
    pub(crate) text: Cow<'t, str>,
    /// Where each piece begins: in this text, and in the file.
    pieces: Vec<(usize, usize)>,
    file: &'t str,
}

impl<'t> Document<'t> {
    /// The whole file.
    pub(crate) fn whole(file: &'t str) -> Self {
        Self { text: Cow::Borrowed(file), pieces: vec![(0, 0)], file }
    }

    /// Some pieces of it, one after the other.
    pub(crate) fn of(file: &'t str, ranges: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut pieces = Vec::with_capacity(1);
        let mut text = Cow::Borrowed("");
        for range in ranges {
            let piece = &file[range.clone()];
            pieces.push((text.len(), range.start));
            if text.is_empty() {
                text = Cow::Borrowed(piece);
            } else {
                text.to_mut().push_str(piece);
            }
        }
        Self { text, pieces, file }
    }

    /// Where a range of this document stands in the file.
    pub(crate) fn place(&self, range: Range<usize>) -> Span {
        let piece = self.pieces.partition_point(|(start, _)| *start <= range.start).saturating_sub(1);
        let (start, file_start) = self.pieces.get(piece).copied().unwrap_or_default();
        let shift = |at: usize| file_start + (at - start);
        Span::new(shift(range.start)..shift(range.end.max(range.start)).min(self.file.len()))
    }

    /// Where `part` of a string's decoded content stands in the file; the whole string when escapes hide it.
    pub(crate) fn place_within(&self, string: Range<usize>, decoded: &str, part: Range<usize>) -> Span {
        let raw = self.text.get(string.clone()).unwrap_or_default();
        match raw.find(decoded) {
            Some(at) if !decoded.is_empty() => self.place(string.start + at + part.start..string.start + at + part.end),
            _ => self.place(string),
        }
    }

    /// The document, with every syntax error told.
    pub(crate) fn parse(&self, sink: &mut Sink<'_>) -> (DeTable<'_>, bool) {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let failed = !errors.is_empty();
        for error in errors {
            let range = error.span().unwrap_or(0..0);
            let range = range.start.min(self.text.len())..range.end.min(self.text.len());
            let message = error.message().trim().to_owned();
            if message.starts_with("duplicate key") {
                sink.error(
                    codes::DUPLICATE_KEY,
                    self.place(range),
                    "this key or table was given before",
                    "given again here",
                    "keep one of the two; TOML never lets a later value replace an earlier one",
                );
            } else {
                sink.partial = true;
                let help = syntax_help(&message, self.text.get(range.clone()).unwrap_or_default());
                sink.error(codes::SYNTAX, self.place(range), format!("not valid TOML: {message}"), "here", help);
            }
        }
        (table.into_inner(), failed)
    }
}

/// What probably went wrong.
fn syntax_help(message: &str, text: &str) -> &'static str {
    if message.contains("string values must be quoted")
        || message.contains("literal string")
        || message.contains("basic string")
    {
        "put text in quotes: \"…\" on one line, \"\"\"…\"\"\" over several, '…' where a backslash is meant as such"
    } else if message.contains("key with no value")
        || message.contains("expected `=`")
        || message.contains("missing value")
    {
        "write  key = value"
    } else if message.contains("unclosed array") || message.contains("`]`") || text == "[" {
        "close the list with ]"
    } else if message.contains("inline table") || message.contains("`}`") {
        "close the inline table with }, and put commas between its entries"
    } else if message.contains("extra") || message.contains("unexpected") {
        "one `key = value` a line; lists are [a, b], tables are { a = 1 }"
    } else {
        "see https://toml.io/en/v1.0.0 for what may stand here"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_file() {
        let file = "aa\nbb = \"x {{ y }}\"\ncc\ndd = 1\n";
        let document = Document::of(file, [3..20, 23..30]);
        assert_eq!(document.text, "bb = \"x {{ y }}\"\ndd = 1\n");
        assert_eq!(document.place(0..2).range(), 3..5);
        assert_eq!(document.place(17..19).range(), 23..25);
        assert_eq!(document.place_within(5..16, "x {{ y }}", 2..9).range(), 11..18);
    }
}
