//! Which environment a command acts on, and why that one: the first line of every plan and run.
//!
//! `--target`, else `CEPTRA_FLOW_TARGET`, else `target = "…"` in the nearest `ceptra-flow.toml` above the runbook, else `lab`.
//! A name is looked up as `manifests/targets/NAME.toml` upward from the runbook and from here. Start at [`choose`].

use crate::exit::CommandError;
use crate::files;
use std::path::{Path, PathBuf};

/// The lab's name as a target.
const LAB: &str = "lab";
const CONFIG: &str = "ceptra-flow.toml";

/// A target file that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The file's name as shown.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Who says so, as a sentence's end: `--target says so`.
    pub(crate) why: String,
    /// Whether nobody chose it.
    pub(crate) by_default: bool,
}

/// The target for a runbook.
pub(crate) fn choose(
    flag: Option<&str>,
    variable: Option<&str>,
    runbook: &Path,
    here: &Path,
) -> Result<Chosen, CommandError> {
    let beside = std::path::absolute(runbook).unwrap_or_else(|_| here.join(runbook));
    let beside = beside.parent().unwrap_or(here).to_path_buf();
    if let Some(said) = flag {
        return find(said, "--target says so".into(), here, &beside, here);
    }
    if let Some(said) = variable.filter(|said| !said.is_empty()) {
        return find(said, "CEPTRA_FLOW_TARGET says so".into(), here, &beside, here);
    }
    for dir in beside.ancestors() {
        let path = dir.join(CONFIG);
        if path.is_file() {
            return match configured(&path)? {
                Some(said) => find(&said, format!("{} says so", path.display()), dir, &beside, here),
                None => Ok(nobody_chose(format!("nothing names another (`{}` sets no target)", path.display()))),
            };
        }
    }
    Ok(nobody_chose("nothing names another".into()))
}

/// The built-in lab, for want of anything else.
fn nobody_chose(why: String) -> Chosen {
    Chosen { by_default: true, ..built_in(why) }
}

fn built_in(why: String) -> Chosen {
    Chosen {
        name: "the built-in target `lab`".into(),
        bytes: ceptra_flow_lab::target_toml().into(),
        why,
        by_default: false,
    }
}

/// `target = "…"` of a configuration file.
fn configured(path: &Path) -> Result<Option<String>, CommandError> {
    let bytes = files::read(path)?;
    let wrong = |what: String| {
        CommandError::usage(
            format!("`{}`: {what}", path.display()),
            "it is TOML with at most `target = \"NAME\"`; correct it, or name the target with --target",
        )
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".into()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    match table.get("target") {
        None => Ok(None),
        Some(toml::Value::String(name)) if !name.is_empty() => Ok(Some(name.clone())),
        Some(_) => Err(wrong("`target` must be a name or a file".into())),
    }
}

/// The file that a name or a path means. Relative paths begin at `base`.
fn find(said: &str, why: String, base: &Path, beside: &Path, here: &Path) -> Result<Chosen, CommandError> {
    let is_path = said.contains('/') || Path::new(said).extension().is_some_and(|extension| extension == "toml");
    if is_path {
        let path = base.join(said);
        let bytes = files::read(&path)?;
        return Ok(Chosen { name: files::shown(&path, here), bytes, why, by_default: false });
    }
    if said == LAB {
        return Ok(built_in(why));
    }
    let mut looked = Vec::new();
    for dir in beside.ancestors().chain(here.ancestors()) {
        let path = dir.join("manifests/targets").join(format!("{said}.toml"));
        if path.is_file() {
            return Ok(Chosen { name: files::shown(&path, here), bytes: files::read(&path)?, why, by_default: false });
        }
        if !looked.contains(&path) {
            looked.push(path);
        }
    }
    let known = known_names(&looked);
    Err(CommandError::usage(
        format!("there is no target `{said}` ({why})"),
        format!(
            "a target is a file manifests/targets/{said}.toml above the runbook or this directory, or a path given to --target; known here: {}",
            known.join(", ")
        ),
    ))
}

/// Names of the target files in the directories of these paths, and `lab`.
fn known_names(looked: &[PathBuf]) -> Vec<String> {
    let mut names = vec![LAB.to_owned()];
    for dir in looked.iter().filter_map(|path| path.parent()) {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "toml")
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.push(name.to_owned());
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("ops/runbooks")).unwrap();
        fs::create_dir_all(dir.path().join("manifests/targets")).unwrap();
        fs::write(dir.path().join("manifests/targets/prod-eu.toml"), "prod").unwrap();
        fs::write(dir.path().join("ops/staging.toml"), "staging").unwrap();
        dir
    }

    fn chosen(dir: &Path, flag: Option<&str>, variable: Option<&str>) -> Result<(Vec<u8>, String), String> {
        match choose(flag, variable, &dir.join("ops/runbooks/x.toml"), dir) {
            Ok(chosen) => Ok((chosen.bytes, chosen.why)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_flag_goes_before_the_variable_before_the_file_before_the_lab() {
        let dir = tree();
        let at = dir.path();
        let (bytes, why) = chosen(at, None, None).unwrap();
        assert_eq!(
            (bytes.as_slice(), why.as_str()),
            (ceptra_flow_lab::target_toml().as_bytes(), "nothing names another")
        );

        fs::write(at.join("ops/ceptra-flow.toml"), "target = \"staging.toml\"").unwrap();
        let (bytes, why) = chosen(at, None, Some("")).unwrap();
        assert_eq!(bytes, b"staging");
        assert!(why.ends_with("ops/ceptra-flow.toml says so"), "{why}");

        assert_eq!(chosen(at, None, Some("prod-eu")).unwrap(), (b"prod".to_vec(), "CEPTRA_FLOW_TARGET says so".into()));
        assert_eq!(
            chosen(at, Some("ops/staging.toml"), Some("prod-eu")).unwrap(),
            (b"staging".to_vec(), "--target says so".into())
        );
        assert_eq!(chosen(at, Some("lab"), None).unwrap().0, ceptra_flow_lab::target_toml().as_bytes());
    }

    #[test]
    fn the_nearest_configuration_counts() {
        let dir = tree();
        fs::write(dir.path().join("ceptra-flow.toml"), "target = \"nowhere\"").unwrap();
        fs::write(dir.path().join("ops/ceptra-flow.toml"), "target = \"prod-eu\"").unwrap();
        assert_eq!(chosen(dir.path(), None, None).unwrap().0, b"prod");
        fs::write(dir.path().join("ops/runbooks/ceptra-flow.toml"), "").unwrap();
        assert_eq!(chosen(dir.path(), None, None).unwrap().0, ceptra_flow_lab::target_toml().as_bytes());
    }

    #[test]
    fn a_target_that_is_not_there_is_bad_input() {
        let dir = tree();
        let error = choose(Some("prod-us"), None, &dir.path().join("x.toml"), dir.path()).unwrap_err();
        assert_eq!(crate::exit::exit_of(&error).code(), 2);
        let (message, help) = crate::exit::describe(&error);
        assert_eq!(message, "there is no target `prod-us` (--target says so)");
        assert!(help.unwrap().ends_with("known here: lab, prod-eu"));
        fs::write(dir.path().join("ceptra-flow.toml"), "target = 7").unwrap();
        assert!(chosen(dir.path(), None, None).unwrap_err().contains("must be a name or a file"));
    }
}
