//! The cutover's own report inside a run: what `dr_cutover run` prints, byte for byte.

use ceptra_flow_core::state::Status;
use ceptra_flow_core::{BlobRef, Json, Output, RunState};
use serde::Deserialize;
use serde_json::Value;

/// Reads a document that is kept beside the journal; `None` when it cannot be had.
pub type Blobs<'a> = &'a dyn Fn(&BlobRef) -> Option<String>;

/// No documents beside the journal.
#[must_use]
pub fn no_blobs(_: &BlobRef) -> Option<String> {
    None
}

/// What a cutover did, for views.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CutoverView {
    /// The cluster that was lost.
    pub primary_cluster: String,
    /// The cluster that took over.
    pub dr_cluster: String,
    /// Groups that are fenced.
    pub fenced_groups: Vec<String>,
    /// Groups whose shipments were verified.
    pub verified_shipments: Vec<String>,
    /// Routes that lead to the new cluster.
    pub ingress_rerouted: Vec<String>,
    /// The epoch that holds now.
    pub reconciled_epoch: u64,
}

const FIELDS: [&str; 6] =
    ["primary_cluster", "dr_cluster", "fenced_groups", "verified_shipments", "ingress_rerouted", "reconciled_epoch"];

/// The cutover's report: the output of the last `ceptra.cutover` step that is done, else of the last step whose output
/// has exactly its fields.
#[must_use]
pub fn cutover(state: &RunState, blobs: Blobs<'_>) -> Option<Json> {
    let mut other = None;
    for (at, step) in state.plan().places() {
        for instance in state.instances(at).iter().filter(|instance| instance.status == Status::Done) {
            let is_cutover = &*step.kind == "ceptra.cutover";
            let Some(text) = instance.output.as_ref().and_then(|output| document(output, is_cutover, blobs)) else {
                continue;
            };
            if is_cutover {
                return Some(text);
            }
            other = Some(text);
        }
    }
    other
}

/// The document, if it has exactly the fields of a cutover's report.
fn document(output: &Output, is_cutover: bool, blobs: Blobs<'_>) -> Option<Json> {
    let json = match output {
        Output::Inline(json) => json.clone(),
        // Only the step that is known to be the cutover is worth a file's reading.
        Output::Blob(blob) if is_cutover => Json::from_text(blobs(blob)?).ok()?,
        Output::Blob(_) => return None,
    };
    // Most outputs are told apart without being parsed.
    if !json.as_str().contains("\"reconciled_epoch\"") {
        return None;
    }
    let Value::Object(fields) = json.value() else { return None };
    let exact = fields.len() == FIELDS.len() && FIELDS.iter().all(|field| fields.contains_key(*field));
    exact.then_some(json)
}

/// The bytes that `dr_cutover run` prints for it: 2-space JSON and a newline.
#[must_use]
pub fn cutover_text(cutover: &Json) -> String {
    format!("{:#}\n", cutover.value())
}
