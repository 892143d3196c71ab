//! Rules about the crate's own source: what makes it pure is checked by the compiler, and that it stays asked to is checked here.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the crate's source is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("it is text"))).collect()
}

#[test]
fn the_core_links_no_std() {
    let root = all().into_iter().find(|(path, _)| path.ends_with("src/lib.rs")).expect("a library has a root");
    assert!(root.1.lines().any(|line| line == "#![no_std]"), "the root says `#![no_std]`");
    for (path, text) in all() {
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let links = code.contains("extern crate std") || code.contains("std::");
            assert!(!links || code.contains("no_std"), "{}:{}: {line}", path.display(), at + 1);
        }
    }
}

#[test]
fn the_core_has_no_map_whose_order_changes_and_no_floating_point() {
    for (path, text) in all() {
        for word in ["HashMap", "HashSet", "f32", "f64"] {
            let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
            for (at, line) in code.enumerate() {
                let found =
                    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|one| one == word);
                assert!(!found, "{}:{}: `{word}` in what decides", path.display(), at + 1);
            }
        }
    }
}

#[test]
fn state_changes_only_in_the_fold() {
    for (path, text) in all() {
        if path.parent().is_some_and(|folder| folder.ends_with("src/state")) {
            continue;
        }
        assert!(!text.contains("&mut RunState") && !text.contains("more_mut("), "{} changes the state", path.display());
    }
    let state = all().into_iter().find(|(path, _)| path.ends_with("state/mod.rs")).expect("the state has a page").1;
    let body =
        state.split("pub struct RunState {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("it is there");
    assert!(!body.contains("pub "), "the fields of `RunState` are private");
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in all() {
        assert!(text.starts_with("//! "), "{} begins with what it is for", path.display());
    }
}
