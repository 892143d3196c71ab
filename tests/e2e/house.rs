//! Rules about the repository: layers, the pure core, error pages, what the README promises.

use crate::support::root;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every crate with its folder and layer.
const CRATES: [(&str, &str, u8); 9] = [
    ("ceptra-flow-core", "engine/core", 0),
    ("ceptra-flow-formats", "steps/formats", 0),
    ("ceptra-flow-runbook", "engine/runbook", 1),
    ("ceptra-flow-report", "engine/report", 1),
    ("ceptra-flow-steps", "steps", 1),
    ("ceptra-flow-state", "state", 1),
    ("ceptra-flow-lab", "lab", 1),
    ("ceptra-flow-local", "engine/local", 2),
    ("ceptra-flow", "engine/cli", 3),
];

#[test]
fn crates_depend_only_downwards() {
    let layers: BTreeMap<&str, u8> = CRATES.iter().map(|(name, _, layer)| (*name, *layer)).collect();
    for (name, folder, layer) in CRATES {
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap()).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(name), "{folder}");
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            if let Some(below) = layers.get(dependency.as_str()) {
                assert!(*below < layer, "`{name}` (layer {layer}) may not depend on `{dependency}` (layer {below})");
            }
        }
    }
    let workspace: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    assert_eq!(members.len(), CRATES.len(), "a crate is missing from this test's list");
}

#[test]
fn the_core_links_no_std() {
    let text = fs::read_to_string(root().join("engine/core/src/lib.rs")).unwrap();
    assert!(text.contains("#![no_std]"));
    for file in sources(&root().join("engine/core/src")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("extern crate std") && !text.contains("use std::"), "{} uses std", file.display());
    }
}

#[test]
fn runbook_and_report_do_no_io() {
    for folder in ["engine/runbook/src", "engine/report/src"] {
        let product = sources(&root().join(folder))
            .into_iter()
            .filter(|file| !file.components().any(|part| part.as_os_str() == "tests"));
        for file in product {
            let text = fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for forbidden in
                ["std::fs", "std::net", "std::process", "std::io::stdout", "SystemTime::now", "Instant::now"]
            {
                assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
            }
        }
    }
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let known = fs::read_to_string(root().join("engine/runbook/src/codes.rs")).unwrap();
    let is_code =
        |text: &str| text.len() == 6 && text.starts_with("CF") && text[2..].bytes().all(|byte| byte.is_ascii_digit());
    let codes: Vec<&str> = known.split(|at: char| !at.is_ascii_alphanumeric()).filter(|word| is_code(word)).collect();
    assert!(codes.len() > 20);
    for code in &codes {
        assert!(root().join(format!("docs/errors/{code}.md")).exists(), "docs/errors/{code}.md is missing");
    }
    for entry in fs::read_dir(root().join("docs/errors")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".md");
        assert!(!is_code(stem) || codes.contains(&stem), "docs/errors/{name} explains no code");
    }
}

#[test]
fn the_readme_has_its_two_commands_and_ci_runs_the_tests() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(readme.contains("cargo run --release -- run runbooks/catastrophic.toml"));
    assert!(readme.contains("cargo test --workspace"));
    assert!(ci.contains("cargo test --workspace"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in documents(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let link = link.split('#').next().unwrap_or_default();
            if link.is_empty() || link.contains("://") || link.contains(' ') {
                continue;
            }
            let to = file.parent().unwrap().join(link);
            assert!(to.exists(), "{} links to {link}, which is not there", file.display());
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for folder in ["engine", "steps", "state", "lab"] {
        for file in sources(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            for mark in ["todo!(", "unimplemented!(", concat!("TO", "DO"), concat!("FIX", "ME"), "#[ignore"] {
                assert!(!text.contains(mark), "{} has {mark}", file.display());
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).collect()
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|file| file.extension().is_some_and(|end| end == "md")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}
