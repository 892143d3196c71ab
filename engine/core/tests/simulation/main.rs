//! Runs in a simulated world: random plans, failures, doubts, crashes, late reports, people; and every schedule of small plans.
//!
//! The world ([`world`]) is the oracle: it knows which effects are there, whatever the engine believes. [`audit`] checks every
//! record against the rules as it becomes durable. A seed that fails is printed; `SIM_SEED=n cargo test -p ceptra-flow-core
//! --test simulation` plays it again, `SIM_RUNS=n` plays more of them, and `SIM_DEEP=1` walks small plans further.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "seeds and schedules are for a person to read")]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod choices;
mod plans;
mod sim;
mod world;

use choices::{Chooser, Seeded, Walk};
use sim::{Mood, Sim};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Seeds per test, when nobody asks for more.
const RUNS: u64 = 800;

#[test]
fn whatever_happens_the_rules_hold() {
    for_each_seed("whatever_happens_the_rules_hold", |seed| {
        let mut chooser = Seeded::new(seed);
        let plan = plans::random(&mut chooser, &plans::ANY);
        let mood = Mood::wild(&mut chooser);
        Sim::run(plan, mood, &mut chooser);
    });
}

#[test]
fn crashes_do_not_change_the_end() {
    for_each_seed("crashes_do_not_change_the_end", |seed| {
        let plan = plans::random(&mut Seeded::new(seed), &plans::STEADY);
        let calm = Sim::run(plan.clone(), Mood::steady(seed, 0), &mut Seeded::new(seed));
        let rough = Sim::run(plan, Mood::steady(seed, 8), &mut Seeded::new(!seed));
        assert_eq!(calm, rough, "the end without crashes, and with them");
    });
}

#[test]
fn every_schedule_of_small_plans() {
    let deep = std::env::var_os("SIM_DEEP").is_some();
    let mut walked = 0;
    for (notation, crashes_max, mishaps_max) in plans::SMALL {
        let extra = u32::from(deep);
        walked += walk(notation, crashes_max + extra, mishaps_max + extra);
    }
    assert!(walked > 3_000, "only {walked} schedules: the walk has become too small to show anything");
}

/// Plays every schedule of a plan with so many crashes and mishaps at most; how many there were.
fn walk(notation: &str, crashes_max: u32, mishaps_max: u32) -> u32 {
    let mut walk = Walk::default();
    let mut schedules = 0;
    loop {
        let mood = Mood::walk(crashes_max, mishaps_max);
        let one = catch_unwind(AssertUnwindSafe(|| Sim::run(support::plan(notation), mood, &mut walk)));
        if let Err(panic) = one {
            eprintln!("plan `{notation}`, schedule {:?}", walk.schedule());
            resume_unwind(panic);
        }
        schedules += 1;
        if !walk.next() {
            println!("{schedules:>8} schedules of `{notation}` with {crashes_max} crashes and {mishaps_max} mishaps");
            return schedules;
        }
    }
}

/// Plays seeds: the one that `SIM_SEED` names, or as many as `SIM_RUNS` says.
fn for_each_seed(test: &str, play: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_RUNS").unwrap_or(RUNS),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| play(seed))) {
            eprintln!("SIM_SEED={seed} cargo test -p ceptra-flow-core --test simulation {test}");
            resume_unwind(panic);
        }
    }
}

/// A helper for weights: picks an index in proportion.
fn weighted(chooser: &mut dyn Chooser, weights: &[u32]) -> usize {
    let total: u32 = weights.iter().sum();
    let mut at = u32::try_from(chooser.below(u64::from(total.max(1)))).unwrap_or(0);
    for (index, weight) in weights.iter().enumerate() {
        if at < *weight {
            return index;
        }
        at -= weight;
    }
    0
}
