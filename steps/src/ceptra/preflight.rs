//! `ceptra.preflight`: everything a recovery needs is there, and all that is not is said at once.

use super::client::TlsFiles;
use super::ops::Operations;
use super::shipments::blocking;
use super::{epoch, shape, world};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use ceptra_flow_core::catalog::{Field, Shape, StepType};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Checks identity, storage, environment and reachability.
pub(super) struct Preflight;

/// Certificates that end sooner are a warning: a recovery may take a night.
const WARN_DAYS: i64 = 7;
const STORAGE: [&str; 3] = ["data_dir", "wal_dir", "snapshot_dir"];
const STUB: &str = "CEPTRA_STUB_RUNTIME";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "dr")]
    clusters: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
}

fn dr() -> Vec<String> {
    vec!["dr".to_owned()]
}

/// What was looked at and how it is.
#[derive(Default)]
struct Findings {
    checks: Vec<Value>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn note(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(seen) => self.checks.push(json!({"check": what, "ok": true, "seen": seen})),
            Err(why) => {
                self.checks.push(json!({"check": what, "ok": false, "seen": why}));
                self.problems.push(format!("{what}: {why}"));
            }
        }
    }

    fn warn(&mut self, what: &str, why: String) {
        self.warnings.push(format!("{what}: {why}"));
    }

    fn identity(&mut self, files: &TlsFiles, now: i64) {
        let certificates = files.certificates();
        let key = files.key();
        self.note(
            "identity certificate",
            certificates.as_ref().map(|found| format!("{} in chain", found.len())).map_err(Clone::clone),
        );
        self.note("identity key", key.as_ref().map(|_| "readable".to_owned()).map_err(Clone::clone));
        self.note("trust bundle", files.roots().map(|roots| format!("{} roots", roots.len())));
        if let (Ok(certificates), Ok(key)) = (certificates, key) {
            let leaf = certificates[0].clone();
            let pair = CertifiedKey::from_der(certificates, key, &rustls::crypto::ring::default_provider());
            self.note("key matches certificate", pair.map(|_| "yes".to_owned()).map_err(|error| error.to_string()));
            match X509Certificate::from_der(&leaf) {
                Ok((_, leaf)) => self.leaf(&leaf, files.spiffe_id.as_deref(), now),
                Err(error) => self.note("identity certificate", Err(error.to_string())),
            }
        }
    }

    fn leaf(&mut self, leaf: &X509Certificate<'_>, wanted: Option<&str>, now: i64) {
        let (from, to) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
        let days = (to - now) / 86_400;
        self.note(
            "certificate validity",
            match () {
                () if now < from => Err(format!("begins only at {}", leaf.validity().not_before)),
                () if now > to => Err(format!("ended at {}", leaf.validity().not_after)),
                () => Ok(format!("{days} days left")),
            },
        );
        if now <= to && days < WARN_DAYS {
            self.warn("certificate validity", format!("{days} days left"));
        }
        let names = leaf.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
        let uris: Vec<&str> =
            names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
        let spiffe: Vec<&str> = uris.into_iter().filter(|uri| uri.starts_with("spiffe://")).collect();
        self.note(
            "SPIFFE id",
            match (spiffe.as_slice(), wanted) {
                ([], _) => Err("the certificate carries none".to_owned()),
                ([one], Some(wanted)) if *one != wanted => Err(format!("is {one}, the target says {wanted}")),
                ([one], _) => Ok((*one).to_owned()),
                (several, _) => Err(format!("the certificate carries several: {}", several.join(", "))),
            },
        );
    }

    fn environment(&mut self, required: &[String], production: bool) {
        for name in required {
            let found = std::env::var_os(name).filter(|value| !value.is_empty());
            self.note(name, found.map(|_| "set".to_owned()).ok_or_else(|| "is not set".to_owned()));
        }
        if std::env::var_os(STUB).is_some() {
            let why = "is set; it is obsolete, the released programs have no stub runtime any more".to_owned();
            if production { self.note(STUB, Err(why)) } else { self.warn(STUB, why) }
        }
    }
}

/// Whether files can be made, written, synced, read and removed in a folder.
fn usable(folder: &Path) -> Result<String, String> {
    if !folder.is_dir() {
        return Err(format!("{} is no directory", folder.display()));
    }
    let probe = folder.join(format!(".ceptra-flow-preflight-{}", std::process::id()));
    let written = fs::File::create(&probe).and_then(|mut file| {
        file.write_all(b"preflight")?;
        file.sync_all()?;
        fs::read(&probe)
    });
    let removed = fs::remove_file(&probe);
    let read = written.map_err(|error| format!("{}: {error}", folder.display()))?;
    removed.map_err(|error| format!("{}: {error}", probe.display()))?;
    if read == b"preflight" {
        Ok(format!("{} can be read and written", folder.display()))
    } else {
        Err(format!("{} gives back other bytes", folder.display()))
    }
}

fn readable(folder: &Path) -> Result<String, String> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(format!("{} holds {} entries", folder.display(), listed.count()))
}

/// Everything that is on this host.
fn here(cx: &StepContext, env: &[String]) -> Result<Findings, StepError> {
    let mut findings = Findings::default();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    match TlsFiles::of(cx) {
        Ok(Some(files)) => findings.identity(&files, now),
        Ok(None) => findings.note("tls", Err("the target has no [tls]".to_owned())),
        Err(error) => findings.note("tls", Err(error.message)),
    }
    let place = |key: &str| world::text(cx, "storage", key)?.map(|place| world::local(cx, &place)).transpose();
    for key in STORAGE {
        match place(key) {
            Ok(Some(folder)) => findings.note(&format!("storage.{key}"), usable(&folder)),
            Ok(None) => findings.warn(&format!("storage.{key}"), "the target does not name it".to_owned()),
            Err(error) => findings.note(&format!("storage.{key}"), Err(error.message)),
        }
    }
    for key in ["object_store", "control_plane_snapshots"] {
        match place(key) {
            Ok(Some(folder)) => findings.note(&format!("storage.{key}"), readable(&folder)),
            Ok(None) => {}
            Err(error) => findings.note(&format!("storage.{key}"), Err(error.message)),
        }
    }
    let kind = cx.target.pointer("/target/kind").and_then(Value::as_str);
    findings.environment(env, kind == Some("production"));
    Ok(findings)
}

impl Step for Preflight {
    fn describe(&self) -> StepType {
        StepType {
            params: shape::table(vec![
                Field::optional(
                    "clusters",
                    shape::list(Shape::String),
                    "Clusters whose control plane must answer; default `dr`.",
                ),
                Field::optional(
                    "env",
                    shape::list(Shape::String),
                    "Environment variables that must be set, such as CEPTRA_WAL_DIR.",
                ),
            ]),
            example: "[steps.preflight]\ntype = \"ceptra.preflight\"\n",
            output: |_| {
                let check = vec![
                    shape::out("check", Shape::String, "What was looked at."),
                    shape::out("ok", Shape::Boolean, "Whether it is as it should be."),
                    shape::out("seen", Shape::String, "What was seen."),
                ];
                shape::object(vec![
                    shape::out("checks", shape::list(shape::object(check)), "Everything that was looked at."),
                    shape::out("warnings", shape::list(Shape::String), "What will do for now."),
                ])
            },
            operations: |_| vec![epoch::CLUSTER_EPOCH],
            ..shape::reading(
                "ceptra.preflight",
                "Checks identity, storage, environment and control planes; names all problems at once.",
            )
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let params: Params = world::params(with)?;
            let (context, env) = (cx.clone(), params.env.clone());
            let mut findings = blocking(move || here(&context, &env)).await?;
            for name in &params.clusters {
                let asked = async {
                    let ops = Operations::of(cx).await?;
                    epoch::ask(&ops, &world::cluster(cx, name)?).await
                };
                let answer = asked.await.map(|epoch| format!("answers, epoch {epoch}")).map_err(|error| error.message);
                findings.note(&format!("control plane of {name}"), answer);
            }
            if findings.problems.is_empty() {
                return Ok(json!({"checks": findings.checks, "warnings": findings.warnings}));
            }
            let detail = json!({"checks": findings.checks, "warnings": findings.warnings});
            Err(StepError::nothing("preflight", findings.problems.join("\n")).with_detail(detail))
        })
    }
}
