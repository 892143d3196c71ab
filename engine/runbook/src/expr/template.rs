//! Templates: Handlebars, strict, read into a tree that can be checked and evaluated.
//!
//! Read by hand rather than by a library, because `check` needs the place of every name, because a value must keep its
//! type, and because any text must be refused in bounded stack and time. Values, helpers, pipes (`{{ a | size }}` is
//! `{{ size a }}`), `if`, `unless`, `each`, `with`, comments, `~` and `\{{` are there; partials, decorators and
//! raw blocks are not. Start at [`Template::parse`].

use super::helpers::Helper;
use super::path::Path;
use super::reader::Reader;
use serde_json::Value;
use std::ops::Range;

/// Blocks within blocks, parentheses within parentheses.
pub(super) const NESTING_MAX: usize = 16;

/// A template's length; longer texts belong in a file that a `template` step renders.
const BYTES_MAX: usize = 1 << 20;

/// A template, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Value(Expr),
    If { condition: Expr, negated: bool, then: Vec<Part>, otherwise: Vec<Part> },
    Each { over: Expr, names: Vec<Box<str>>, body: Vec<Part>, otherwise: Vec<Part> },
    With { value: Expr, names: Vec<Box<str>>, body: Vec<Part>, otherwise: Vec<Part> },
}

/// What stands between braces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Literal(Value),
    Path(Path),
    Call { helper: Helper, arguments: Vec<Expr> },
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) span: Range<usize>,
    /// Whether the trouble is a helper that does not exist.
    pub(crate) helper: bool,
}

/// Whether a text has to be read as a template at all.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > BYTES_MAX {
            return Err(error(
                "the template is too long",
                "keep long text in a file and render it with a `template` step",
                0..2,
            ));
        }
        let mut parser = Parser { text, at: 0, blocks: Vec::new(), parts: Vec::new(), trim_next: false };
        parser.run()?;
        Ok(Self { parts: parser.parts })
    }

    /// The expression, when the template is nothing but one.
    pub(crate) fn sole(&self) -> Option<&Expr> {
        match self.parts.as_slice() {
            [Part::Value(expr)] => Some(expr),
            _ => None,
        }
    }
}

pub(super) fn error(message: impl Into<String>, help: impl Into<String>, span: Range<usize>) -> TemplateError {
    TemplateError { message: message.into(), help: help.into(), span, helper: false }
}

enum BlockKind {
    If { negated: bool },
    Each,
    With,
}

struct Block {
    kind: BlockKind,
    name: &'static str,
    expr: Expr,
    names: Vec<Box<str>>,
    /// What stood before the block.
    outer: Vec<Part>,
    /// What stood before `{{else}}`.
    then: Option<Vec<Part>>,
    /// Whether it was opened by `{{else if}}` and closes with its parent.
    chained: bool,
    open: Range<usize>,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    blocks: Vec<Block>,
    parts: Vec<Part>,
    /// Whether white space before the next text is dropped (`~}}`).
    trim_next: bool,
}

impl<'t> Parser<'t> {
    fn run(&mut self) -> Result<(), TemplateError> {
        while let Some(offset) = self.text[self.at..].find("{{") {
            let open = self.at + offset;
            if self.text[..open].ends_with('\\') {
                self.escaped(open);
                continue;
            }
            self.tag(open)?;
        }
        let rest = &self.text[self.at..];
        self.push_text(rest, false);
        match self.blocks.last() {
            None => Ok(()),
            Some(block) => Err(error(
                format!("`{{{{#{}}}}}` is never closed", block.name),
                format!("add  {{{{/{}}}}}", block.name),
                block.open.clone(),
            )),
        }
    }

    /// `\{{`: the braces as text, up to the next tag.
    fn escaped(&mut self, open: usize) {
        let before = &self.text[self.at..open - 1];
        self.push_text(before, false);
        let after = open + 2;
        let end = self.text[after..].find("}}").map_or(self.text.len(), |at| after + at + 2);
        let literal = &self.text[open..end];
        self.push_text(literal, false);
        self.at = end;
    }

    fn push_text(&mut self, text: &str, trim_end: bool) {
        let text = if self.trim_next { text.trim_start() } else { text };
        let text = if trim_end { text.trim_end() } else { text };
        self.trim_next = false;
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn tag(&mut self, open: usize) -> Result<(), TemplateError> {
        let triple = self.text[open..].starts_with("{{{");
        if self.text[open..].starts_with("{{{{") {
            return Err(error(
                "raw blocks are not available",
                "write \\{{ where braces are meant as text",
                open..open + 4,
            ));
        }
        let inner_start = open + if triple { 3 } else { 2 };
        let comment = ["!--", "~!--"].iter().any(|mark| self.text[inner_start..].starts_with(mark));
        let closer = match (triple, comment) {
            (true, _) => "}}}",
            (false, true) => "--",
            (false, false) => "}}",
        };
        let search_from = if comment { inner_start + 4 } else { inner_start };
        let found = if comment {
            self.text.get(search_from..).and_then(|rest| rest.find("--"))
        } else {
            find_close(&self.text[search_from..], closer)
        };
        let Some(close) = found.map(|at| search_from + at) else {
            return Err(error(
                "`{{` is never closed",
                "write  {{ name }},  or \\{{ where braces are meant as text",
                open..open + 2,
            ));
        };
        let after_close = close + closer.len();
        let end = if comment {
            match self.text[after_close..].strip_prefix('~').unwrap_or(&self.text[after_close..]).strip_prefix("}}") {
                Some(rest) => self.text.len() - rest.len(),
                None => return Err(error("this comment is never closed", "end it with --}}", open..open + 2)),
            }
        } else {
            after_close
        };
        let raw = &self.text[inner_start..close];
        let trim_before = raw.starts_with('~');
        let trim_after =
            if comment { self.text[after_close..end].starts_with('~') } else { raw.len() > 1 && raw.ends_with('~') };
        let body_start = inner_start + usize::from(trim_before);
        let body_end = if trim_after && !comment { close - 1 } else { close };
        let body = self.text.get(body_start..body_end.max(body_start)).unwrap_or_default();
        let block_like =
            matches!(body.trim_start().as_bytes().first(), Some(b'#' | b'/' | b'!' | b'^')) || is_else(body);
        let (text_end, next) = if block_like && !triple { self.standalone(open, end) } else { (open, end) };
        let before = &self.text[self.at..text_end];
        self.push_text(before, trim_before);
        self.at = next;
        self.trim_next = trim_after;
        if body.trim_start().starts_with('!') {
            return Ok(());
        }
        self.dispatch(body, body_start, open..end)
    }

    /// A block's tag that is alone on its line takes the line with it.
    fn standalone(&self, open: usize, end: usize) -> (usize, usize) {
        let line_start = self.text[self.at..open].rfind('\n').map_or(self.at, |at| self.at + at + 1);
        let begins_line = line_start == 0 || self.text[..line_start].ends_with('\n');
        let before = &self.text[line_start..open];
        let after = self.text[end..].trim_start_matches([' ', '\t']);
        let ends_line = after.is_empty() || after.starts_with('\n') || after.starts_with("\r\n");
        if !begins_line
            || !ends_line
            || !before.trim_matches([' ', '\t']).is_empty()
            || (line_start == 0 && after.is_empty())
        {
            return (open, end);
        }
        let skipped = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
        (line_start, self.text.len() - skipped.len())
    }

    fn dispatch(&mut self, body: &'t str, start: usize, tag: Range<usize>) -> Result<(), TemplateError> {
        let trimmed = body.trim_start();
        let start = start + (body.len() - trimmed.len());
        match trimmed.as_bytes().first() {
            Some(b'#') => self.open_block(&trimmed[1..], start + 1, tag, false),
            Some(b'/') => self.close_block(trimmed[1..].trim(), tag),
            Some(b'>') => Err(error(
                "partials are not available",
                "write the text here, or render a file with a `template` step",
                tag,
            )),
            Some(b'*') => Err(error("decorators are not available", "write a value:  {{ inputs.name }}", tag)),
            Some(b'^') => self.otherwise(&trimmed[1..], start + 1, tag),
            Some(b'&') => self.value(&trimmed[1..], start + 1, tag),
            _ if is_else(trimmed) => self.otherwise(&trimmed[4..], start + 4, tag),
            _ => self.value(trimmed, start, tag),
        }
    }

    fn value(&mut self, body: &'t str, start: usize, tag: Range<usize>) -> Result<(), TemplateError> {
        let mut reader = Reader::new(body, start, tag);
        let expr = reader.pipeline()?;
        reader.end()?;
        self.parts.push(Part::Value(expr));
        Ok(())
    }

    fn open_block(
        &mut self,
        body: &'t str,
        start: usize,
        tag: Range<usize>,
        chained: bool,
    ) -> Result<(), TemplateError> {
        if self.blocks.len() >= NESTING_MAX {
            return Err(error("blocks are nested too deeply", "compute the parts in `set` steps first", tag));
        }
        let trimmed = body.trim_start();
        let word = trimmed.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
        let (name, kind) = match word {
            "if" => ("if", BlockKind::If { negated: false }),
            "unless" => ("unless", BlockKind::If { negated: true }),
            "each" => ("each", BlockKind::Each),
            "with" => ("with", BlockKind::With),
            other => {
                return Err(error(
                    format!("there is no block `{}`", super::shown(other)),
                    "there is {{#if}}, {{#unless}}, {{#each}} and {{#with}}",
                    tag,
                ));
            }
        };
        let rest = &trimmed[word.len()..];
        let rest_start = start + (body.len() - rest.len());
        let mut reader = Reader::new(rest, rest_start, tag.clone());
        let expr = reader.pipeline()?;
        let names = reader.block_names()?;
        reader.end()?;
        let outer = std::mem::take(&mut self.parts);
        self.blocks.push(Block { kind, name, expr, names, outer, then: None, chained, open: tag });
        Ok(())
    }

    fn otherwise(&mut self, body: &'t str, start: usize, tag: Range<usize>) -> Result<(), TemplateError> {
        let parts = std::mem::take(&mut self.parts);
        match self.blocks.last_mut() {
            Some(block) if block.then.is_none() => block.then = Some(parts),
            _ => {
                return Err(error(
                    "`{{else}}` stands outside of a block",
                    "put it between {{#if …}} and {{/if}}, once",
                    tag,
                ));
            }
        }
        if body.trim().is_empty() { Ok(()) } else { self.open_block(body, start, tag, true) }
    }

    fn close_block(&mut self, name: &str, tag: Range<usize>) -> Result<(), TemplateError> {
        loop {
            let Some(block) = self.blocks.pop() else {
                return Err(error(
                    format!("`{{{{/{}}}}}` closes nothing", super::shown(name)),
                    "take it out, or open the block before",
                    tag,
                ));
            };
            let chained = block.chained;
            if !chained && block.name != name {
                return Err(error(
                    format!("`{{{{/{}}}}}` stands where `{{{{/{}}}}}` is due", super::shown(name), block.name),
                    format!("write  {{{{/{}}}}}", block.name),
                    tag,
                ));
            }
            let parts = std::mem::replace(&mut self.parts, block.outer);
            let (then, otherwise) = match block.then {
                Some(then) => (then, parts),
                None => (parts, Vec::new()),
            };
            self.parts.push(match block.kind {
                BlockKind::If { negated } => Part::If { condition: block.expr, negated, then, otherwise },
                BlockKind::Each => Part::Each { over: block.expr, names: block.names, body: then, otherwise },
                BlockKind::With => Part::With { value: block.expr, names: block.names, body: then, otherwise },
            });
            if !chained {
                return Ok(());
            }
        }
    }
}

/// `else`, alone or before a chained block.
fn is_else(body: &str) -> bool {
    body.trim_start().strip_prefix("else").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Where a tag ends: its braces outside of quotes.
fn find_close(text: &str, closer: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text[at..].starts_with(closer) => return Some(at),
            None => {}
        }
    }
    // A quote that is never closed: take the braces as they stand, so that the message is about the quote.
    text.find(closer)
}
