//! Disks that are full, files that are damaged, versions that are newer.

use crate::{run_of, started, store, who};
use ceptra_flow_core::ids::Epoch;
use ceptra_flow_state::conformance::note;
use ceptra_flow_state::{
    AppendError, BreakKind, Journal as _, OpenError, ReadError, Reader, RunId, Store, StoreError, audit,
};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A run that ended, its directory, and its id.
fn ended(store: &Store, count: u64) -> (RunId, std::path::PathBuf) {
    let owned = run_of(store, count);
    let (run, dir) = (owned.run().clone(), owned.dir().to_path_buf());
    owned.close(None).unwrap();
    (run, dir)
}

fn open_error(store: &Store, run: &RunId) -> StoreError {
    match store.open_run(run, &who("ada")).unwrap_err() {
        OpenError::Store(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_version_is_named_and_left_alone() {
    let (_dir, store) = store();
    let (run, dir) = ended(&store, 2);
    Connection::open(dir.join("journal.db")).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let before = fs::read(dir.join("journal.db")).unwrap();
    for error in [open_error(&store, &run), store.read_run(&run).unwrap_err(), audit(&dir, None).unwrap_err()] {
        assert!(matches!(error, StoreError::NewerFormat { found: 7, known: 1, .. }), "{error:?}");
        assert!(
            error.to_string().contains("has format version 7, but this ceptra-flow knows versions up to 1"),
            "{error}"
        );
    }
    assert_eq!(fs::read(dir.join("journal.db")).unwrap(), before);
    assert_eq!(store.runs().unwrap(), [run], "it is listed, so that somebody can look at it");
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let (_dir, store) = store();
    let (run, dir) = ended(&store, 2);
    let file = dir.join("journal.db");
    let foreign = dir.join("foreign.db");
    Connection::open(&foreign).unwrap().execute("CREATE TABLE events (seq INTEGER)", []).unwrap();
    let cases: [(Vec<u8>, &str); 3] = [
        (b"no database at all, but long enough to have a header of one hundred bytes, which is what SQLite looks for".repeat(9), "it is no SQLite database"),
        (fs::read(&foreign).unwrap(), "another program made this database"),
        (Vec::new(), "it is empty, its run never began"),
    ];
    for (bytes, what) in cases {
        fs::write(&file, &bytes).unwrap();
        for error in [open_error(&store, &run), store.read_run(&run).unwrap_err()] {
            assert!(matches!(error, StoreError::NotAJournal { .. }), "{error:?}");
            assert!(error.to_string().contains(what), "{error}");
        }
        assert_eq!(fs::read(&file).unwrap(), bytes, "it is left as it was");
    }
}

#[test]
fn damage_anywhere_is_an_error_and_never_a_shorter_run() {
    let (_dir, store) = store();
    let (run, dir) = ended(&store, 60);
    let file = dir.join("journal.db");
    let whole = fs::read(&file).unwrap();
    let check = |what: &str| {
        let read = store
            .read_run(&run)
            .map_err(ReadError::from)
            .and_then(|mut reader| reader.records().collect::<Result<Vec<_>, _>>());
        // Bytes that no event uses may be anything.
        let unharmed = read.as_ref().is_ok_and(|records| records.len() == 60);
        assert!(read.is_err() || unharmed, "{what}: {:?}", read.map(|records| records.len()));
        if let Ok(report) = audit(&dir, None) {
            assert!(unharmed || !report.is_whole(), "{what}");
        }
    };
    for place in (0..whole.len()).step_by(251) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        fs::write(&file, &damaged).unwrap();
        check(&format!("a byte at {place}"));
    }
    for length in (1..whole.len()).step_by(4000) {
        fs::write(&file, &whole[..length]).unwrap();
        check(&format!("cut at {length}"));
    }
}

#[test]
fn a_damaged_page_is_named_by_the_audit() {
    let (_dir, store) = store();
    let (_, dir) = ended(&store, 200);
    let file = dir.join("journal.db");
    let mut bytes = fs::read(&file).unwrap();
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let report = audit(&dir, None).unwrap();
    assert!(report.breaks.iter().any(|found| found.kind == BreakKind::Damaged), "{:?}", report.breaks);
}

#[test]
fn something_else_in_the_stores_place_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("deeper")] {
        let error = Store::open(&path).unwrap_err();
        assert!(error.to_string().contains("is not a directory"), "{error}");
    }
}

#[test]
fn a_file_size_limit_stops_the_run_and_what_was_recorded_stays() {
    let (_dir, store) = store();
    // The limit is the process's, so it is set in a process of its own: this test binary, with only the next test.
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trouble::in_a_child_with_little_space"])
        .env("CEPTRA_FLOW_TEST_LITTLE_SPACE", store.root())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let run = store.newest().unwrap().unwrap();
    let recorded: usize = fs::read_to_string(store.root().join("recorded")).unwrap().parse().unwrap();
    assert!(recorded > 3);
    assert_eq!(store.read_run(&run).unwrap().records().collect::<Result<Vec<_>, _>>().unwrap().len(), recorded);
    assert!(audit(&store.run_dir(&run), None).unwrap().is_whole());
}

#[test]
fn in_a_child_with_little_space() {
    let Some(root) = std::env::var_os("CEPTRA_FLOW_TEST_LITTLE_SPACE") else {
        return;
    };
    let store = Store::open(&root).unwrap();
    let run = RunId::fresh();
    let mut owned = store.create_run(&run, &who("ada")).unwrap();
    owned.append(&[started(&run)]).unwrap();
    limit_file_size(256 * 1024);
    let error = (2..).find_map(|seq| owned.append(&[note(seq, Epoch(1), &"x".repeat(2000))]).err()).unwrap();
    assert!(matches!(error, AppendError::Store(_)) && !error.owned_elsewhere(), "{error:?}");
    assert!(error.to_string().contains("what was recorded before is safe"), "{error}");
    limit_file_size(libc::RLIM_INFINITY);
    let seq = owned.head().seq.0;
    assert!(matches!(owned.append(&[note(seq + 1, Epoch(1), "x")]), Err(AppendError::Poisoned { .. })));
    fs::write(Path::new(&root).join("recorded"), seq.to_string()).unwrap();
}

fn limit_file_size(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is ours; ignoring the signal makes the limit an error, as the command line does.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
fn an_event_of_a_newer_version_is_not_taken_for_damage() {
    let (_dir, store) = store();
    let (run, dir) = ended(&store, 3);
    crate::tampering::rewrite(&dir, 2, "kind = 'something_new'");
    let error = Reader::open(&dir).unwrap().records().find_map(Result::err).unwrap();
    assert!(matches!(&error, ReadError::Undecodable { seq, .. } if seq.0 == 2), "{error:?}");
    assert!(error.to_string().contains(&format!("event 2 of run `{run}` cannot be read by this version")), "{error}");
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_and_the_next_owner_comes_at_once() {
    use std::io::{BufRead as _, BufReader};
    let (_dir, store) = store();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trouble::in_a_child_that_is_killed", "--nocapture"])
        .env("CEPTRA_FLOW_TEST_KILLED", store.root())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    // Kept until the kill: a closed pipe would end the child in an orderly way.
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in said.by_ref() {
        if let Some(seq) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged = seq.parse().unwrap();
        }
        if acknowledged == 40 {
            break;
        }
    }
    let run = store.newest().unwrap().unwrap();
    assert_eq!(store.is_held(&run).unwrap().unwrap().pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(said);
    let mut owned = store.open_run(&run, &who("bob")).unwrap();
    let records = owned.records().collect::<Result<Vec<_>, _>>().unwrap();
    assert!(records.len() >= 40);
    let next = note(records.len() as u64 + 1, Epoch(2), "on");
    owned.append(&[next]).unwrap();
}

#[test]
fn in_a_child_that_is_killed() {
    let Some(root) = std::env::var_os("CEPTRA_FLOW_TEST_KILLED") else {
        return;
    };
    let store = Store::open(&root).unwrap();
    let run = RunId::fresh();
    let mut owned = store.create_run(&run, &who("ada")).unwrap();
    owned.append(&[started(&run)]).unwrap();
    for seq in 2.. {
        owned.append(&[note(seq, Epoch(1), "x")]).unwrap();
        println!("acknowledged {seq}");
    }
}
