//! How much slower a chain of commits is than SQLite's own floor: `cargo bench -p ceptra-flow-state --bench ratio`.
//!
//! Takes turns of a few commits each, so that both meet the same disk: on a shared machine the time of an fsync changes by the
//! second, and two measurements one after the other compare the weather.

mod common;

use ceptra_flow_core::ids::Epoch;
use ceptra_flow_state::Journal as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

const TURNS: usize = 200;
const COMMITS: u64 = 10;

fn main() -> std::io::Result<()> {
    let (_one, mut owned) = common::fresh_run();
    let (_other, floor) = common::fresh_floor();
    let payload = "x".repeat(common::turn_bytes());
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for turn in 0..TURNS as u64 {
        let first = turn * COMMITS;
        let chain = |owned: &mut ceptra_flow_state::Owned| {
            for n in first..first + COMMITS {
                owned.append(&common::turn(n, Epoch(1))).expect("they follow");
            }
        };
        // Whoever comes second finds the disk busy with the first; so they change places.
        if turn % 2 == 0 {
            ours.push(timed(|| chain(&mut owned)));
        }
        floors.push(timed(|| (first..first + COMMITS).for_each(|n| common::floor_commit(&floor, n, &payload))));
        if turn % 2 == 1 {
            ours.push(timed(|| chain(&mut owned)));
        }
    }
    let commits = COMMITS as f64;
    let (mean_ours, mean_floor) = (mean(&ours) / commits, mean(&floors) / commits);
    let (median_ours, median_floor) = (median(&mut ours) / commits, median(&mut floors) / commits);
    let mut out = std::io::stdout().lock();
    writeln!(out, "commit of a turn: median {median_ours:.1} µs, mean {mean_ours:.1} µs")?;
    writeln!(out, "floor:            median {median_floor:.1} µs, mean {mean_floor:.1} µs")?;
    writeln!(out, "ratio:            median {:.3}, mean {:.3}", median_ours / median_floor, mean_ours / mean_floor)
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn mean(times: &[Duration]) -> f64 {
    times.iter().sum::<Duration>().as_secs_f64() * 1e6 / times.len() as f64
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
