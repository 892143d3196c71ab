//! A secret's value is nowhere but in the process that needs it.

use crate::support::Desk;
use std::fs;
use std::path::Path;

const SECRET: &str = "Tr0ub4dor&3-correct";

#[test]
fn a_secret_is_in_no_file_and_on_no_screen() {
    let desk = Desk::new();
    desk.runbook(
        "hidden",
        r#"
[inputs.token]
type = "string"
secret = true
from = { env = "OPS_TOKEN" }
[steps.use]
type = "exec"
with = { command = ["sh", "-c", "echo got $TOKEN; echo $TOKEN >&2; printf %s $TOKEN | wc -c >> trace; printf %s $TOKEN | base64"], env = { TOKEN = "{{ inputs.token }}" } }
[steps.fail]
type = "exec"
needs = ["use"]
on_failure = "continue"
with = { script = "echo wrong $TOKEN >&2; exit 1", env = { TOKEN = "{{ inputs.token }}" } }
"#,
    );
    let run = |line: &str| {
        let mut command = desk.command(line.split_whitespace());
        crate::support::said(command.env("OPS_TOKEN", SECRET).output().unwrap())
    };
    let mut shown = run("plan hidden.toml").exits(0).all();
    shown += &run("plan hidden.toml --format json").exits(0).all();
    shown += &run("run hidden.toml --events events.jsonl --output json").exits(1).all();
    assert_eq!(desk.read("trace").trim(), SECRET.len().to_string());
    for line in
        ["show --output json", "show", "report --format json", "report --format markdown", "runs", "audit", "doctor"]
    {
        shown += &run(line).all();
    }
    let run_id = desk.show()["run"].as_str().unwrap().to_owned();
    shown += &run(&format!("logs {run_id}")).all();
    assert!(shown.contains("got ***"), "{shown}");
    let base64 = "VHIwdWI0ZG9yJjMtY29ycmVjdA";
    assert!(!shown.contains(SECRET) && !shown.contains(base64), "{shown}");
    search(desk.dir(), &[SECRET.as_bytes(), base64.as_bytes()]);
}

fn search(dir: &Path, secrets: &[&[u8]]) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, secrets);
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == *secret);
            assert!(!found, "the secret is in {}", path.display());
        }
    }
}

#[test]
fn a_secret_may_not_stand_where_others_can_see_it() {
    let desk = Desk::new();
    desk.runbook(
        "seen",
        "[inputs.token]\ntype = \"string\"\nsecret = true\nfrom = { env = \"OPS_TOKEN\" }\n[steps.a]\ntype = \"exec\"\nwith = { command = [\"echo\", \"{{ inputs.token }}\"] }\n",
    );
    desk.say("check seen.toml").exits(2).says("token");
}

#[test]
fn a_secret_may_not_be_stored() {
    let desk = Desk::new();
    let head = "[inputs.token]\ntype = \"string\"\nsecret = true\nfrom = { env = \"OPS_TOKEN\" }\n";
    desk.runbook("kept", &format!("{head}[steps.a]\ntype = \"set\"\nwith = {{ text = \"{{{{ inputs.token }}}}\" }}\n"));
    desk.say("check kept.toml").exits(2).says("token");
}

#[test]
fn a_missing_secret_is_said_before_anything_starts() {
    let desk = Desk::new();
    desk.runbook(
        "absent",
        "[inputs.token]\ntype = \"string\"\nsecret = true\nfrom = { env = \"OPS_TOKEN\" }\n[steps.a]\ntype = \"exec\"\nwith = { command = [\"true\"], env = { T = \"{{ inputs.token }}\" } }\n",
    );
    desk.say("run absent.toml").exits(2).says("OPS_TOKEN");
}
