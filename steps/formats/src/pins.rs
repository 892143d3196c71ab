//! Specification pins: manifests that say which documents a build was made for.
//!
//! `ceptra/manifests/ceptra_manifest.json` and `clustor/manifests/consensus_core_manifest.json` list
//! documents and child manifests with their SHA-256, paths relative to the manifest's own folder.
//! Checking tells everything that is wrong at once; updating keeps entries and fields it does not
//! know. Files are read by whoever calls. Start at [`PinManifest::parse`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::hash::Sha256Digest;
use crate::json::{Problem, Problems};

/// Where the CEPtra checkout keeps its manifest.
pub const CEPTRA_MANIFEST: &str = "manifests/ceptra_manifest.json";
/// Where the Clustor checkout keeps its manifest.
pub const CONSENSUS_CORE_MANIFEST: &str = "manifests/consensus_core_manifest.json";
/// Documents that CEPtra's manifest must name.
pub const CEPTRA_DOCUMENTS: [&str; 3] = ["ceptra_specification", "clustor_specification", "ceptra_telemetry_catalog"];
/// Documents that Clustor's manifest must name.
pub const CONSENSUS_CORE_DOCUMENTS: [&str; 1] = ["clustor_specification"];
/// Child manifests that Clustor's manifest must name.
pub const CONSENSUS_CORE_CHILDREN: [&str; 1] = ["ceptra_manifest"];

/// A manifest as it is written, with every field it has.
#[derive(Debug, Clone, PartialEq)]
pub struct PinManifest {
    object: Map<String, Value>,
    entries: Vec<Pin>,
}

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// `documents` or `children`.
    pub section: Section,
    /// Place in that list.
    pub place: usize,
    /// What the file is called.
    pub name: String,
    /// Path relative to the manifest's folder.
    pub path: String,
    /// The hash as written.
    pub sha256: String,
}

/// The two lists of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Specification files.
    Documents,
    /// Other manifests.
    Children,
}

impl Section {
    /// The list's key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Children => "children",
        }
    }
}

impl Pin {
    /// Path of the entry in the manifest, `documents[0]`.
    pub fn place(&self) -> String {
        format!("{}[{}]", self.section.key(), self.place)
    }
}

impl PinManifest {
    /// Reads a manifest; every problem names its field.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problems> {
        let refuse = |field: &str, message: String| Problems(alloc::vec![Problem { field: field.into(), message }]);
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| refuse("(document)", format!("is not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(refuse("(document)", "must be an object".into()));
        };
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for section in [Section::Documents, Section::Children] {
            match object.get(section.key()) {
                Some(Value::Array(items)) => {
                    for (place, item) in items.iter().enumerate() {
                        read_pin(section, place, item, &mut entries, &mut problems);
                    }
                }
                Some(_) => problems.push(Problem { field: section.key().into(), message: "must be a list".into() }),
                None => {}
            }
        }
        if problems.is_empty() { Ok(Self { object, entries }) } else { Err(Problems(problems)) }
    }

    /// Everything that is pinned, documents first.
    pub fn entries(&self) -> &[Pin] {
        &self.entries
    }

    /// Names that a manifest must have and this one lacks. An empty manifest lacks them all.
    pub fn missing<'n>(&self, section: Section, names: &[&'n str]) -> Vec<&'n str> {
        let has = |name: &str| self.entries.iter().any(|pin| pin.section == section && pin.name == name);
        names.iter().copied().filter(|name| !has(name)).collect()
    }

    /// The manifest with the hashes of the files as they are now. Everything else stays.
    pub fn updated(&self, mut hash_of: impl FnMut(&Pin) -> Option<Sha256Digest>) -> Self {
        let mut updated = self.clone();
        for pin in &mut updated.entries {
            let Some(hash) = hash_of(pin) else { continue };
            pin.sha256 = hash.prefixed();
            let entry = updated.object.get_mut(pin.section.key()).and_then(|list| list.get_mut(pin.place));
            if let Some(entry) = entry.and_then(Value::as_object_mut) {
                entry.insert("sha256".into(), Value::String(pin.sha256.clone()));
            }
        }
        updated
    }

    /// The manifest's file: 2-space JSON and a newline.
    pub fn render(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.object).expect("a JSON object is always JSON");
        text.push('\n');
        text
    }
}

/// What is wrong with one pin once its file was read; nothing if it holds.
///
/// Hashes are accepted bare, with `0x`, and in upper case.
pub fn check(pin: &Pin, content: Result<&[u8], &str>) -> Option<Problem> {
    let problem = |field: &str, message: String| Some(Problem { field: format!("{}.{field}", pin.place()), message });
    let Some(wanted) = Sha256Digest::parse(&pin.sha256) else {
        return problem("sha256", format!("is not 64 hexadecimal digits: `{}`", pin.sha256));
    };
    match content {
        Err(cause) => problem("path", format!("names {}, which cannot be read: {cause}", pin.path)),
        Ok(bytes) => {
            let found = Sha256Digest::of(bytes);
            if found == wanted {
                return None;
            }
            problem("sha256", format!("pins {} ({}) at {wanted}, the file has {found}", pin.name, pin.path))
        }
    }
}

fn read_pin(section: Section, place: usize, item: &Value, entries: &mut Vec<Pin>, problems: &mut Vec<Problem>) {
    let mut text = |key: &str| {
        let found = item.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        if found.is_none() {
            let field = format!("{}[{place}].{key}", section.key());
            problems.push(Problem { field, message: "must be a string that is not empty".into() });
        }
        found.map(String::from)
    };
    let (name, path, sha256) = (text("name"), text("path"), text("sha256"));
    if let (Some(name), Some(path), Some(sha256)) = (name, path, sha256) {
        entries.push(Pin { section, place, name, path, sha256 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(hash: &str) -> String {
        format!(
            r#"{{"version":3,"documents":[{{"name":"ceptra_specification","path":"../docs/specification.md","sha256":"{hash}","document_type":"spec"}}],"children":[]}}"#
        )
    }

    #[test]
    fn hashes_are_accepted_in_every_spelling() {
        let digest = Sha256Digest::of(b"spec");
        for hash in [digest.bare(), digest.prefixed(), digest.bare().to_uppercase()] {
            let manifest = PinManifest::parse(manifest(&hash).as_bytes()).unwrap();
            let pin = &manifest.entries()[0];
            assert_eq!(check(pin, Ok(b"spec")), None);
            assert!(check(pin, Ok(b"drift")).unwrap().message.contains("the file has"));
            assert!(check(pin, Err("no such file")).unwrap().message.contains("no such file"));
        }
    }

    #[test]
    fn an_empty_manifest_lacks_everything() {
        let manifest = PinManifest::parse(b"{}").unwrap();
        assert_eq!(manifest.missing(Section::Documents, &CEPTRA_DOCUMENTS), CEPTRA_DOCUMENTS);
        assert!(PinManifest::parse(b"[]").is_err());
        assert!(PinManifest::parse(b"").is_err());
    }

    #[test]
    fn every_bad_entry_is_named() {
        let text = br#"{"documents":[{"name":"a"},7],"children":{}}"#;
        let problems = PinManifest::parse(text).unwrap_err().0;
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "documents[0].path",
                "documents[0].sha256",
                "documents[1].name",
                "documents[1].path",
                "documents[1].sha256",
                "children"
            ]
        );
    }

    #[test]
    fn updating_changes_hashes_and_nothing_else() {
        let old = PinManifest::parse(manifest(&Sha256Digest::of(b"old").bare()).as_bytes()).unwrap();
        let new = old.updated(|_| Some(Sha256Digest::of(b"new")));
        assert_eq!(check(&new.entries()[0], Ok(b"new")), None);
        let text = new.render();
        assert!(text.starts_with("{\n  \"version\": 3,\n  \"documents\": [\n") && text.ends_with("}\n"), "{text}");
        assert!(text.contains("\"document_type\": \"spec\""));
        assert_eq!(PinManifest::parse(text.as_bytes()).unwrap(), new);
    }

    #[test]
    fn the_pins_of_this_repository_are_whole_and_agree() {
        const CEPTRA: &[u8] = include_bytes!("../../../manifests/ceptra_manifest.json");
        const CONSENSUS_CORE: &[u8] = include_bytes!("../../../manifests/consensus_core_manifest.json");
        let (ceptra, core) = (PinManifest::parse(CEPTRA).unwrap(), PinManifest::parse(CONSENSUS_CORE).unwrap());
        assert!(ceptra.missing(Section::Documents, &CEPTRA_DOCUMENTS).is_empty());
        assert!(core.missing(Section::Documents, &CONSENSUS_CORE_DOCUMENTS).is_empty());
        assert!(core.missing(Section::Children, &CONSENSUS_CORE_CHILDREN).is_empty());
        assert_eq!((ceptra.render().as_bytes(), core.render().as_bytes()), (CEPTRA, CONSENSUS_CORE));
        let child = core.entries().iter().find(|pin| pin.section == Section::Children).unwrap();
        assert_eq!(check(child, Ok(CEPTRA)), None);
        let hash = |manifest: &PinManifest| {
            manifest.entries().iter().find(|pin| pin.name == "clustor_specification").unwrap().sha256.clone()
        };
        assert_eq!(hash(&ceptra), hash(&core));
    }
}
