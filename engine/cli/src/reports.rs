//! The incident report of a run: made afresh from its journal, signed, written beside it.
//!
//! Start at [`make`] and [`write_beside`].

use crate::app::App;
use crate::console::pretty;
use crate::exit::CommandError;
use crate::files;
use crate::loaded::{Loaded, head_of};
use ceptra_flow_core::BlobRef;
use ceptra_flow_report::{Liveness, Report, ReportBuilder, cutover_text};
use ceptra_flow_state::{Blobs, RunId, Store, StoreError};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A signed report.
pub(crate) struct Signed {
    /// As data; its `signature` is set.
    pub(crate) report: Report,
    /// As the JSON that was signed.
    pub(crate) document: Value,
}

/// Reads blobs of a run for the report crate.
pub(crate) fn blob_reader(blobs: Blobs) -> impl Fn(&BlobRef) -> Option<String> {
    move |blob| String::from_utf8(blobs.get(blob).ok()?).ok()
}

/// Makes and signs the report of a run.
pub(crate) fn make(store: &Store, run: &RunId) -> Result<Signed, CommandError> {
    let mut builder = ReportBuilder::default();
    let (reader, liveness) = Loaded::with(store, run, |record| Ok(builder.push(record)?))?;
    sign(store, run, builder, liveness, reader.head(), reader.blobs())
}

fn sign(store: &Store, run: &RunId, builder: ReportBuilder, liveness: Liveness, head: ceptra_flow_state::Head, blobs: Blobs) -> Result<Signed, CommandError> {
    let signer = store.signer()?;
    let mut report = builder.finish(liveness, head_of(head), Value::Null, &blob_reader(blobs));
    let mut document = as_read_back(&report)?;
    let signature = serde_json::to_value(signer.sign_report(run, head, &document)).map_err(unprintable)?;
    document["signature"] = signature.clone();
    report.signature = signature;
    Ok(Signed { report, document })
}

/// The report as somebody has it who read its text: that is what must be signed.
fn as_read_back(report: &Report) -> Result<Value, CommandError> {
    let text = serde_json::to_string(report).map_err(unprintable)?;
    serde_json::from_str(&text).map_err(unprintable)
}

fn unprintable(error: serde_json::Error) -> CommandError {
    CommandError::failed(format!("the report cannot be put into JSON: {error}"), "`ceptra-flow audit` tells whether the journal is whole")
}

/// The report as Markdown.
pub(crate) fn markdown(app: &App, report: &Report) -> String {
    let mut text = String::new();
    report.write_markdown(&mut text, &app.clock()).expect("a String takes everything");
    text
}

/// Writes `report.json`, `report.md` and, where there was one, `cutover.json` into the run's directory.
pub(crate) fn write_beside(app: &App, store: &Store, run: &RunId) -> Result<PathBuf, CommandError> {
    let signed = make(store, run)?;
    let dir = store.run_dir(run);
    let path = dir.join("report.json");
    put(&path, &format!("{}\n", pretty(&signed.document)))?;
    put(&dir.join("report.md"), &markdown(app, &signed.report))?;
    if let Some(cutover) = &signed.report.cutover {
        put(&dir.join("cutover.json"), &cutover_text(cutover))?;
    }
    Ok(path)
}

fn put(path: &Path, text: &str) -> Result<(), CommandError> {
    files::replace(path, text.as_bytes()).map_err(|source| CommandError::Store(StoreError::Unwritable { path: path.to_path_buf(), source }))
}

