//! Any TOML, and any bytes: exit 0 or 2 with a message, never a panic, a hang or a started run.

use crate::support::{Desk, root};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fs;

/// Gives a file to every verb that reads one.
fn is_survived(desk: &Desk, bytes: &[u8]) {
    fs::write(desk.path("any.toml"), bytes).unwrap();
    for line in [
        "check any.toml",
        "check any.toml --format json",
        "plan any.toml",
        "plan any.toml --format json",
        "run any.toml --dry-run",
    ] {
        let said = desk.say(line);
        assert!(
            said.code == 0 || said.code == 2,
            "`{line}` ended with {}: {}\n{:?}",
            said.code,
            said.all(),
            String::from_utf8_lossy(bytes)
        );
        assert!(!said.all().is_empty(), "`{line}` said nothing");
        assert!(!said.all().contains("a mistake in ceptra-flow itself"), "{}", said.all());
    }
    assert!(!desk.state().exists(), "something was started");
}

#[test]
fn any_bytes_are_survived() {
    let desk = Desk::new();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(any::<u8>(), 0..400), |bytes| {
        is_survived(&desk, &bytes);
        Ok(())
    });
    outcome.unwrap();
    for bytes in [
        &b""[..],
        b"\xff\xfe",
        b"schema = 1",
        b"[[[[",
        b"schema = 99\n",
        b"\0\0\0",
        "schema = 1\n[runbook]\nname = \"\u{202e}\"".as_bytes(),
    ] {
        is_survived(&desk, bytes);
    }
    is_survived(&desk, "[".repeat(100_000).as_bytes());
    is_survived(&desk, format!("a = {}", "[".repeat(100_000)).as_bytes());
    is_survived(&desk, format!("schema = 1\n[steps.a]\ntype = \"set\"\nwhen = \"{}\"", "(".repeat(50_000)).as_bytes());
}

#[test]
fn a_damaged_runbook_is_survived() {
    let desk = Desk::new();
    let whole = fs::read(root().join("runbooks/catastrophic.toml")).unwrap();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let damage = (any::<prop::sample::Index>(), 0..60_usize, prop::collection::vec(any::<u8>(), 0..12));
    let outcome = TestRunner::new(config).run(&damage, |(at, drop, insert)| {
        let mut bytes = whole.clone();
        let from = at.index(bytes.len());
        let to = (from + drop).min(bytes.len());
        bytes.splice(from..to, insert);
        is_survived(&desk, &bytes);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn rubbish_is_not_run() {
    let desk = Desk::new();
    desk.write("rubbish.toml", "this is no runbook");
    desk.say("run rubbish.toml").exits(2);
    desk.say("run .").exits(2);
    desk.say("run /dev/null").exits(2);
    assert!(!desk.state().exists());
}
