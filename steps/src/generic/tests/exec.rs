//! `exec`: parameters, output, errors.

use super::{SECRET, World, checked};
use crate::error::Aftermath;
use crate::log::Stream;
use crate::process::KEPT_BYTES_MAX;
use crate::{Carried, Work, find};
use ceptra_flow_core::Effect;
use ceptra_flow_core::input::Left;
use serde_json::{Value, json};

#[tokio::test]
async fn text_is_the_default() {
    let world = World::new();
    let output = world.run("exec", json!({ "script": "echo out; echo err >&2" })).await;
    assert_eq!(output, Ok(json!({ "stdout": "out\n", "stderr": "err\n", "exit_code": 0 })));
    assert_eq!((world.log(Stream::Stdout).as_str(), world.log(Stream::Stderr).as_str()), ("out\n", "err\n"));
}

#[tokio::test]
async fn arguments_are_given_as_they_are_without_a_shell() {
    let world = World::new();
    let output = world
        .run("exec", json!({ "command": ["printf", "%s|", "a b", "$HOME", "*", 3, true], "parse": "lines" }))
        .await;
    assert_eq!(output, Ok(json!({ "lines": ["a b|$HOME|*|3|true|"], "exit_code": 0 })));
}

#[tokio::test]
async fn the_environment_tells_who_asks() {
    let world = World::new();
    let script = "env | grep -E '^(CEPTRA_FLOW_|OURS=)' | sort";
    let output = world.run("exec", json!({ "script": script, "env": { "OURS": 7 }, "parse": "lines" })).await.unwrap();
    let expected = [
        "CEPTRA_FLOW_ATTEMPT=2",
        "CEPTRA_FLOW_EPOCH=3",
        "CEPTRA_FLOW_IDEMPOTENCY_KEY=intent-7",
        "CEPTRA_FLOW_KEY=pg-0",
        "CEPTRA_FLOW_RUN=run-1",
        "CEPTRA_FLOW_STEP=work",
        "OURS=7",
    ];
    assert_eq!(output["lines"], json!(expected));
}

#[tokio::test]
async fn directory_and_input() {
    let world = World::new();
    std::fs::create_dir(world.path("sub")).unwrap();
    let here = world.path("sub").canonicalize().unwrap();
    let output = world
        .run("exec", json!({ "script": "pwd -P; cat", "cwd": "sub", "stdin": { "a": 1 }, "parse": "lines" }))
        .await
        .unwrap();
    assert_eq!(output["lines"], json!([here.to_str().unwrap(), r#"{"a":1}"#]));
    let output = world.run("exec", json!({ "command": ["cat"], "stdin": "as it is" })).await.unwrap();
    assert_eq!(output["stdout"], "as it is");
    let output = world.run("exec", json!({ "command": ["cat"] })).await.unwrap();
    assert_eq!(output["stdout"], "", "nothing to read without `stdin`");
    let large = "x".repeat(1_000_000);
    let unread = world.run("exec", json!({ "command": ["true"], "stdin": large })).await;
    assert_eq!(unread.map(|output| output["exit_code"].clone()), Ok(json!(0)));
}

#[tokio::test]
async fn json_is_the_document_on_stdout() {
    let world = World::new();
    let run = |script: &str| world.run("exec", json!({ "script": script, "parse": "json" }));
    assert_eq!(run(r#"echo '{"state": "restored"}'"#).await, Ok(json!({ "state": "restored" })));
    let error = run("echo restored").await.unwrap_err();
    assert_eq!((error.class, error.left), ("parse", Aftermath::Left(Left::Partial)));
    assert!(error.message.contains(r#"it begins with "restored""#), "{error}");
    assert!(run("true").await.unwrap_err().message.contains("it begins with nothing at all"));
    assert_eq!(run("echo 1 2").await.unwrap_err().class, "parse");
}

#[tokio::test]
async fn an_exit_code_is_a_failure_with_the_last_words() {
    let world = World::new();
    let error = world
        .run("exec", json!({ "script": "echo begun; echo 'volume busy' >&2; echo >&2; exit 3" }))
        .await
        .unwrap_err();
    assert_eq!(error.message, "the script exited with 3: volume busy");
    assert_eq!((error.class, error.exit_code, error.left), ("exit", Some(3), Aftermath::Left(Left::Partial)));
    assert_eq!(error.detail.as_deref(), Some(&json!({ "stdout": "begun\n", "stderr": "volume busy\n\n" })));
    let output = world.run("exec", json!({ "script": "exit 3", "ok_codes": [0, 3] })).await.unwrap();
    assert_eq!(output["exit_code"], 3);
    let error = world.run("exec", json!({ "command": ["true"], "ok_codes": [1] })).await.unwrap_err();
    assert_eq!(error.exit_code, Some(0));
}

#[tokio::test]
async fn a_script_stops_at_its_first_error_and_at_unknown_names() {
    let world = World::new();
    let error = world.run("exec", json!({ "script": "false\necho on" })).await.unwrap_err();
    assert_eq!((error.class, world.log(Stream::Stdout).as_str()), ("exit", ""));
    assert_eq!(world.run("exec", json!({ "script": "echo $NO_SUCH_NAME_HERE" })).await.unwrap_err().class, "exit");
    let output = world.run("exec", json!({ "script": "false\necho on", "shell": ["/bin/sh", "-c"] })).await.unwrap();
    assert_eq!(output["stdout"], "on\n");
    let error = world.run("exec", json!({ "script": "false\necho on", "shell": "sh" })).await.unwrap_err();
    assert_eq!(error.class, "exit");
}

#[tokio::test]
async fn what_cannot_be_started_has_done_nothing_and_says_why() {
    let world = World::new();
    let plain = world.write("plain", "no program");
    let orphan = world.write("orphan", "#!/no/such/interpreter\n");
    std::process::Command::new("chmod").args(["+x", orphan.to_str().unwrap()]).status().unwrap();
    let cases = [
        (json!({ "command": ["no-such-program-here"] }), "there is no such program in PATH"),
        (json!({ "command": ["/no/such/program"] }), "/no/such/program does not exist"),
        (json!({ "command": ["./nothing"] }), "does not exist"),
        (json!({ "command": [plain.to_str().unwrap()] }), "it is not executable"),
        (
            json!({ "command": [orphan.to_str().unwrap()] }),
            "the program named in its first line (`#!…`) does not exist",
        ),
        (json!({ "command": ["true"], "cwd": "no/such/dir" }), "no/such/dir does not exist"),
        (json!({ "command": ["true", "x".repeat(3_000_000)] }), "longer than the system allows"),
    ];
    for (with, why) in cases {
        let error = world.run("exec", with).await.unwrap_err();
        assert_eq!((error.class, error.left), ("spawn", Aftermath::Left(Left::Nothing)), "{error}");
        assert!(error.message.contains(why), "{error}");
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let world = World::new();
    let cases = [
        (json!({}), "give either `command` or `script`"),
        (json!({ "command": [] }), "`command` names no program"),
        (json!({ "command": [""] }), "`command` names no program"),
        (json!({ "command": ["a\u{0}b"] }), "NUL"),
        (json!({ "command": [["a"]] }), "`with.command[0]` is a list"),
        (json!({ "command": ["a"], "env": { "A=B": "c" } }), "`A=B`"),
        (json!({ "command": ["a"], "env": { "A": [] } }), "`with.env.A` is a list"),
        (json!({ "command": ["a"], "grace": "soon" }), "`soon` is no duration"),
        (json!({ "command": ["a"], "parse": "yaml" }), "`yaml`, but should be one of text, json, lines"),
        (json!({ "command": ["a"], "comand": 1 }), "`with.comand` is not a parameter"),
    ];
    for (with, what) in cases {
        let error = world.run("exec", with).await.unwrap_err();
        assert_eq!(error.class, "parameter");
        assert!(error.message.contains(what), "{error}");
    }
}

#[test]
fn check_finds_what_shapes_cannot() {
    let cases = [
        (json!({}), "command: there is nothing to run"),
        (json!({ "command": ["a"], "script": "b" }), "script: both `command` and `script` are given"),
        (json!({ "command": [] }), "command: the list is empty"),
        (json!({ "command": ["restore-volumes --all"] }), "command: one text with spaces is one program's name"),
        (json!({ "command": ["a"], "shell": "sh" }), "shell: `shell` is for `script`, and there is none"),
        (json!({ "script": "a", "shell": [] }), "shell: the list is empty"),
        (json!({ "command": ["a"], "ok_codes": [] }), "ok_codes: the list is empty, so nothing could succeed"),
        (
            json!({ "script": "x".repeat(200_000) }),
            "script: it is longer than 128 KiB, which no system accepts as an argument",
        ),
    ];
    for (with, expected) in cases {
        assert_eq!(checked("exec", &with), [expected]);
    }
    assert_eq!(checked("exec", &json!({ "command": ["{{ inputs.a }} b"] })), [""; 0]);
}

#[tokio::test]
async fn what_it_creates_proves_that_it_was_done() {
    let world = World::new();
    let with = json!({ "script": "echo ran >> runs; touch sub/done", "creates": "sub/done" });
    let error = world.run("exec", json!({ "script": "echo ran >> runs", "creates": "sub/done" })).await.unwrap_err();
    assert_eq!((error.class, error.left), ("creates", Aftermath::Left(Left::Partial)));
    let missing = world.path("sub/done").display().to_string();
    assert_eq!(
        world.carry_out("exec", Work::Probe, with.clone()).await,
        Ok(Carried::NotDone(json!({ "missing": missing })))
    );

    std::fs::create_dir(world.path("sub")).unwrap();
    let done = json!({ "stdout": "", "stderr": "", "exit_code": 0 });
    for _ in 0..2 {
        assert_eq!(world.run("exec", with.clone()).await, Ok(done.clone()));
    }
    assert_eq!(
        std::fs::read_to_string(world.path("runs")).unwrap(),
        "ran\nran\n",
        "once for the first attempt, once for the rest"
    );
    assert_eq!(world.carry_out("exec", Work::Probe, with).await, Ok(Carried::Done(done)));
    let error = world.carry_out("exec", Work::Probe, json!({ "command": ["true"] })).await.unwrap_err();
    assert_eq!(error.class, "unsupported");
}

#[test]
fn its_effect_is_once_unless_a_path_proves_it() {
    let exec = find("exec").unwrap().describe();
    let effect = |with: &Value| ((exec.effect)(with), (exec.probes)(with));
    assert_eq!(effect(&json!({ "command": ["a"] })), (Effect::Once, false));
    assert_eq!(effect(&json!({ "command": ["a"], "creates": "b" })), (Effect::Probe, true));
}

#[tokio::test]
async fn only_the_end_of_a_long_output_is_kept_and_said_to_be_cut() {
    let world = World::new();
    let script = format!("head -c {} /dev/zero | tr '\\0' a; echo end", KEPT_BYTES_MAX);
    let output = world.run("exec", json!({ "script": script })).await.unwrap();
    assert_eq!((output["cut"].clone(), output["stdout"].as_str().unwrap().len()), (json!(4), KEPT_BYTES_MAX));
    assert!(output["stdout"].as_str().unwrap().ends_with("aend\n"));
    assert_eq!(world.log(Stream::Stdout).len(), KEPT_BYTES_MAX + 4);
    let error = world.run("exec", json!({ "script": script, "parse": "json" })).await.unwrap_err();
    assert!(error.message.contains("more than the 8 MiB"), "{error}");
}

#[tokio::test]
async fn a_secret_reaches_neither_output_nor_failure_nor_log() {
    let world = World::new();
    let script = "printf hunter; printf '%s\\n' 2-and-more; printf %s \"$TOKEN\" | base64 >&2; exit ${CODE}";
    for code in [0, 1] {
        let env = json!({ "TOKEN": SECRET, "CODE": code });
        let result = format!("{:?}", world.run("exec", json!({ "script": script, "env": env })).await);
        assert!(result.contains("***") && !result.contains(SECRET) && !result.contains("aHVudGVy"), "{result}");
    }
    assert_eq!(world.log(Stream::Stdout), "***\n***\n");
    assert_eq!(world.log(Stream::Stderr), "***\n***\n");

    // Where only the beginning or the end is shown, no half of a secret is.
    let begin = "printf '%0190d%s' 0 \"$TOKEN\"";
    let end = "printf '%s%04090d' \"$TOKEN\" 0; exit 1";
    for script in [begin, end] {
        let with = json!({ "script": script, "env": { "TOKEN": SECRET }, "parse": "json" });
        let error = format!("{:?}", world.run("exec", with).await.unwrap_err());
        assert!(!error.contains("hunter") && !error.contains("more"), "{error}");
    }
}
