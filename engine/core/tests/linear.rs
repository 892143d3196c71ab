//! Work grows with the plan, not with its square: counted in allocations, which no clock and no load can move.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::shapes::{SHAPES, Shape, shaped, succeed};

thread_local! {
    static COUNTED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Counts what a thread allocates: how often, and how many bytes.
struct Counting;

fn count(bytes: usize) {
    // A thread that is going down has nothing left to count.
    let _ = COUNTED.try_with(|counted| {
        let (times, sum) = counted.get();
        counted.set((times + 1, sum + bytes as u64));
    });
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches a thread's own cell only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps this function's contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and bytes per step of a run of this shape and size.
fn cost(shape: Shape, steps: u32) -> (f64, f64) {
    let plan = shaped(shape, steps);
    let before = COUNTED.get();
    let records = succeed(&plan);
    let after = COUNTED.get();
    assert!(records as u64 >= 2 * u64::from(steps), "an intent and a result for each step");
    let each = |after: u64, before: u64| (after - before) as f64 / f64::from(steps);
    (each(after.0, before.0), each(after.1, before.1))
}

#[test]
fn ten_times_the_steps_cost_ten_times_the_work() {
    for shape in SHAPES {
        let (few, few_bytes) = cost(shape, 1_000);
        let (many, many_bytes) = cost(shape, 10_000);
        assert!(many < few * 1.1, "{shape:?}: {few:.1} allocations a step, {many:.1} in a run ten times as long");
        // Doubling tables make bytes a step move a little, but never by much.
        assert!(many_bytes < few_bytes * 1.5, "{shape:?}: {few_bytes:.0} bytes a step, then {many_bytes:.0}");
        assert!(many < 60.0, "{shape:?}: {many:.1} allocations a step");
    }
}

#[test]
fn a_hundred_thousand_steps_are_no_different() {
    let (few, _) = cost(Shape::Layers, 10_000);
    let (many, _) = cost(Shape::Layers, 100_000);
    assert!(many < few * 1.1, "{few:.1} allocations a step, {many:.1} in a run ten times as long");
}
