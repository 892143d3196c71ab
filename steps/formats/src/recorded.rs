//! Cases recorded from the released `dr_cutover` and `bootstrapper`, where they lie beside this workspace.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use std::path::Path;
use std::{eprintln, fs};

use serde::Deserialize;

use crate::bootstrap::{self, Spec};
use crate::dr_plan::DrPlan;

#[derive(Deserialize)]
struct Case {
    case: String,
    args: Vec<String>,
    exit: i32,
    stdout: String,
    stderr: String,
    #[serde(default)]
    input: Option<String>,
}

/// Cases that name a file and have its content.
fn cases(file: &str) -> Vec<(Case, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    let Ok(text) = fs::read_to_string(path) else {
        eprintln!("skipped: the recorded cases are not beside this workspace");
        return Vec::new();
    };
    let parsed = text.lines().map(|line| serde_json::from_str::<Case>(line).unwrap());
    parsed.filter_map(|mut case| case.input.take().map(|input| (case, input))).collect()
}

#[test]
fn dr_cutover_is_matched_byte_for_byte() {
    for (case, input) in cases("dr_cutover.jsonl") {
        let [command @ ("run" | "validate"), path] = case.args.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            continue;
        };
        if path != "plan.json" {
            continue;
        }
        let (exit, stdout, stderr) = match DrPlan::parse_as_released(input.as_bytes()) {
            Err(_) => (1, String::new(), format!("error: failed to parse plan {path}\n")),
            Ok(plan) => match plan.validate_as_released() {
                Err(refusal) => (1, String::new(), format!("error: {refusal}\n")),
                Ok(()) if command == "run" => (0, plan.report().render(), String::new()),
                Ok(()) => (0, format!("{}\n", plan.summary()), String::new()),
            },
        };
        assert_eq!((exit, &stdout, &stderr), (case.exit, &case.stdout, &case.stderr), "{}", case.case);
    }
}

#[test]
fn strict_mode_accepts_no_plan_that_dr_cutover_refuses() {
    for (case, input) in cases("dr_cutover.jsonl") {
        let strict = DrPlan::parse(input.as_bytes()).map_err(|problems| problems.to_string());
        let strict = strict.and_then(|(plan, _)| plan.validate().map_err(|refusal| refusal.to_string()));
        let named = case.args.get(1).is_some_and(|path| path == "plan.json");
        assert!(strict.is_err() || case.exit == 0 || !named, "{}", case.case);
    }
}

#[test]
fn bootstrapper_is_matched_byte_for_byte() {
    for (case, input) in cases("bootstrapper.jsonl") {
        let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
        let spec = serde_json::from_str::<Spec>(&input);
        let printed = match (args.as_slice(), &spec) {
            (["plan", _], Ok(spec)) => serde_json::to_string_pretty(&bootstrap::plan(spec)).unwrap(),
            (["pre-stop", _, pod, leader, epoch], Ok(spec)) => {
                let Ok(epoch) = epoch.parse() else { continue };
                serde_json::to_string_pretty(&bootstrap::pre_stop_as_released(spec, pod, leader, epoch)).unwrap()
            }
            (["plan", _] | ["pre-stop", ..], Err(_)) => {
                assert_eq!((case.exit, case.stderr.as_str()), (1, "error: failed to parse spec\n"), "{}", case.case);
                continue;
            }
            _ => continue,
        };
        assert_eq!((case.exit, case.stdout), (0, printed.to_string() + "\n"), "{}", case.case);
    }
}
