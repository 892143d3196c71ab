//! The record: tampered with, full, newer, unwritable. Exit 5 in plain words, or `audit` that names the event.

use crate::support::Desk;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn finished() -> Desk {
    let desk = Desk::new();
    desk.runbook("three", "[steps.a]\ntype = \"set\"\n[steps.b]\ntype = \"set\"\nneeds = [\"a\"]\n[steps.c]\ntype = \"set\"\nneeds = [\"b\"]\n");
    desk.say("run three.toml").exits(0);
    desk
}

fn tampered(sql: &str) -> Desk {
    let desk = finished();
    let journal = Connection::open(desk.run_dir().join("journal.db")).unwrap();
    let triggers: Vec<String> = journal
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        journal.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).unwrap();
    }
    journal.execute_batch(sql).unwrap();
    desk
}

#[test]
fn events_cannot_be_changed_without_dropping_the_triggers() {
    let desk = finished();
    let journal = Connection::open(desk.run_dir().join("journal.db")).unwrap();
    assert!(journal.execute("UPDATE events SET at = 0 WHERE seq = 2", []).is_err());
    assert!(journal.execute("DELETE FROM events WHERE seq = 2", []).is_err());
}

#[test]
fn audit_names_a_changed_event() {
    let desk = tampered("UPDATE events SET payload = replace(payload, 'a', 'b') WHERE seq = 4");
    desk.say("audit").exits(1).says("4");
}

#[test]
fn audit_names_a_dropped_event() {
    let desk = tampered("DELETE FROM events WHERE seq = 3");
    desk.say("audit").exits(1).says("3");
}

#[test]
fn audit_names_swapped_events() {
    let desk = tampered(
        "UPDATE events SET seq = 1000 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = 5; UPDATE events SET seq = 5 WHERE seq = 1000",
    );
    desk.say("audit").exits(1).says("4");
}

#[test]
fn audit_names_a_cut_tail() {
    let desk = tampered("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)");
    desk.say("audit").exits(1);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let desk = tampered("PRAGMA user_version = 99");
    desk.say("resume").exits(5).says("99");
}

#[test]
fn a_corrupt_journal_is_exit_5_and_left_as_it_is() {
    let desk = finished();
    let path = desk.run_dir().join("journal.db");
    let run = desk.show()["run"].as_str().unwrap().to_owned();
    let mut bytes = fs::read(&path).unwrap();
    bytes.iter_mut().skip(100).step_by(7).for_each(|byte| *byte ^= 0x5a);
    fs::write(&path, &bytes).unwrap();
    desk.flow(["resume", &run]).exits(5);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_state_directory_that_is_a_file_is_exit_5() {
    let desk = Desk::new();
    desk.write("state", "in the way");
    desk.runbook("one", "[steps.a]\ntype = \"exec\"\nwith = { command = [\"sh\", \"-c\", \"echo a >> trace\"] }\n");
    desk.say("run one.toml").exits(5).says("state");
    assert_eq!(desk.read("trace"), "");
}

#[test]
fn an_unwritable_state_directory_is_exit_5() {
    let desk = Desk::new();
    desk.runbook("one", "[steps.a]\ntype = \"exec\"\nwith = { command = [\"sh\", \"-c\", \"echo a >> trace\"] }\n");
    fs::create_dir(desk.state()).unwrap();
    fs::set_permissions(desk.state(), fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write anywhere, so for root the directory is one that nobody can write to.
    // SAFETY: asks who runs the test; changes nothing.
    let store = if unsafe { libc::geteuid() } == 0 {
        "/proc/ceptra-flow-state".into()
    } else {
        desk.state().display().to_string()
    };
    desk.flow(["run", "one.toml", "--state", &store]).exits(5);
    assert_eq!(desk.read("trace"), "");
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let desk = Desk::new();
    let steps: String = (0..400)
        .map(|at| {
            let needs = if at == 0 { String::new() } else { format!("needs = [\"s{}\"]\n", at - 1) };
            format!(
                "[steps.s{at}]\ntype = \"set\"\neffect = \"idempotent\"\n{needs}with = {{ text = \"{}\" }}\n",
                "x".repeat(2000)
            )
        })
        .collect();
    desk.runbook("long", &steps);
    // A limit on the size of any file is to SQLite what a full disk is: a write that fails.
    let line = format!("ulimit -f 1400; exec {} run long.toml", env!("CARGO_BIN_EXE_ceptra-flow"));
    let output = desk.command(["unused"]);
    let envs: Vec<_> = output.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &line]).current_dir(desk.dir()).env_clear();
    for (key, value) in envs {
        shell.env(key, value.unwrap_or_default());
    }
    let said = crate::support::said(shell.output().unwrap());
    assert_eq!(said.code, 5, "{}", said.all());
    let done = desk.show()["steps"].as_array().unwrap().iter().filter(|step| step["status"] == "done").count();
    assert!(done > 0 && done < 400, "{done} steps are done");
    desk.say("audit").exits(0);
    desk.say("resume").exits(0);
}
