//! What both benchmarks write.

use ceptra_flow_core::event::{Event, Record, StepDone, StepIntent};
use ceptra_flow_core::ids::{Attempt, Epoch, Name, Purpose, Seq, Timestamp};
use ceptra_flow_core::json::{Json, Output};
use ceptra_flow_state::{Owned, RunId, Store, Who};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// The result of step `n` and the intent of the next one.
pub(crate) fn turn(n: u64, epoch: Epoch) -> [Record; 2] {
    let attempt = |n: u64| Attempt {
        step: Name::from(format!("step-{n:05}")),
        key: None,
        purpose: Purpose::Do,
        number: 1,
        epoch,
    };
    let output = Output::Inline(Json::from_text(format!(r#"{{"exit_code":0,"value":{n}}}"#)).expect("it is JSON"));
    let at = Timestamp(1_700_000_000_000 + n);
    let done = Event::StepDone(StepDone { attempt: attempt(n), output });
    let next = Event::StepIntent(StepIntent { attempt: attempt(n + 1), intent: 1 });
    [Record { seq: Seq(2 * n + 1), at, epoch, event: done }, Record { seq: Seq(2 * n + 2), at, epoch, event: next }]
}

/// Bytes that one turn takes in the journal: the texts, three numbers and two hashes a row.
pub(crate) fn turn_bytes() -> usize {
    let row = |record: &Record| record.event.payload().len() + record.event.kind().len() + 36 + 10 + 64 + 12;
    turn(0, Epoch(1)).iter().map(row).sum()
}

/// On the disk that the target directory is on (a directory for temporary files may be memory, where fsync costs nothing), or
/// where `CEPTRA_FLOW_BENCH_DIR` says: a directory in memory leaves the disk out, and shows the processor's part.
fn on_disk() -> TempDir {
    let chosen = std::env::var_os("CEPTRA_FLOW_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::tempdir_in(chosen).expect("the directory can be written")
}

pub(crate) fn fresh_run() -> (TempDir, Owned) {
    let dir = on_disk();
    let store = Store::open(dir.path()).expect("it is a directory");
    let who = Who { user: "bench".into(), host: "bench".into(), pid: 1 };
    let owned = store.create_run(&RunId::fresh(), &who).expect("the run is new");
    (dir, owned)
}

/// A database with the same durability and nothing else.
pub(crate) fn fresh_floor() -> (TempDir, Connection) {
    let dir = on_disk();
    let connection = Connection::open(dir.path().join("floor.db")).expect("it can be made");
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (seq INTEGER PRIMARY KEY, payload TEXT)";
    connection.execute_batch(settings).expect("it can be made");
    (dir, connection)
}

pub(crate) fn floor_commit(connection: &Connection, n: u64, payload: &str) {
    let mut statement = connection.prepare_cached("INSERT INTO rows VALUES (?1, ?2)").expect("it is SQL");
    statement.execute(params![n as i64, payload]).expect("it can be written");
}
