//! Every code has a page, every page a code, and its example gives just that.

use super::{around, compile};
use crate::codes::ALL;
use crate::{Source, Target};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn page(id: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{id}.md"))).unwrap_or_default()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".md").filter(|id| id.starts_with("CF")) {
            pages.insert(id.to_owned());
        }
    }
    let codes: BTreeSet<String> = ALL.iter().map(|code| code.id.to_owned()).collect();
    assert_eq!(pages, codes);
    assert_eq!(codes.len(), ALL.len(), "a code is used twice");
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for code in ALL {
        let text = page(code.id);
        assert!(
            text.starts_with(&format!("# {}: {}\n", code.id, code.title)),
            "{} begins with its code and title",
            code.id
        );
        for part in ["What", "Why", "Example", "Mend"] {
            assert!(text.contains(&format!("\n**{part}.** ")), "{} lacks “{part}.”", code.id);
        }
        assert!(
            index.contains(&format!("| [{0}]({0}.md) | {1} |", code.id, code.title)),
            "the index lacks {}",
            code.id
        );
    }
}

#[test]
fn every_example_gives_its_code() {
    for code in ALL {
        let text = page(code.id);
        let Some((_, rest)) = text.split_once("```toml\n") else {
            continue;
        };
        let example = rest.split("```").next().unwrap();
        let found = if example.contains("[target]") {
            Target::parse(&Source { name: "t", text: example }).1
        } else if example.contains("[runbook]") {
            compile(example).1
        } else {
            compile(&around(example)).1
        };
        assert!(found.iter().any(|one| one.code == code.id), "{}: {found:?}", code.id);
        assert!(found.len() <= 2, "{}: an example shows one mistake: {found:?}", code.id);
    }
}
