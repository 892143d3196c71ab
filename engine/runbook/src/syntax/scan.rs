//! Finds where each step's tables stand, without building anything.

use super::{DOCUMENT_TOKENS_MAX, KEY_SEGMENTS_MAX, NESTING_MAX, STEPS_MAX};
use crate::codes;
use crate::diagnostic::{Sink, Span};
use std::collections::HashMap;
use std::ops::Range;
use toml_parser::lexer::TokenKind;

/// Which of the two step tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Section {
    /// `[steps.ID]`.
    Steps,
    /// `[finally.ID]`.
    Finally,
}

impl Section {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Finally => "finally",
        }
    }
}

/// One step's part of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Body<'t> {
    pub(crate) section: Section,
    pub(crate) id: &'t str,
    pub(crate) first: Range<usize>,
    /// Further tables of the same step that stand elsewhere; rare.
    pub(crate) more: Vec<Range<usize>>,
    tokens: usize,
}

/// Where things stand in a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Layout<'t> {
    /// Everything that is no step.
    pub(crate) head: Vec<Range<usize>>,
    /// One entry per step, in the file's order.
    pub(crate) bodies: Vec<Body<'t>>,
    /// Whether steps are written in a way that only the whole document shows.
    pub(crate) unusual: bool,
    /// All tokens but white space.
    pub(crate) tokens: usize,
    /// Tokens of the longest part.
    pub(crate) part_tokens_max: usize,
    /// Whether the file may not be parsed at all, for something is nested too deeply or there are too many steps.
    pub(crate) refused: bool,
}

/// Where the text after the last header belongs.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Body(usize),
}

struct Scanner<'t, 's, 'n> {
    text: &'t str,
    source: toml_parser::Source<'t>,
    sink: &'s mut Sink<'n>,
    layout: Layout<'t>,
    places: HashMap<(Section, &'t str), usize>,
    part: Part,
    part_start: usize,
    part_tokens: usize,
    head_tokens: usize,
}

/// Reads a text's tokens once. Findings are only about nesting; syntax is the parser's business.
pub(crate) fn scan<'t>(text: &'t str, sink: &mut Sink<'_>) -> Layout<'t> {
    let source = toml_parser::Source::new(text);
    let mut scanner = Scanner {
        text,
        source,
        sink,
        layout: Layout::default(),
        places: HashMap::new(),
        part: Part::Head,
        part_start: 0,
        part_tokens: 0,
        head_tokens: 0,
    };
    scanner.run();
    scanner.layout
}

impl<'t> Scanner<'t, '_, '_> {
    fn run(&mut self) {
        let mut lexer = self.source.lex().peekable();
        let mut depth = 0_usize;
        let mut dots = 0_usize;
        let mut line_start = true;
        while let Some(token) = lexer.next().filter(|_| !self.layout.refused) {
            let kind = token.kind();
            match kind {
                TokenKind::Whitespace | TokenKind::Comment => continue,
                TokenKind::Newline => {
                    dots = 0;
                    line_start = line_start || depth == 0;
                    continue;
                }
                TokenKind::Eof => break,
                _ => {}
            }
            self.layout.tokens += 1;
            self.part_tokens += 1;
            if line_start && kind == TokenKind::LeftSquareBracket {
                self.header(token.span().start(), &mut lexer);
                dots = 0;
                continue;
            }
            if line_start
                && matches!(self.part, Part::Head)
                && self.layout.bodies.is_empty()
                && self.layout.head.is_empty()
            {
                let first = unquoted(&self.text[token.span().start()..token.span().end()]);
                self.layout.unusual |= matches!(first, Some("steps" | "finally") | None);
            }
            line_start = false;
            match kind {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                    depth += 1;
                    dots = 0;
                }
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => depth = depth.saturating_sub(1),
                TokenKind::Dot => dots += 1,
                TokenKind::Equals | TokenKind::Comma => dots = 0,
                _ => {}
            }
            if depth > NESTING_MAX || dots > KEY_SEGMENTS_MAX {
                self.too_deep(token.span().start()..token.span().end());
            }
        }
        self.close(self.text.len());
        let head_tokens = self.head_tokens;
        self.layout.part_tokens_max =
            self.layout.bodies.iter().map(|body| body.tokens).max().unwrap_or(0).max(head_tokens);
    }

    /// A table's header, from after its first bracket to the end of its line.
    fn header(&mut self, start: usize, lexer: &mut std::iter::Peekable<toml_parser::lexer::Lexer<'t>>) {
        let mut path: [Option<&'t str>; 2] = [None, None];
        let mut segments = 0;
        let mut tokens = 0;
        let mut closed = false;
        while let Some(token) = lexer.next_if(|token| !matches!(token.kind(), TokenKind::Newline | TokenKind::Eof)) {
            let span = token.span();
            match token.kind() {
                TokenKind::RightSquareBracket => closed = true,
                TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString if !closed => {
                    match unquoted(&self.text[span.start()..span.end()]) {
                        Some(segment) if segments < 2 => path[segments] = Some(segment),
                        Some(_) => {}
                        None => self.layout.unusual = true,
                    }
                    segments += 1;
                }
                _ => {}
            }
            self.layout.tokens += 1;
            tokens += 1;
            if segments > KEY_SEGMENTS_MAX {
                self.too_deep(span.start()..span.end());
            }
        }
        let section = match path[0] {
            Some("steps") => Some(Section::Steps),
            Some("finally") => Some(Section::Finally),
            _ => None,
        };
        self.close(start);
        self.part = match (section, path[1]) {
            (Some(section), Some(id)) => self.body(section, id),
            (Some(_), None) => {
                self.layout.unusual = true;
                Part::Head
            }
            (None, _) => Part::Head,
        };
        self.part_start = start;
        self.part_tokens = tokens;
    }

    fn body(&mut self, section: Section, id: &'t str) -> Part {
        let next = self.layout.bodies.len();
        if next >= STEPS_MAX {
            self.too_many();
            return Part::Head;
        }
        let at = *self.places.entry((section, id)).or_insert(next);
        if at == next {
            self.layout.bodies.push(Body { section, id, first: 0..0, more: Vec::new(), tokens: 0 });
        }
        Part::Body(at)
    }

    /// Ends the current part.
    fn close(&mut self, end: usize) {
        let range = self.part_start..end;
        match self.part {
            Part::Head => {
                self.layout.head.push(range);
                self.head_tokens += self.part_tokens;
            }
            Part::Body(at) => {
                let body = &mut self.layout.bodies[at];
                body.tokens += self.part_tokens;
                match body.more.last_mut() {
                    _ if body.first.is_empty() => body.first = range,
                    None if body.first.end == range.start => body.first.end = range.end,
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => body.more.push(range),
                }
            }
        }
    }

    fn too_many(&mut self) {
        if !self.layout.refused {
            self.layout.refused = true;
            self.sink.error_elsewhere(
                codes::TOO_LARGE,
                format!("the file has more than {STEPS_MAX} steps"),
                "use `for_each`, or split it into several runbooks",
            );
        }
    }

    fn too_deep(&mut self, at: Range<usize>) {
        if !self.layout.refused {
            self.layout.refused = true;
            self.sink.error(
                codes::TOO_DEEP,
                Span::new(at),
                "nested too deeply to be a runbook or a target",
                format!("more than {NESTING_MAX} brackets or {KEY_SEGMENTS_MAX} key segments deep"),
                "close a bracket that was left open, or keep the structure in a file that a step reads",
            );
        }
    }
}

impl Layout<'_> {
    /// Whether every part, taken by itself, fits.
    pub(crate) fn parts_fit(&self) -> bool {
        self.part_tokens_max <= DOCUMENT_TOKENS_MAX
    }

    /// Whether the file fits as one document.
    pub(crate) fn whole_fits(&self) -> bool {
        self.tokens <= DOCUMENT_TOKENS_MAX
    }
}

/// A key's text, when that can be told without decoding escapes.
fn unquoted(raw: &str) -> Option<&str> {
    match raw.as_bytes() {
        [b'"', .., b'"'] if raw.len() >= 2 => {
            (!raw.contains('\\') && !raw.starts_with("\"\"\"")).then(|| &raw[1..raw.len() - 1])
        }
        [b'\'', .., b'\''] if raw.len() >= 2 => (!raw.starts_with("'''")).then(|| &raw[1..raw.len() - 1]),
        [b'"' | b'\'', ..] => None,
        _ => Some(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Vec<String>, bool) {
        let mut sink = Sink::new("x");
        let layout = scan(text, &mut sink);
        let ids = layout
            .bodies
            .iter()
            .map(|body| format!("{}.{} {}", body.section.key(), body.id, 1 + body.more.len()))
            .collect();
        (ids, layout.unusual)
    }

    #[test]
    fn a_step_is_all_of_its_tables_wherever_they_stand() {
        let text = "schema = 1\n[steps.a]\nx = 1\n[steps.a.with]\ny = [\n [1],\n]\n[steps.b]\n[other]\n[steps.a.probe]\n[finally.a]\n";
        assert_eq!(parts(text), (vec!["steps.a 2".into(), "steps.b 1".into(), "finally.a 1".into()], false));
    }

    #[test]
    fn text_in_strings_is_no_header() {
        let text = "[steps.a]\nx = \"\"\"\n[steps.b]\n\"\"\"\ny = '''\n[steps.c]'''\nz = [\n[steps],\n]\n";
        assert_eq!(parts(text), (vec!["steps.a 1".into()], false));
    }

    #[test]
    fn other_ways_of_writing_steps_are_unusual() {
        for text in ["steps = {}", "steps.a.x = 1", "[steps]\na = {}", "'steps'.a = 1", "[\"st\\u0065ps\".a]"] {
            assert!(parts(text).1, "{text}");
        }
        assert!(!parts("[ steps . \"a\" ]\n").1);
    }
}
