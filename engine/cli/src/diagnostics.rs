//! Findings of the runbook crate as people read them: code, message, source with labels, help.
//!
//! Only rendering; what is wrong is found elsewhere. Drawn with miette where the source lines can be shown, in words where
//! they are too long. Start at [`print()`].

use crate::console::Console;
use ceptra_flow_runbook::diagnostic::{JsonDiagnostic, JsonLabel};
use ceptra_flow_runbook::{Diagnostic, Severity};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, NarratableReportHandler,
    SourceCode, SourceSpan, SpanContents,
};
use std::fmt::{self, Write as _};

/// Longer lines are not drawn: nobody finds anything in them.
const LINE_BYTES_MAX: usize = 400;

/// A source with an index of its lines, so that a finding costs its own lines and not the whole file.
pub(crate) struct Indexed<'a> {
    name: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Indexed<'a> {
    /// Finds the lines.
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { name, text, lines: std::iter::once(0).chain(begins).collect() }
    }

    /// The line that a byte is in, from 0.
    fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= offset).saturating_sub(1)
    }

    /// From the first byte of a line to the first of the next.
    fn bounds(&self, line: usize) -> (usize, usize) {
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        (self.lines[line.min(self.lines.len() - 1)], end)
    }

    /// Line and column from 1; columns count characters.
    fn place(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line_of(offset);
        (line + 1, self.text[self.lines[line]..offset].chars().count() + 1)
    }

    /// A finding as `check --format json` has it.
    pub(crate) fn to_json(&self, finding: &Diagnostic) -> JsonDiagnostic {
        let (line, column) = self.place(finding.start());
        let labels = finding.labels.iter().map(|label| {
            let (line, column) = self.place(label.span.start);
            let (end_line, end_column) = self.place(label.span.end);
            JsonLabel { line, column, end_line, end_column, text: label.text.clone() }
        });
        JsonDiagnostic {
            code: finding.code,
            severity: finding.severity,
            message: finding.message.clone(),
            file: finding.source.clone(),
            line,
            column,
            help: finding.help.clone(),
            labels: labels.collect(),
        }
    }

    fn is_drawable(&self, finding: &Diagnostic) -> bool {
        !finding.labels.is_empty()
            && finding.labels.iter().all(|label| {
                let (first, last) =
                    (self.line_of(label.span.start), self.line_of(label.span.end.max(label.span.start)));
                let around = first.saturating_sub(1)..=(last + 1).min(self.lines.len() - 1);
                label.span.end <= self.text.len()
                    && last - first < 12
                    && around.into_iter().all(|line| {
                        let (begin, end) = self.bounds(line);
                        end - begin <= LINE_BYTES_MAX
                    })
            })
    }
}

impl SourceCode for Indexed<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        if end > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let first = self.line_of(start).saturating_sub(before);
        let last = (self.line_of(end.saturating_sub(1).max(start)) + after).min(self.lines.len() - 1);
        let (begin, stop) = (self.bounds(first).0, self.bounds(last).1);
        // The column is where the span begins in its line; miette shows it in the snippet's head.
        let column = if before == 0 { start - begin } else { 0 };
        let shown = SourceSpan::from((begin, stop - begin));
        let data = &self.text.as_bytes()[begin..stop];
        Ok(Box::new(MietteSpanContents::new_named(self.name.to_owned(), data, shown, first, column, last - first + 1)))
    }
}

/// A finding as miette draws it. The head line is ours.
struct Drawn<'a> {
    finding: &'a Diagnostic,
    source: &'a Indexed<'a>,
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.finding.message)
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.finding.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.finding.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.finding.labels.iter().enumerate().map(|(place, label)| {
            let text = Some(label.text.clone()).filter(|text| !text.is_empty());
            let length = label.span.end.saturating_sub(label.span.start);
            if place == 0 {
                LabeledSpan::new_primary_with_span(text, (label.span.start, length))
            } else {
                LabeledSpan::new(text, label.span.start, length)
            }
        });
        Some(Box::new(labels))
    }
}

/// How findings are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// With colours.
    pub(crate) colors: bool,
    /// For a screen reader (`NO_GRAPHICS`): in words.
    pub(crate) words: bool,
}

impl Style {
    /// As this terminal wants it.
    pub(crate) fn of(console: &Console) -> Self {
        Self { colors: console.colors_err(), words: std::env::var_os("NO_GRAPHICS").is_some() }
    }
}

/// One finding, with an empty line after it.
pub(crate) fn render(finding: &Diagnostic, source: &Indexed<'_>, style: Style) -> String {
    let drawn = Drawn { finding, source };
    let mut body = String::new();
    if style.words {
        let rendered = NarratableReportHandler::new().render_report(&mut body, &drawn);
        rendered.expect("a String takes everything");
        return format!("{}\n", body.trim_end());
    }
    let (paint, reset) = match (style.colors, finding.severity) {
        (false, _) => ("", ""),
        (true, Severity::Error) => ("\u{1b}[1;31m", "\u{1b}[0m"),
        (true, Severity::Warning) => ("\u{1b}[1;33m", "\u{1b}[0m"),
        (true, Severity::Advice) => ("\u{1b}[1;36m", "\u{1b}[0m"),
    };
    let mut text = format!("{paint}{}[{}]{reset}: {}\n", finding.severity.as_str(), finding.code, finding.message);
    if source.is_drawable(finding) {
        let theme = if style.colors { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let drawer = GraphicalReportHandler::new_themed(theme).with_links(false).with_wrap_lines(false).with_width(200);
        if drawer.render_report(&mut body, &drawn).is_ok() {
            // miette's own head says the same as ours.
            let frame = body.lines().position(|line| line.contains("╭─"));
            for line in body.lines().skip(frame.unwrap_or(0)) {
                writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
            }
            text.push('\n');
            return text;
        }
    }
    if finding.labels.is_empty() {
        writeln!(text, "  in {}", source.name).expect("a String takes everything");
    }
    for label in &finding.labels {
        let (line, column) = source.place(label.span.start);
        writeln!(text, "  at {}:{line}:{column}: {}", source.name, label.text).expect("a String takes everything");
    }
    write!(text, "  help: {}\n\n", finding.help.replace('\n', "\n        ")).expect("a String takes everything");
    text
}

/// Prints findings about one source to stderr; with `--quiet` only errors.
pub(crate) fn print(console: &Console, findings: &[Diagnostic], name: &str, text: &str) {
    let style = Style::of(console);
    let source = Indexed::new(name, text);
    let mut shown = String::new();
    for finding in findings.iter().filter(|finding| finding.is_error() || !console.quiet) {
        shown.push_str(&render(finding, &source, style));
    }
    console.trouble(&shown);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceptra_flow_runbook::Label;

    fn finding(text: &str, marked: &str) -> Diagnostic {
        let start = text.find(marked).unwrap();
        Diagnostic {
            code: "CF0204",
            severity: Severity::Error,
            message: "step `restore` reads `steps.freeze.output`, but does not wait for `freeze`".into(),
            help: "add  needs = [\"freeze\"]".into(),
            labels: vec![Label {
                span: start..start + marked.len(),
                text: "`freeze` is not among the steps this one needs".into(),
            }],
            source: "x.toml".into(),
        }
    }

    const PLAIN: Style = Style { colors: false, words: false };

    #[test]
    fn a_finding_shows_its_source_with_line_and_column() {
        let text = "schema = 1\n\n[steps.restore]\nwith = { command = [\"{{ steps.freeze.output }}\"] }\n";
        let shown = render(&finding(text, "steps.freeze.output"), &Indexed::new("x.toml", text), PLAIN);
        assert!(shown.starts_with("error[CF0204]: step `restore` reads"), "{shown}");
        assert!(shown.contains("╭─[x.toml:4:25]\n"), "{shown}");
        assert!(shown.contains("with = { command = [\"{{ steps.freeze.output }}\"] }"), "{shown}");
        assert!(shown.contains("╰── `freeze` is not among the steps this one needs"), "{shown}");
        assert!(shown.contains("help: add  needs = [\"freeze\"]"), "{shown}");
    }

    #[test]
    fn lines_without_end_are_told_of_in_words() {
        let text = format!("a = \"{}\"\nb = [{}1]\n", "ä".repeat(300), "1,".repeat(4000));
        let shown = render(&finding(&text, "1]"), &Indexed::new("x.toml", &text), PLAIN);
        assert!(shown.contains("at x.toml:2:8006: `freeze` is not"), "{shown}");
        assert!(shown.len() < 600);
    }

    #[test]
    fn places_are_those_of_the_runbook_crate() {
        let text = "ä = 1\r\nb = 2\n\nc";
        let indexed = Indexed::new("x", text);
        for offset in 0..=text.len() {
            assert_eq!(indexed.place(offset), ceptra_flow_runbook::line_column(text, offset), "{offset}");
        }
        assert_eq!(Indexed::new("x", "").place(9), (1, 1));
    }

    #[test]
    fn a_finding_about_no_place_names_the_file() {
        let mut about = finding("x", "x");
        about.labels.clear();
        let shown = render(&about, &Indexed::new("x.toml", "x"), PLAIN);
        assert!(shown.contains("  in x.toml\n  help: add"), "{shown}");
    }

    #[test]
    fn a_finding_at_the_very_end_can_be_drawn() {
        for text in ["", "a", "a\n", "a = \n\n"] {
            let mut at_end = finding("x", "x");
            at_end.labels[0].span = text.len()..text.len();
            let shown = render(&at_end, &Indexed::new("x.toml", text), PLAIN);
            assert!(shown.contains("x.toml:"), "{text:?}: {shown}");
        }
    }

    #[test]
    fn words_for_a_screen_reader_have_no_frame() {
        let text = "a = 1\n";
        let shown = render(&finding(text, "a"), &Indexed::new("x.toml", text), Style { colors: false, words: true });
        assert!(!shown.contains('╭') && shown.contains("CF0204"), "{shown}");
    }
}
