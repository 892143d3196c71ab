//! The incident report of a run: made afresh from its journal, signed, written beside it.
//!
//! A report is never held as one text: it is digested and written as it is put into JSON, so that a long run needs little
//! memory at its end. Start at [`make`] and [`write_beside`].

use crate::app::App;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::loaded::{Loaded, head_of};
use ceptra_flow_core::plan::hex;
use ceptra_flow_core::{BlobRef, Json};
use ceptra_flow_report::{OutputView, Report, ReportBuilder, cutover_text};
use ceptra_flow_state::{Blobs, RunId, Store};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Runs of more steps than this leave the report to `report`: holding the evidence of all of them would take more memory
/// than the run itself.
pub(crate) const STEPS_MAX: usize = 30_000;

/// Reads blobs of a run for the report crate.
pub(crate) fn blob_reader(blobs: Blobs) -> impl Fn(&BlobRef) -> Option<String> {
    move |blob| String::from_utf8(blobs.get(blob).ok()?).ok()
}

/// Makes and signs the report of a run.
pub(crate) fn make(store: &Store, run: &RunId) -> Result<Report, CommandError> {
    let mut builder = ReportBuilder::default();
    let (reader, liveness) = Loaded::with(store, run, |record| Ok(builder.push(record)?))?;
    let signer = store.signer()?;
    let head = reader.head();
    let mut report = builder.finish(liveness, head_of(head), Value::Null, &blob_reader(reader.blobs()));
    as_read_back(&mut report);
    let signature = signer.sign_report_digest(run, head, digest(&report)?);
    report.signature = serde_json::to_value(signature).map_err(unprintable)?;
    Ok(report)
}

/// Puts the documents in a report into the form in which they are read back from its text: that is what a signature is
/// verified against.
fn as_read_back(report: &mut Report) {
    for step in &mut report.steps {
        if let Some(OutputView::Inline(output)) = &mut step.output {
            settle(output);
        }
    }
    for decision in &mut report.approvals {
        decision.fields.iter_mut().chain(&mut decision.evidence).for_each(settle);
    }
    report.cutover.iter_mut().for_each(settle);
}

fn settle(document: &mut Json) {
    // A number that is not printed as it was read is printed as it is read from then on.
    for _ in 0..3 {
        let read = Json::from(document.value());
        if read == *document {
            return;
        }
        *document = read;
    }
}

/// SHA-256 of the report's compact JSON without its `signature`, which is the last member.
fn digest(report: &Report) -> Result<String, CommandError> {
    const TAIL: &[u8] = b",\"signature\":null}";
    let mut digested = Digested { hash: Sha256::new(), held: Vec::new(), keep: TAIL.len() };
    serde_json::to_writer(&mut digested, report).map_err(unprintable)?;
    digested.settle();
    if digested.held != TAIL {
        return Err(CommandError::failed(
            "the report cannot be signed: it does not end with its signature",
            "this is a mistake in ceptra-flow; please report it",
        ));
    }
    digested.hash.update(b"}");
    Ok(hex(&digested.hash.finalize()))
}

/// Digests what is written but for the last few bytes.
struct Digested {
    hash: Sha256,
    held: Vec<u8>,
    keep: usize,
}

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() > 8192 + self.keep {
            let ready = self.held.len() - self.keep;
            self.hash.update(&self.held[..ready]);
            self.held.drain(..ready);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Digested {
    /// Digests all but the last few bytes.
    fn settle(&mut self) {
        let ready = self.held.len().saturating_sub(self.keep);
        self.hash.update(&self.held[..ready]);
        self.held.drain(..ready);
    }
}

fn unprintable(error: serde_json::Error) -> CommandError {
    CommandError::failed(
        format!("the report cannot be put into JSON: {error}"),
        "`ceptra-flow audit` tells whether the journal is whole",
    )
}

/// Writes the report as JSON.
pub(crate) fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Writes the report as Markdown.
pub(crate) fn write_markdown(app: &App, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut text = AsText { out, failed: None };
    match report.write_markdown(&mut text, &app.clock()) {
        Ok(()) => Ok(()),
        Err(fmt::Error) => Err(text.failed.unwrap_or_else(|| io::ErrorKind::Other.into())),
    }
}

/// A writer of bytes as one of text, with the error kept.
struct AsText<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl fmt::Write for AsText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

/// Writes `report.json`, `report.md` and, where there was one, `cutover.json` into the run's directory.
pub(crate) fn write_beside(app: &App, store: &Store, run: &RunId) -> Result<PathBuf, CommandError> {
    let report = make(store, run)?;
    let dir = store.run_dir(run);
    let path = path(store, run);
    put(&path, |out| write_json(&report, out))?;
    put(&dir.join("report.md"), |out| write_markdown(app, &report, out))?;
    if let Some(cutover) = &report.cutover {
        put(&dir.join("cutover.json"), |out| out.write_all(cutover_text(cutover).as_bytes()))?;
    }
    Ok(path)
}

/// Where the report of a run is written.
pub(crate) fn path(store: &Store, run: &RunId) -> PathBuf {
    store.run_dir(run).join("report.json")
}

fn put(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CommandError> {
    files::replace_with(path, write).map_err(|error| CommandError::Plain {
        exit: Exit::Store,
        message: format!("cannot write `{}`: {}", path.display(), files::plain(&error)),
        help: "free some space or correct the permissions".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_tail_is_digested() {
        for length in [0_usize, 5, 8200, 20_000] {
            let text: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).unwrap()).chain(*b"tail").collect();
            let mut digested = Digested { hash: Sha256::new(), held: Vec::new(), keep: 4 };
            for piece in text.chunks(777) {
                digested.write_all(piece).unwrap();
            }
            digested.settle();
            assert_eq!(digested.held, b"tail");
            assert_eq!(digested.hash.finalize(), Sha256::digest(&text[..length]));
        }
    }

    #[test]
    fn documents_are_signed_as_they_are_read_back() {
        let mut odd = Json::from_text("{\"a\": 1.50, \"b\":1e3}".into()).unwrap();
        settle(&mut odd);
        assert_eq!(odd.as_str(), "{\"a\":1.5,\"b\":1000.0}");
    }
}
