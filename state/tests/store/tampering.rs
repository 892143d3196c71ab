//! Somebody with a database tool changes what happened; the audit says what they did.

use crate::{go_on, run_of, store, who};
use ceptra_flow_state::chain::Hash;
use ceptra_flow_state::{BreakKind, Journal as _, ReadError, Reader, Store, audit};
use expect_test::{Expect, expect};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// A journal of 8 events in two epochs, ended in good order, its head signed.
fn ended(store: &Store, signed: bool) -> PathBuf {
    let owned = run_of(store, 4);
    let (run, dir) = (owned.run().clone(), owned.dir().to_path_buf());
    drop(owned);
    let mut owned = store.open_run(&run, &who("bob")).unwrap();
    go_on(&mut owned, 4);
    let signer = store.signer().unwrap();
    owned.close(signed.then_some(&signer)).unwrap();
    assert!(audit(&dir, None).unwrap().is_whole());
    dir
}

/// The journal in the hands of somebody else; what they do need not outlive the power.
fn tool(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    connection.pragma_update(None, "synchronous", 0).unwrap();
    connection
}

/// Drops the triggers, does the deed, and puts the triggers back.
fn tamper(dir: &Path, sql: &str) {
    let connection = tool(dir);
    let triggers: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &triggers {
        connection.execute(&format!("DROP TRIGGER {name}"), []).unwrap();
    }
    connection.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        connection.execute(sql, []).unwrap();
    }
}

/// Changes an event and makes its hash fit, and those of all later events, as somebody who knows the format can.
pub(crate) fn rewrite(dir: &Path, seq: i64, change: &str) {
    tamper(dir, &format!("UPDATE events SET {change} WHERE seq = {seq}"));
    rehash(dir, seq, i64::MAX);
}

/// Makes the hashes of events from `first` to `last` fit. The canonical bytes are spelt out anew here, from the documentation.
fn rehash(dir: &Path, first: i64, last: i64) {
    let connection = tool(dir);
    let mut statement = connection
        .prepare("SELECT seq, epoch, at, run, step, kind, payload FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")
        .unwrap();
    let mut prev: Option<[u8; 32]> =
        connection.query_row("SELECT hash FROM events WHERE seq = ?1", [first - 1], |row| row.get(0)).ok();
    let mut updates = String::new();
    let mut rows = statement.query(params![first, last]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let mut bytes = prev.unwrap_or_default().to_vec();
        for column in 0..3 {
            bytes.extend(row.get::<_, i64>(column).unwrap().to_be_bytes());
        }
        for column in 3..7 {
            match row.get::<_, Option<String>>(column).unwrap() {
                Some(text) => {
                    bytes.extend((text.len() as u64).to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
                None => bytes.extend([0xff; 8]),
            }
        }
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let seq: i64 = row.get(0).unwrap();
        updates += &format!(
            "UPDATE events SET prev_hash = x'{}', hash = x'{}' WHERE seq = {seq};",
            Hash(prev.unwrap_or_default()),
            Hash(hash)
        );
        prev = Some(hash);
    }
    drop(rows);
    drop(statement);
    drop(connection);
    tamper(dir, &updates);
}

fn check(deed: impl FnOnce(&Path), expected: Expect) {
    let (_outer, store) = store();
    check_in(&ended(&store, false), deed, expected);
}

fn check_in(dir: &Path, deed: impl FnOnce(&Path), expected: Expect) {
    deed(dir);
    let report = audit(dir, None).unwrap();
    let mut said = String::new();
    for found in &report.breaks {
        let kind = serde_json::to_string(&found.kind).unwrap();
        said += &format!(
            "{} {}: {}\n",
            found.seq.map_or("-".into(), |seq| seq.0.to_string()),
            kind.trim_matches('"'),
            found.what
        );
    }
    let run = dir.file_name().unwrap().to_str().unwrap();
    expected.assert_eq(&said.replace(run, "RUN"));
}

#[test]
fn a_changed_event_is_named() {
    check(
        |dir| tamper(dir, "UPDATE events SET payload = replace(payload, 'note 3', 'note x') WHERE seq = 3"),
        expect![[r#"
        3 changed: event 3 was changed: its content is not what its hash covers
    "#]],
    );
    check(
        |dir| tamper(dir, "UPDATE events SET at = at + 1 WHERE seq = 8"),
        expect![[r#"
        8 changed: event 8 was changed: its content is not what its hash covers
    "#]],
    );
    check(
        |dir| tamper(dir, "UPDATE events SET hash = zeroblob(32) WHERE seq = 5"),
        expect![[r#"
        5 changed: event 5 was changed: its content is not what its hash covers
    "#]],
    );
    check(
        |dir| tamper(dir, "UPDATE events SET hash = x'00' WHERE seq = 5"),
        expect![[r#"
        5 changed: event 5 was changed: a hash in it has not 32 bytes
    "#]],
    );
}

#[test]
fn every_column_of_every_event_is_covered() {
    let (_outer, store) = store();
    let dir = ended(&store, false);
    let whole = fs::read(dir.join("journal.db")).unwrap();
    for seq in 1..=8 {
        for change in [
            "run = run || 'x'",
            "step = 'x'",
            "kind = 'run_paused'",
            "payload = payload || ' '",
            "at = at + 1",
            "epoch = epoch + 1",
        ] {
            fs::write(dir.join("journal.db"), &whole).unwrap();
            tamper(&dir, &format!("UPDATE events SET {change} WHERE seq = {seq}"));
            let report = audit(&dir, None).unwrap();
            assert!(
                report
                    .breaks
                    .iter()
                    .any(|found| found.seq.is_some_and(|at| at.0 == seq) && found.kind == BreakKind::Changed),
                "{change} {seq}: {:?}",
                report.breaks
            );
            let read: Result<Vec<_>, ReadError> = Reader::open(&dir).unwrap().records().collect();
            assert!(matches!(read, Err(ReadError::Broken { seq: at, .. }) if at.0 == seq), "{change} {seq}");
        }
    }
}

#[test]
fn a_dropped_event_is_named() {
    check(
        |dir| tamper(dir, "DELETE FROM events WHERE seq = 3"),
        expect![[r#"
        3 dropped: event 3 is missing
    "#]],
    );
    check(
        |dir| tamper(dir, "DELETE FROM events WHERE seq IN (1, 5, 6)"),
        expect![[r#"
        1 dropped: event 1 is missing
        5 dropped: events 5 to 6 are missing
    "#]],
    );
    check(
        |dir| tamper(dir, "DELETE FROM events WHERE seq = 8"),
        expect![[r#"
        8 truncated: event 8 is missing at the end: the journal knows of event 8
    "#]],
    );
    check(
        |dir| tamper(dir, "DELETE FROM events"),
        expect![[r#"
        1 truncated: events 1 to 8 are missing at the end: the journal knows of event 8
    "#]],
    );
    // The numbers closed up again.
    let close_up = "DELETE FROM events WHERE seq = 6; UPDATE events SET seq = 6 WHERE seq = 7; UPDATE events SET seq = 7 WHERE seq = 8";
    check(
        |dir| tamper(dir, close_up),
        expect![[r#"
        6 moved: event 6 was event 7 when it was written
        7 moved: event 7 was event 8 when it was written
        8 truncated: event 8 is missing at the end: the journal knows of event 8
    "#]],
    );
}

#[test]
fn swapped_events_are_named() {
    let whole_rows = "UPDATE events SET seq = 99 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 5; UPDATE events SET seq = 5 WHERE seq = 99";
    check(
        |dir| tamper(dir, whole_rows),
        expect![[r#"
        3 moved: event 3 was event 5 when it was written
        4 epoch_fell: event 4 is of epoch 1, but epoch 2 had begun
        5 epoch_fell: event 5 is of epoch 1, but epoch 2 had begun
        5 moved: event 5 was event 3 when it was written
    "#]],
    );
    let contents = "CREATE TEMP TABLE kept AS SELECT * FROM events WHERE seq IN (3, 4);
        UPDATE events SET (at, payload) = (SELECT at, payload FROM kept WHERE kept.seq = 7 - events.seq) WHERE seq IN (3, 4)";
    check(
        |dir| tamper(dir, contents),
        expect![[r#"
        3 moved: event 3 was event 4 when it was written
        4 moved: event 4 was event 3 when it was written
    "#]],
    );
}

#[test]
fn a_repeated_event_is_named() {
    let again =
        "INSERT INTO events SELECT 9, run, step, kind, payload, at, epoch, prev_hash, hash FROM events WHERE seq = 3";
    check(
        |dir| tamper(dir, again),
        expect![[r#"
        9 epoch_fell: event 9 is of epoch 1, but epoch 2 had begun
        9 duplicated: event 9 is a copy of event 3
    "#]],
    );
}

#[test]
fn an_event_replaced_with_its_hash_is_named() {
    let deed = |dir: &Path| {
        tamper(dir, "UPDATE events SET payload = replace(payload, 'note 3', 'note x') WHERE seq = 3");
        rehash(dir, 3, 3);
    };
    check(
        deed,
        expect![[r#"
        3 replaced: event 3 was replaced as a whole: event 4 was written after another one
    "#]],
    );
}

#[test]
fn a_tail_replaced_with_all_its_hashes_is_named() {
    check(
        |dir| rewrite(dir, 6, "payload = replace(payload, 'note 6', 'note x')"),
        expect![[r#"
        8 replaced: event 8 is not the one that the journal knows of
    "#]],
    );
    // Also what the journal itself notes; then only a signature tells.
    let deed = |dir: &Path| {
        rewrite(dir, 6, "payload = replace(payload, 'note 6', 'note x')");
        tamper(dir, "UPDATE epoch SET noted_hash = (SELECT hash FROM events WHERE seq = 8)");
    };
    check(deed, expect![[""]]);
    let (_outer, store) = store();
    check_in(
        &ended(&store, true),
        deed,
        expect![[r#"
        8 replaced: event 8 is not the one that the signed head beside the journal knows of
    "#]],
    );
}

#[test]
fn an_epoch_that_falls_is_named() {
    check(
        |dir| rewrite(dir, 7, "epoch = 1"),
        expect![[r#"
        7 epoch_fell: event 7 is of epoch 1, but epoch 2 had begun
        8 replaced: event 8 is not the one that the journal knows of
    "#]],
    );
}

#[test]
fn a_plan_that_is_not_the_pinned_one_is_named() {
    check(
        |dir| rewrite(dir, 1, "payload = replace(payload, '[]', '[ ]')"),
        expect![[r#"
        1 plan_digest: the plan in event 1 is not the one with digest 4430e7786edc0f8419f02e909c15422ebf572287a58132d8f6f33250ce053121
        8 replaced: event 8 is not the one that the journal knows of
    "#]],
    );
}

#[test]
fn an_event_that_says_nothing_known_is_named() {
    check(
        |dir| rewrite(dir, 4, "kind = 'note_taken'"),
        expect![[r#"
        4 undecodable: event 4 cannot be read: no event kind is called `note_taken` in this version
        8 replaced: event 8 is not the one that the journal knows of
    "#]],
    );
}

#[test]
fn missing_and_foreign_parts_of_the_schema_are_named() {
    let deed = |dir: &Path| {
        let connection = tool(dir);
        connection.execute_batch("DROP TRIGGER events_are_not_changed; CREATE TABLE extra (x)").unwrap();
    };
    check(
        deed,
        expect![[r#"
        - schema: the trigger `events_are_not_changed` is missing or altered
        - schema: the table `extra` is not one of a journal
    "#]],
    );
}

#[test]
fn a_signature_is_compared_with_the_journal_it_came_from() {
    let (_outer, store) = store();
    let dir = ended(&store, true);
    let report = audit(&dir, None).unwrap();
    assert_eq!(report.signed_by.as_deref(), Some(store.signer().unwrap().public_key().as_str()));
    assert_eq!(report.signed_seq.unwrap().0, 8);

    let other = ended(&store, true);
    fs::copy(other.join("head.json"), dir.join("head.json")).unwrap();
    assert_eq!(audit(&dir, None).unwrap().breaks[0].kind, BreakKind::Signature);
    fs::write(dir.join("head.json"), "{}").unwrap();
    assert_eq!(audit(&dir, None).unwrap().breaks[0].kind, BreakKind::Signature);

    // Given from outside: a tail that was cut, whatever lies beside the journal now says.
    fs::remove_file(dir.join("head.json")).unwrap();
    let run = ceptra_flow_state::RunId::parse(dir.file_name().unwrap().to_str().unwrap()).unwrap();
    let owned = store.open_run(&run, &who("ada")).unwrap();
    let signature = store.signer().unwrap().sign_head(&run, owned.head());
    drop(owned);
    assert!(audit(&dir, Some(&signature)).unwrap().is_whole());
    tamper(
        &dir,
        "DELETE FROM events WHERE seq > 6; UPDATE epoch SET noted_seq = 6, noted_hash = (SELECT hash FROM events WHERE seq = 6)",
    );
    let breaks = audit(&dir, Some(&signature)).unwrap().breaks;
    assert_eq!((breaks.len(), breaks[0].kind, breaks[0].seq.unwrap().0), (1, BreakKind::Truncated, 7));
}

/// The script in docs/reference/journal.md agrees with us. Skipped where there is no Python with a SQLite of this decade.
#[test]
fn a_third_party_can_check_the_chain_with_the_documented_script() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/journal.md")).unwrap();
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let (_outer, store) = store();
    let dir = ended(&store, false);
    let run =
        |script: &str| std::process::Command::new("python3").args(["-c", script]).arg(dir.join("journal.db")).output();
    let probe = run("import sqlite3; assert sqlite3.sqlite_version_info >= (3, 37)");
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: no python3 with SQLite 3.37 or later here");
        return;
    }
    let said = String::from_utf8(run(script).unwrap().stdout).unwrap();
    assert_eq!(said, format!("8 events, head {}\n", audit(&dir, None).unwrap().head_hash));
    tamper(&dir, "UPDATE events SET at = at + 1 WHERE seq = 5");
    let said = String::from_utf8(run(script).unwrap().stderr).unwrap();
    assert_eq!(said, "event 5 was changed, moved or comes after a gap\n");
}
