//! What the journal costs, beside what SQLite costs anyway: `cargo bench -p ceptra-flow-state`.
//!
//! `chain` is what a chain of steps writes: one commit per step, with a result and the next intent. `floor` commits one row of
//! the same number of bytes with the same durability and nothing else. `ratio` (the other benchmark) compares the two commit by
//! commit, because the time of an fsync differs by the second.

mod common;

use ceptra_flow_core::event::Record;
use ceptra_flow_core::ids::Epoch;
use ceptra_flow_state::{Journal as _, Reader, audit};
use divan::Bencher;
use std::path::PathBuf;
use tempfile::TempDir;

fn main() {
    divan::main();
}

const COMMITS: u64 = 1000;

#[divan::bench(sample_count = 10, sample_size = 1)]
fn chain(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(common::fresh_run).counter(COMMITS).bench_local_values(|(dir, mut owned)| {
        for n in 0..COMMITS {
            let records = common::turn(n, owned.epoch());
            owned.append(&records).expect("it follows");
        }
        (dir, owned)
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn floor(bencher: Bencher<'_, '_>) {
    let payload = "x".repeat(common::turn_bytes());
    bencher.with_inputs(common::fresh_floor).counter(COMMITS).bench_local_values(|(dir, connection)| {
        for n in 0..COMMITS {
            common::floor_commit(&connection, n, &payload);
        }
        (dir, connection)
    });
}

/// A run that ended, with `turns` turns.
fn ended_run(turns: u64) -> (TempDir, PathBuf) {
    let (dir, mut owned) = common::fresh_run();
    let records: Vec<Record> = (0..turns).flat_map(|n| common::turn(n, Epoch(1))).collect();
    for some in records.chunks(1000) {
        owned.append(some).expect("they follow");
    }
    let path = owned.dir().to_path_buf();
    owned.close(None).expect("it can be written");
    (dir, path)
}

#[divan::bench(args = [1_000, 10_000], sample_count = 20, sample_size = 1)]
fn open_and_read(bencher: Bencher<'_, '_>, turns: u64) {
    let (_dir, path) = ended_run(turns);
    bencher.counter(2 * turns).bench_local(|| {
        let mut reader = Reader::open(&path).expect("it is there");
        let whole = |record: &Result<_, _>| assert!(record.is_ok());
        let count = reader.records().inspect(whole).count();
        assert_eq!(count as u64, 2 * turns);
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn audit_10_000_steps(bencher: Bencher<'_, '_>) {
    let (_dir, path) = ended_run(10_000);
    bencher.bench_local(|| assert!(audit(&path, None).expect("it is there").is_whole()));
}
