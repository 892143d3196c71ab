//! Two small checkouts, `ceptra` and `clustor`, whose manifests pin their specification files.

use std::path::Path;

use ceptra_flow_formats::hash::Sha256Digest;
use serde_json::{Value, json};

use crate::LabError;
use crate::disk::{make_dir, write_atomic};

const CEPTRA_SPECIFICATION: &str = "# CEPtra specification (lab)\n\nA freeze is permanent: an append under an epoch below the fence gets PERMANENT_EPOCH.\n";
const CLUSTOR_SPECIFICATION: &str =
    "# Clustor specification (lab)\n\nEpochs only rise. An entry that was acknowledged is on a majority's disks.\n";
const TELEMETRY: &str = "{\n  \"metrics\": []\n}\n";

/// Writes both checkouts.
pub(crate) fn make(dir: &Path) -> Result<(), LabError> {
    let write = |path: &str, text: &str| -> Result<String, LabError> {
        let path = dir.join(path);
        make_dir(path.parent().unwrap_or(dir))?;
        write_atomic(&path, text.as_bytes(), false)?;
        Ok(Sha256Digest::of(text.as_bytes()).prefixed())
    };
    let ceptra = write("ceptra/docs/specification.md", CEPTRA_SPECIFICATION)?;
    let clustor = write("clustor/docs/specification.md", CLUSTOR_SPECIFICATION)?;
    let telemetry = write("ceptra/telemetry/catalog.json", TELEMETRY)?;
    let manifest = pretty(&json!({
        "documents": [
            { "name": "ceptra_specification", "path": "../docs/specification.md", "sha256": ceptra },
            { "name": "clustor_specification", "path": "../../clustor/docs/specification.md", "sha256": clustor },
            { "name": "ceptra_telemetry_catalog", "path": "../telemetry/catalog.json", "sha256": telemetry },
        ],
        "children": [],
    }));
    let child = write("ceptra/manifests/ceptra_manifest.json", &manifest)?;
    let core = pretty(&json!({
        "documents": [{ "name": "clustor_specification", "path": "../docs/specification.md", "sha256": clustor }],
        "children": [{ "name": "ceptra_manifest", "path": "../../ceptra/manifests/ceptra_manifest.json", "sha256": child }],
    }));
    write("clustor/manifests/consensus_core_manifest.json", &core)?;
    Ok(())
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value is always JSON");
    text.push('\n');
    text
}
