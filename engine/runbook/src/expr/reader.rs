//! What stands between a template's braces: names, literals, helpers, pipes.

use super::helpers::Helper;
use super::path::{Path, Segment};
use super::template::{Expr, NESTING_MAX, TemplateError, error};
use serde_json::Value;
use std::ops::Range;

/// Reads an expression.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Where `text` begins in the template.
    base: usize,
    tag: Range<usize>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// `base` is where `text` begins in the template, `tag` the place of the whole tag.
    pub(super) fn new(text: &'t str, base: usize, tag: Range<usize>) -> Self {
        Self { text, at: 0, base, tag, depth: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn span(&self, start: usize) -> Range<usize> {
        self.base + start..self.base + self.at
    }

    pub(super) fn end(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        if self.rest().is_empty() {
            return Ok(());
        }
        let start = self.at;
        self.at = self.text.len();
        Err(error(
            format!("`{}` is not understood here", super::shown(&self.text[start..])),
            "a value is a name, `helper argument …`, or `name | helper`",
            self.span(start),
        ))
    }

    /// `value | helper argument | helper`.
    pub(super) fn pipeline(&mut self) -> Result<Expr, TemplateError> {
        let mut value = self.call()?;
        let mut pipes = 0;
        loop {
            self.skip_space();
            if !self.rest().starts_with('|') {
                return Ok(value);
            }
            pipes += 1;
            if pipes > NESTING_MAX {
                return Err(error("too many pipes", "compute the parts in `set` steps first", self.tag.clone()));
            }
            self.at += 1;
            self.skip_space();
            let start = self.at;
            let word = self.word();
            let span = self.span(start);
            let mut arguments = vec![value];
            arguments.extend(self.arguments()?);
            value = call(word, arguments, span)?;
        }
    }

    /// `as |item index|`.
    pub(super) fn block_names(&mut self) -> Result<Vec<Box<str>>, TemplateError> {
        self.skip_space();
        let Some(rest) = self.rest().strip_prefix("as") else {
            return Ok(Vec::new());
        };
        let Some((names, _)) = rest.trim_start().strip_prefix('|').and_then(|names| names.split_once('|')) else {
            return Ok(Vec::new());
        };
        let opened = self.rest().find('|').unwrap_or_default();
        self.at += opened + 1 + names.len() + 1;
        Ok(names.split_whitespace().take(2).map(Into::into).collect())
    }

    /// `helper argument …`, or one value.
    fn call(&mut self) -> Result<Expr, TemplateError> {
        self.skip_space();
        let start = self.at;
        let first = self.argument()?;
        let span = self.span(start);
        let arguments = self.arguments()?;
        if arguments.is_empty() {
            return Ok(first);
        }
        match first {
            Expr::Path(path) if path.segments.is_empty() && path.up == 0 => call(&path.root, arguments, span),
            Expr::Path(_) | Expr::Literal(_) | Expr::Call { .. } => Err(error(
                "two values stand side by side",
                "use one of them, or a helper:  {{ join a \", \" }}",
                self.span(start),
            )),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, TemplateError> {
        let mut arguments = Vec::new();
        loop {
            self.skip_space();
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with(['|', ')']) || rest.starts_with("as |") {
                return Ok(arguments);
            }
            if arguments.len() > NESTING_MAX {
                return Err(error("too many arguments", "a helper takes one or two", self.tag.clone()));
            }
            arguments.push(self.argument()?);
        }
    }

    fn argument(&mut self) -> Result<Expr, TemplateError> {
        let rest = self.rest();
        let start = self.at;
        match rest.chars().next() {
            None => {
                Err(error("nothing stands between the braces", "name a value:  {{ inputs.name }}", self.tag.clone()))
            }
            Some('(') => {
                self.depth += 1;
                if self.depth > NESTING_MAX {
                    return Err(error(
                        "parentheses are nested too deeply",
                        "compute the parts in `set` steps first",
                        self.tag.clone(),
                    ));
                }
                self.at += 1;
                let value = self.pipeline()?;
                self.skip_space();
                if !self.rest().starts_with(')') {
                    return Err(error("`(` is never closed", "add  )", self.span(start)));
                }
                self.at += 1;
                self.depth -= 1;
                Ok(value)
            }
            Some(quote @ ('"' | '\'')) => match rest[1..].find(quote) {
                Some(length) => {
                    self.at += length + 2;
                    Ok(Expr::Literal(Value::String(rest[1..=length].to_owned())))
                }
                None => {
                    self.at = self.text.len();
                    Err(error("this quote is never closed", format!("add  {quote}"), self.span(start)))
                }
            },
            Some(first) if first.is_ascii_digit() || first == '-' => self.number(),
            Some(_) => self.path_or_word(),
        }
    }

    fn number(&mut self) -> Result<Expr, TemplateError> {
        let start = self.at;
        let word = self.word();
        match serde_json::from_str::<serde_json::Number>(word) {
            Ok(number) => Ok(Expr::Literal(Value::Number(number))),
            Err(_) => Err(error(
                format!("`{}` is no number", super::shown(word)),
                "write  42,  1.5  or  \"text\"",
                self.span(start),
            )),
        }
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let length =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '|' | '(' | ')' | '"' | '\'')).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn path_or_word(&mut self) -> Result<Expr, TemplateError> {
        let start = self.at;
        let mut up = 0;
        while self.rest().starts_with("../") {
            up += 1;
            self.at += 3;
        }
        if self.rest().starts_with("./") {
            self.at += 2;
        }
        let root = if self.rest().starts_with("..") {
            self.at += 2;
            up += 1;
            "this"
        } else if self.rest().starts_with('.') {
            self.at += 1;
            "this"
        } else {
            self.name()?
        };
        let segments = self.segments()?;
        let literal = match (up, root, segments.is_empty()) {
            (0, "true", true) => Some(Value::Bool(true)),
            (0, "false", true) => Some(Value::Bool(false)),
            (0, "null" | "undefined", true) => Some(Value::Null),
            _ => None,
        };
        if self.rest().starts_with('=') {
            return Err(error(
                "named arguments are not available",
                "give the value alone:  {{ join list \", \" }}",
                self.span(start),
            ));
        }
        Ok(match literal {
            Some(value) => Expr::Literal(value),
            None => Expr::Path(Path { up, root: root.into(), segments, span: self.span(start) }),
        })
    }

    fn segments(&mut self) -> Result<Vec<Segment>, TemplateError> {
        let mut segments = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with('[') || rest.starts_with(".[") {
                self.at += rest.find('[').unwrap_or_default() + 1;
                let start = self.at;
                let Some(length) = self.rest().find(']') else {
                    self.at = self.text.len();
                    return Err(error("`[` is never closed", "add  ]", self.span(start - 1)));
                };
                let inner = &self.rest()[..length];
                self.at += length + 1;
                segments.push(segment(inner.trim_matches(['"', '\''])));
            } else if rest.starts_with('.') {
                self.at += 1;
                segments.push(segment(self.name()?));
            } else {
                return Ok(segments);
            }
            if segments.len() > 64 {
                return Err(error("the path is too long", "name fewer fields", self.tag.clone()));
            }
        }
    }

    fn name(&mut self) -> Result<&'t str, TemplateError> {
        let rest = self.rest();
        let length = rest
            .char_indices()
            .find(|(at, c)| !(c.is_alphanumeric() || matches!(c, '_' | '-') || (*at == 0 && *c == '@')))
            .map_or(rest.len(), |(at, _)| at);
        if length == 0 {
            let start = self.at;
            self.at += rest.chars().next().map_or(0, char::len_utf8);
            let span = if rest.is_empty() { self.tag.clone() } else { self.span(start) };
            return Err(error(
                "a name is due here",
                "a value is a name such as `inputs.ticket`, a helper, or a text in quotes",
                span,
            ));
        }
        self.at += length;
        Ok(&rest[..length])
    }
}

fn segment(text: &str) -> Segment {
    match text.parse::<usize>() {
        Ok(index) => Segment::Index(index),
        Err(_) => Segment::Key(text.into()),
    }
}

fn call(name: &str, arguments: Vec<Expr>, span: Range<usize>) -> Result<Expr, TemplateError> {
    let Some(helper) = Helper::named(name) else {
        return Err(TemplateError {
            message: format!("there is no helper `{}`", super::shown(name)),
            help: crate::units::did_you_mean(name, Helper::NAMES),
            span,
            helper: true,
        });
    };
    let (least, most) = helper.arguments();
    if arguments.len() < least || arguments.len() > most {
        let due = if least == most { format!("{least}") } else { format!("{least} or {most}") };
        return Err(error(format!("`{name}` takes {due} values, not {}", arguments.len()), helper.example(), span));
    }
    Ok(Expr::Call { helper, arguments })
}
