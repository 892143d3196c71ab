//! What the core alone costs: whole runs in which every attempt succeeds at once, without a journal.
//!
//! `cargo bench -p ceptra-flow-core`. The items are steps, so the last column reads steps a second.

#[path = "../tests/support/mod.rs"]
mod support;

use divan::Bencher;
use divan::counter::ItemsCount;
use support::shapes::{Shape, shaped, succeed};

fn main() {
    divan::main();
}

const COUNTS: [u32; 2] = [10_000, 100_000];

fn run(bencher: Bencher<'_, '_>, shape: Shape, steps: u32) {
    let plan = shaped(shape, steps);
    bencher.counter(ItemsCount::new(steps)).bench(|| succeed(divan::black_box(&plan)));
}

#[divan::bench(args = COUNTS, sample_count = 5)]
fn chain(bencher: Bencher<'_, '_>, steps: u32) {
    run(bencher, Shape::Chain, steps);
}

#[divan::bench(args = COUNTS, sample_count = 5)]
fn fan(bencher: Bencher<'_, '_>, steps: u32) {
    run(bencher, Shape::Fan, steps);
}

#[divan::bench(args = COUNTS, sample_count = 5)]
fn layers(bencher: Bencher<'_, '_>, steps: u32) {
    run(bencher, Shape::Layers, steps);
}

#[divan::bench(args = COUNTS, sample_count = 5)]
fn items(bencher: Bencher<'_, '_>, steps: u32) {
    run(bencher, Shape::Items, steps);
}
