//! `ceptra.spec_check`: the checkouts are the specifications that were pinned.

use super::shipments::blocking;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_formats::pins::{self, PinManifest, Section};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Checks both manifests against the files they pin.
pub(super) struct SpecCheck;

/// Largest specification that is read.
const DOCUMENT_MAX: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    ceptra: Option<String>,
    #[serde(default)]
    clustor: Option<String>,
}

impl Params {
    fn checkout(&self, cx: &StepContext, name: &str, given: Option<&String>) -> Result<PathBuf, StepError> {
        let place = match given {
            Some(place) => Some(place.clone()),
            None => world::text(cx, "checkouts", name)?,
        };
        let place = place.ok_or_else(|| {
            StepError::parameter(format!(
                "say where {name} is checked out: `{name}`, or checkouts.{name} in the target"
            ))
        })?;
        world::local(cx, &place)
    }
}

/// Checks one manifest; gives what holds and what does not.
fn check(file: &Path, documents: &[&str], children: &[&str]) -> (Vec<Value>, Vec<String>) {
    let shown = file.display();
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(why) => return (Vec::new(), vec![format!("{shown}: {why}")]),
    };
    let manifest = match PinManifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(problems) => return (Vec::new(), vec![format!("{shown}: {problems}")]),
    };
    let (mut held, mut wrong) = (Vec::new(), Vec::new());
    for (section, names) in [(Section::Documents, documents), (Section::Children, children)] {
        for name in manifest.missing(section, names) {
            wrong.push(format!("{shown}: `{}` does not pin `{name}`", section.key()));
        }
    }
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    for pin in manifest.entries() {
        let content = read(&folder.join(&pin.path));
        let content = content.as_ref().map(Vec::as_slice).map_err(String::as_str);
        match (pins::check(pin, content), content) {
            (Some(problem), _) => wrong.push(format!("{shown}: {problem}")),
            (None, Ok(bytes)) => held.push(json!({
                "manifest": shown.to_string(), "name": pin.name, "path": pin.path, "sha256": Sha256Digest::of(bytes).prefixed(),
            })),
            (None, Err(_)) => {}
        }
    }
    (held, wrong)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > DOCUMENT_MAX {
        return Err(format!("has {size} bytes, more than {DOCUMENT_MAX}"));
    }
    fs::read(path).map_err(|error| error.to_string())
}

impl Step for SpecCheck {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::optional("ceptra", Shape::String, "CEPtra's checkout; default checkouts.ceptra of the target."),
                Field::optional(
                    "clustor",
                    Shape::String,
                    "Clustor's checkout; default checkouts.clustor of the target.",
                ),
            ]),
            example: "[steps.specs]\ntype = \"ceptra.spec_check\"\n",
            output: |_| {
                let pin = vec![
                    shape::out("manifest", Shape::String, "Manifest that pins the file."),
                    shape::out("name", Shape::String, "What the file is called."),
                    shape::out("path", Shape::String, "Its path, relative to the manifest's folder."),
                    shape::out("sha256", Shape::String, "Its digest, as pinned."),
                ];
                shape::object(vec![
                    shape::out("checked", Shape::Integer, "Files whose digest holds."),
                    shape::out("documents", shape::list(shape::object(pin)), "Those files."),
                ])
            },
            ..shape::reading(
                "ceptra.spec_check",
                "Checks that specifications and manifests are the pinned ones; names everything that is not.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let ceptra = params.checkout(cx, "ceptra", params.ceptra.as_ref())?.join(pins::CEPTRA_MANIFEST);
            let clustor = params.checkout(cx, "clustor", params.clustor.as_ref())?.join(pins::CONSENSUS_CORE_MANIFEST);
            blocking(move || {
                let (mut held, mut wrong) = check(&ceptra, &pins::CEPTRA_DOCUMENTS, &[]);
                let (more_held, more_wrong) =
                    check(&clustor, &pins::CONSENSUS_CORE_DOCUMENTS, &pins::CONSENSUS_CORE_CHILDREN);
                held.extend(more_held);
                wrong.extend(more_wrong);
                if wrong.is_empty() {
                    return Ok(json!({"checked": held.len(), "documents": held}));
                }
                Err(StepError::nothing("drift", wrong.join("\n")).with_detail(json!({"problems": wrong})))
            })
            .await
        })
    }
}
