//! `ceptra.wal_scan`: the verdict over a log on this host's disks.

use super::freeze::dr;
use super::shipments::blocking;
use super::{shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType};
use ceptra_flow_formats::scan::{LogFile, LogFiles, Report, scan};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Scans a partition's log.
pub(super) struct WalScan;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default = "dr")]
    cluster: String,
}

/// Reads a partition's folder, in CEPtra's layout or in Clustor's, and judges it.
pub(super) fn scan_folder(folder: &Path) -> Result<Report, StepError> {
    let segments_in = if folder.join("wal").is_dir() { folder.join("wal") } else { folder.to_owned() };
    let io = |error: std::io::Error| StepError::nothing("io", format!("{}: {error}", segments_in.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&segments_in).map_err(io)? {
        let entry = entry.map_err(io)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.file_type().map_err(io)?.is_file()));
    }
    names.sort();
    let is_log = |name: &str| name == "wal.bin" || (name.starts_with("segment-") && name.ends_with(".log"));
    let mut read = Vec::new();
    for (name, _) in names.iter().filter(|(name, is_file)| *is_file && is_log(name)) {
        read.push((name.as_str(), fs::read(segments_in.join(name)).map_err(io)?));
    }
    let strays = names
        .iter()
        .filter(|(name, is_file)| name.ends_with(".log") && name != "durability.log" && !(*is_file && is_log(name)));
    let (durability, raft_state) =
        (optional(segments_in.join("durability.log"))?, optional(folder.join("raft_state.json"))?);
    let metadata = optional(folder.join("metadata.json"))?;
    Ok(scan(&LogFiles {
        segments: read.iter().map(|(name, bytes)| LogFile { name, bytes }).collect(),
        durability: durability.as_ref().map(|bytes| LogFile { name: "durability.log", bytes }),
        raft_state: raft_state.as_ref().map(|bytes| LogFile { name: "raft_state.json", bytes }),
        metadata: metadata.as_ref().map(|bytes| LogFile { name: "metadata.json", bytes }),
        strays: strays.map(|(name, _)| name.as_str()).collect(),
    }))
}

fn optional(path: PathBuf) -> Result<Option<Vec<u8>>, StepError> {
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StepError::nothing("io", format!("{}: {error}", path.display()))),
    }
}

impl Params {
    fn folders(&self, cx: &StepContext) -> Result<Vec<(String, PathBuf)>, StepError> {
        if let Some(path) = &self.path {
            return Ok(vec![(path.clone(), world::local(cx, path)?)]);
        }
        let group = world::group(cx, self.group.as_deref().unwrap_or_default())?;
        let cluster = world::cluster(cx, &self.cluster)?;
        let mut folders = Vec::new();
        for name in &group.replicas {
            let node = cluster.node(name)?;
            let root = node.wal_root.as_ref();
            let root = root.ok_or_else(|| StepError::nothing("target", format!("node `{name}` has no wal_root")))?;
            for partition in &group.partitions {
                folders.push((format!("{}/{name}/{partition}", cluster.id), world::local(cx, root)?.join(partition)));
            }
        }
        Ok(folders)
    }
}

impl Step for WalScan {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::optional("path", Shape::String, "A partition's folder on this host."),
                Field::optional(
                    "group",
                    Shape::String,
                    "Instead of `path`: a partition group, all of whose replicas are scanned.",
                ),
                shape::cluster("With `group`: whose replicas; default `dr`."),
            ]),
            example: "[steps.scan]\ntype = \"ceptra.wal_scan\"\nwith = { group = \"pg-0\" }\n",
            output: |_| {
                let report = vec![
                    shape::out("replica", Shape::String, "Which log."),
                    shape::out(
                        "verdict",
                        Shape::OneOf(&["healthy", "torn_tail", "damaged", "unreadable"]),
                        "What it is worth.",
                    ),
                    shape::out(
                        "last_good",
                        shape::or_null(Shape::Any),
                        "Term and index of the end of the good prefix.",
                    ),
                    shape::out("frames", Shape::Integer, "Frames that verify."),
                    shape::out("promised", shape::or_null(Shape::Integer), "Highest index promised as durable."),
                    shape::out("findings", shape::list(Shape::Any), "Everything that is not as it should be."),
                    shape::out(
                        "backfill",
                        shape::list(shape::list(Shape::Integer)),
                        "Ranges that must come from elsewhere.",
                    ),
                ];
                shape::object(vec![
                    shape::out("healthy", Shape::Boolean, "Whether every log is healthy."),
                    shape::out("reports", shape::list(shape::object(report)), "One per log."),
                ])
            },
            check: |with| {
                let named = ["path", "group"].iter().filter(|key| with.get(**key).is_some()).count();
                if named == 1 {
                    return Vec::new();
                }
                let message = "exactly one of `path` and `group` says what to scan".to_owned();
                vec![ParamProblem {
                    field: "path",
                    message,
                    help: "write either path = \"…\" or group = \"…\"".to_owned(),
                }]
            },
            ..shape::reading("ceptra.wal_scan", "Scans logs on disk: verdict, findings, and what must be backfilled.")
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let folders = params.folders(cx)?;
            blocking(move || {
                let (mut reports, mut healthy) = (Vec::new(), true);
                for (replica, folder) in folders {
                    let report = scan_folder(&folder)?;
                    healthy &= report.verdict == ceptra_flow_formats::scan::Verdict::Healthy;
                    let mut shown = json!({"replica": replica});
                    if let (Value::Object(shown), Value::Object(fields)) = (&mut shown, json!(report)) {
                        shown.extend(fields);
                    }
                    reports.push(shown);
                }
                Ok(json!({"healthy": healthy, "reports": reports}))
            })
            .await
        })
    }
}
