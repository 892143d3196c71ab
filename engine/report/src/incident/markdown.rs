//! The report for the incident ticket: the verdict first, the proof last.

use super::{DecisionKind, Evidence, OutputView, Report, SettledBy};
use crate::ending::against;
use crate::text::{count, shortened};
use crate::{Clock, Commands, CutoverView, cutover_text};
use ceptra_flow_core::ids::label;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// Longer outputs are cut here: `report --format json` has them whole.
const OUTPUT_BYTES_MAX: usize = 8 * 1024;

impl Report {
    /// For the incident ticket: Markdown with the same content, times in the reader's zone.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_markdown(&self, out: &mut dyn Write, clock: &Clock) -> fmt::Result {
        self.write_verdict(out, clock)?;
        self.write_recovered(out)?;
        self.write_approvals(out)?;
        self.write_doubts(out)?;
        self.write_steps(out)?;
        self.write_timeline(out, clock)?;
        self.write_evidence(out)?;
        self.write_cutover(out)?;
        self.write_proof(out)
    }

    fn write_verdict(&self, out: &mut dyn Write, clock: &Clock) -> fmt::Result {
        let about = &self.about;
        writeln!(out, "# {}: {}\n", self.verdict.as_str().to_uppercase(), cell(&about.runbook.title))?;
        let took = about.last_at.ms_since(about.started_at);
        writeln!(out, "| | |\n| --- | --- |")?;
        let mut row = |name: &str, value: &str| writeln!(out, "| {name} | {value} |");
        row("verdict", &format!("**{}**", self.verdict))?;
        row("measured", &cell(&against(took, about.runbook.rto_ms, self.verdict)))?;
        row("runbook", &code(&self.runbook))?;
        row("target", &format!("{} ({})", code(&self.target), about.target_kind.to_uppercase()))?;
        row("run", &code(&self.run))?;
        let by = about.started_by.as_deref().unwrap_or("somebody");
        row("started", &format!("{} by {}", clock.date_time(about.started_at), cell(by)))?;
        row(if about.ended { "ended" } else { "last record" }, &clock.date_time(about.last_at))?;
        row("steps", &cell(&about.steps))?;
        if about.epochs > 1 {
            row("taken up again", &count(usize::try_from(about.epochs - 1).unwrap_or(usize::MAX), "time"))?;
        }
        if let Some(owner) = &about.runbook.owner {
            row("owner", &cell(owner))?;
        }
        for (name, link) in &about.runbook.links {
            row(&cell(name), &address(link))?;
        }
        for (name, value) in &about.inputs {
            row(&format!("input {}", code(name)), &code(&shortened(value, 200)))?;
        }
        row("plan", &code(&about.digest))?;
        if !about.not_well.is_empty() {
            writeln!(out, "\n## What is not well\n")?;
            for line in &about.not_well {
                writeln!(out, "- {}", cell(line))?;
            }
        }
        Ok(())
    }

    fn write_recovered(&self, out: &mut dyn Write) -> fmt::Result {
        let Some(done) = self.cutover.as_ref().and_then(|json| json.parse::<CutoverView>().ok()) else { return Ok(()) };
        let listed = |names: &[String]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        writeln!(out, "\n## What was recovered\n")?;
        writeln!(
            out,
            "- {} → {}, epoch {}",
            code(&done.primary_cluster),
            code(&done.dr_cluster),
            done.reconciled_epoch
        )?;
        writeln!(out, "- groups fenced ({}): {}", done.fenced_groups.len(), listed(&done.fenced_groups))?;
        writeln!(
            out,
            "- WAL shipments verified ({}): {}",
            done.verified_shipments.len(),
            listed(&done.verified_shipments)
        )?;
        writeln!(out, "- ingress rerouted ({}): {}", done.ingress_rerouted.len(), listed(&done.ingress_rerouted))
    }

    fn write_approvals(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\n## Decisions\n")?;
        if self.approvals.is_empty() {
            return writeln!(out, "Nobody was asked.");
        }
        writeln!(
            out,
            "| when (UTC) | step | decision | by | via | why | asked |\n| --- | --- | --- | --- | --- | --- | --- |"
        )?;
        for one in &self.approvals {
            let decision = match one.decision {
                DecisionKind::Granted => "granted",
                DecisionKind::Rejected => "**rejected**",
                DecisionKind::Expired => "**expired**",
            };
            let choice = one.choice.as_ref().map_or(String::new(), |choice| format!(": {}", cell(choice)));
            let (by, via) = (one.by.as_deref().unwrap_or("nobody"), one.via.as_deref().unwrap_or(""));
            let why = one.reason.as_deref().unwrap_or("");
            let step = code(&label(&one.step, one.key.as_ref()));
            let cells = [cell(by), cell(via), cell(why), cell(&one.prompt)].join(" | ");
            writeln!(out, "| {} | {step} | {decision}{choice} | {cells} |", one.at)?;
        }
        Ok(())
    }

    fn write_doubts(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\n## Doubts\n")?;
        if self.doubts.is_empty() {
            return writeln!(out, "None: how every attempt ended was known at once.");
        }
        writeln!(
            out,
            "| when (UTC) | step | attempt | why | settled by | verdict |\n| --- | --- | --- | --- | --- | --- |"
        )?;
        for one in &self.doubts {
            let settled = match one.settled_by {
                None => Cow::Borrowed("**open**"),
                Some(SettledBy::Probe) => "asking the world".into(),
                Some(SettledBy::Rerun) => "running it again".into(),
                Some(SettledBy::Operator) => cell(one.by.as_deref().unwrap_or("an operator")),
            };
            let reason = one.reason.as_ref().map_or(String::new(), |reason| format!(": {}", cell(reason)));
            let step = code(&label(&one.step, one.key.as_ref()));
            let verdict = one.verdict.unwrap_or("");
            writeln!(
                out,
                "| {} | {step} | {} | {} | {settled} | {verdict}{reason} |",
                one.at,
                one.attempt,
                cell(&one.why)
            )?;
        }
        Ok(())
    }

    fn write_steps(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\n## Steps\n")?;
        writeln!(
            out,
            "| step | type | effect | status | seconds | attempts | checked |\n| --- | --- | --- | --- | ---: | ---: | --- |"
        )?;
        for step in &self.steps {
            let seconds = step.duration.map_or(String::new(), |seconds| format!("{seconds:.3}"));
            let name = code(&label(&step.id, step.key.as_ref()));
            let status = if matches!(step.status, "failed" | "unknown" | "stuck") {
                format!("**{}**", step.status)
            } else {
                step.status.to_owned()
            };
            let checked = checked(step);
            writeln!(
                out,
                "| {name} | {} | {} | {status} | {seconds} | {} | {checked} |",
                step.kind,
                step.effect,
                step.attempts.len()
            )?;
        }
        Ok(())
    }

    fn write_timeline(&self, out: &mut dyn Write, clock: &Clock) -> fmt::Result {
        writeln!(out, "\n## Timeline\n")?;
        writeln!(out, "When each step started is under *Evidence*.\n")?;
        writeln!(out, "| when | record | step | what |\n| --- | ---: | --- | --- |")?;
        for entry in self.timeline.iter().filter(|entry| !entry.begins) {
            let step = entry.step.as_deref().map_or(String::new(), code);
            writeln!(out, "| {} | {} | {step} | {} |", clock.date_time(entry.when), entry.seq, cell(&entry.what))?;
        }
        Ok(())
    }

    fn write_evidence(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\n## Evidence")?;
        for step in self.steps.iter().filter(|step| !step.attempts.is_empty()) {
            write_step(out, step)?;
        }
        Ok(())
    }

    fn write_cutover(&self, out: &mut dyn Write) -> fmt::Result {
        let Some(cutover) = &self.cutover else { return Ok(()) };
        writeln!(out, "\n## Cutover report\n\nAs `dr_cutover run` prints it:\n")?;
        fenced(out, "json", &cutover_text(cutover))
    }

    fn write_proof(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\n## Proof\n")?;
        writeln!(out, "Every record's hash covers the one before it; this head covers all {}:\n", self.head.seq)?;
        fenced(out, "text", &format!("{} {}", self.head.seq, self.head.hash))?;
        if !self.signature.is_null() {
            writeln!(out, "\nSigned:\n")?;
            fenced(out, "json", &format!("{:#}", self.signature))?;
        }
        let audit = Commands::new(&self.run, None).audit();
        writeln!(
            out,
            "\nTo check the records, the plan's digest and the signature: `{audit}`. It names the first record that was changed, dropped or moved."
        )
    }
}

/// What shows that a step's result was looked at.
fn checked(step: &Evidence) -> Cow<'_, str> {
    match &step.verify {
        Some(verify) => match verify.held {
            Some(true) => "verify held".into(),
            Some(false) => "**verify failed**".into(),
            None => "verify not put to the test".into(),
        },
        None if step.attempts.iter().any(|row| row.purpose == "probe" && row.result == "done") => "probed".into(),
        None => step.skipped.as_deref().map_or("".into(), cell),
    }
}

fn write_step(out: &mut dyn Write, step: &Evidence) -> fmt::Result {
    writeln!(out, "\n### {}\n", code(&label(&step.id, step.key.as_ref())))?;
    if let Some(title) = &step.title {
        writeln!(out, "{}\n", cell(title))?;
    }
    for row in &step.attempts {
        let when = match (&row.started_at, &row.ended_at) {
            (Some(started), Some(ended)) => format!("{started} to {ended}"),
            (Some(started), None) => format!("from {started}"),
            (None, Some(ended)) => ended.clone(),
            (None, None) => String::new(),
        };
        let why =
            row.error.as_ref().map_or(String::new(), |error| format!(": {}: {}", error.class, cell(&error.message)));
        writeln!(out, "- attempt {} ({}, epoch {}): {} {when}{why}", row.attempt, row.purpose, row.epoch, row.result)?;
    }
    for check in step.verify.iter().flat_map(|verify| &verify.checks) {
        writeln!(out, "- verify {}", bare_code(check))?;
    }
    match &step.output {
        None => Ok(()),
        Some(OutputView::Blob { blob, size }) => {
            writeln!(out, "\nOutput: {size} bytes beside the journal, SHA-256 `{blob}`.")
        }
        Some(OutputView::Inline(json)) if json.as_str() == "null" => Ok(()),
        Some(OutputView::Inline(json)) => {
            let text = if json.as_str().len() <= OUTPUT_BYTES_MAX {
                format!("{:#}", json.value())
            } else {
                cut(json.as_str())
            };
            writeln!(out)?;
            fenced(out, "json", &text)
        }
    }
}

fn cut(text: &str) -> String {
    let end = (0..=OUTPUT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n… {} bytes in all; `report --format json` has them", &text[..end], text.len())
}

/// Text that cannot break out of its cell or its line.
fn cell(text: &str) -> Cow<'_, str> {
    if !text.contains(['|', '\n', '\r', '<', '`', '*', '_', '[', '\\']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.trim().chars() {
        match letter {
            '\n' => safe.push_str(" / "),
            '\r' => {}
            '|' | '<' | '`' | '*' | '_' | '[' | '\\' => {
                safe.push('\\');
                safe.push(letter);
            }
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

/// An address stays one: escaping would change where it leads.
fn address(text: &str) -> Cow<'_, str> {
    let is_plain =
        text.starts_with("http") && !text.contains(|letter: char| letter.is_whitespace() || "<>|\\`".contains(letter));
    if is_plain { Cow::Owned(format!("<{text}>")) } else { cell(text) }
}

/// Text as code in a table, whatever backticks and bars it holds.
fn code(text: &str) -> String {
    bare_code(text).replace('|', "\\|")
}

/// Text as code, whatever backticks it holds.
fn bare_code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{}{space}{ticks}", text.replace('\n', " "))
}

/// A block that its content cannot end.
fn fenced(out: &mut dyn Write, language: &str, text: &str) -> fmt::Result {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    writeln!(out, "{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}
