//! Every code has a page, every page a code.

use crate::codes::ALL;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".md").filter(|id| id.starts_with("CF")) {
            pages.insert(id.to_owned());
        }
    }
    let codes: BTreeSet<String> = ALL.iter().map(|code| code.id.to_owned()).collect();
    assert_eq!(pages, codes);
    assert_eq!(codes.len(), ALL.len(), "a code is used twice");
    for code in ALL {
        let text = std::fs::read_to_string(folder.join(format!("{}.md", code.id))).unwrap();
        assert!(text.starts_with(&format!("# {}: {}\n", code.id, code.title)), "{} begins with its code and title", code.id);
        for part in ["What", "Why", "Example", "Mend"] {
            assert!(text.contains(&format!("\n**{part}.** ")) , "{} lacks “{part}.”", code.id);
        }
    }
}
