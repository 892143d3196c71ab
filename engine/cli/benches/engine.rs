//! The engine beside the raw SQLite floor, measured in the same run: `cargo bench`.
//!
//! Every figure is the median of several rounds in which floor and engine take turns, because the machines that run this are
//! noisy; the ratio is what to compare. The floor is one row of the same size per commit, same pragmas, no engine.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use ceptra_flow_core::input::{Actor, Engine, Operation, Request};
use ceptra_flow_core::{Name, Plan, Record, RunState};
use ceptra_flow_local::{Grant, Note, Observer, Settings};
use ceptra_flow_runbook::{Catalog, Options, Source, Target};
use ceptra_flow_state::{RunId, Store};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

struct Nobody;
impl Observer for Nobody {
    fn recorded(&mut self, _record: &Record, _state: &RunState) {}
    fn note(&mut self, _note: Note<'_>) {}
}

fn settings(observer: &mut Nobody) -> Settings<'_> {
    Settings {
        by: actor(),
        engine: Engine { version: "bench".into(), host: "here".into(), pid: std::process::id(), boot_id: None },
        secrets: BTreeMap::new(),
        endpoints: BTreeMap::new(),
        started_from: std::env::temp_dir(),
        grant: Grant::default(),
        wait: false,
        go_on: true,
        asker: None,
        until_taken: None,
        observer,
    }
}

fn actor() -> Actor {
    Actor { name: "bench".into(), via: Name::from("command"), host: None }
}

/// A runbook of steps that need durable intents but do nothing; `needs` gives each step's needs.
fn runbook(count: usize, needs: impl Fn(usize) -> Vec<usize>) -> String {
    let mut text = String::from("schema = 1\n[runbook]\nname = \"bench\"\ntitle = \"Bench\"\n");
    for at in 0..count {
        let needs: Vec<String> = needs(at).iter().map(|need| format!("\"s{need}\"")).collect();
        writeln!(
            text,
            "[steps.s{at}]\ntype = \"set\"\neffect = \"once\"\nneeds = [{}]\nwith = {{ value = {at} }}",
            needs.join(", ")
        )
        .expect("text grows");
    }
    text
}

fn chain(at: usize) -> Vec<usize> {
    at.checked_sub(1).into_iter().collect()
}

fn fan(last: usize) -> impl Fn(usize) -> Vec<usize> {
    move |at| match at {
        0 => Vec::new(),
        at if at == last => (1..last).collect(),
        _ => vec![0],
    }
}

fn layers(at: usize) -> Vec<usize> {
    let (layer, column) = (at / 100, at % 100);
    if layer == 0 { Vec::new() } else { [0, 7, 14].map(|step| (layer - 1) * 100 + (column + step) % 100).to_vec() }
}

fn compile(text: &str) -> Plan {
    let catalog = ceptra_flow_steps::catalog();
    let (target, found) = Target::parse(&Source { name: "lab.toml", text: ceptra_flow_lab::target_toml() });
    let target = target.unwrap_or_else(|| panic!("{found:?}"));
    let (plan, found) = ceptra_flow_runbook::compile(
        &Source { name: "bench.toml", text },
        &Catalog(&catalog),
        &target,
        &Options::default(),
    );
    plan.unwrap_or_else(|| panic!("{found:?}"))
}

fn run(store: &Store, plan: Plan) -> RunId {
    let id = RunId::fresh();
    let mut observer = Nobody;
    ceptra_flow_local::run(store, &id, plan, None, settings(&mut observer)).expect("the run can be driven");
    id
}

/// One row per commit, as large as two events of the engine, with the same pragmas.
fn floor(dir: &Path, commits: usize) -> Duration {
    let path = dir.join("floor.db");
    let database = rusqlite::Connection::open(path).expect("a database can be made");
    database
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 250; CREATE TABLE rows (seq INTEGER PRIMARY KEY, payload TEXT, prev BLOB, hash BLOB) STRICT;")
        .expect("a table can be made");
    let payload = "x".repeat(400);
    let began = Instant::now();
    let mut insert =
        database.prepare("INSERT INTO rows (payload, prev, hash) VALUES (?1, ?2, ?3)").expect("the table is there");
    for _ in 0..commits {
        insert.execute((&payload, [0_u8; 32], [0_u8; 32])).expect("a row can be written");
    }
    began.elapsed()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Runs a shape several times in turn with the floor.
fn shape(name: &str, count: usize, commits: usize, rounds: usize, needs: impl Fn(usize) -> Vec<usize>) {
    let text = runbook(count, needs);
    let (mut engine, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let dir = tempfile::tempdir().expect("a directory can be made");
        if commits > 0 {
            floors.push(floor(dir.path(), commits).as_secs_f64());
        }
        let store = Store::open(dir.path().join("state")).expect("a store can be named");
        let plan = compile(&text);
        let began = Instant::now();
        run(&store, plan);
        engine.push(began.elapsed().as_secs_f64());
    }
    let engine = median(engine);
    let per_step = engine / count as f64 * 1e6;
    if commits > 0 {
        let floor = median(floors);
        println!(
            "{name:<44} {:>9.1} ms {per_step:>9.1} µs/step   floor {:>9.1} ms   ratio {:>5.2}",
            engine * 1e3,
            floor * 1e3,
            engine / floor
        );
    } else {
        println!("{name:<44} {:>9.1} ms {per_step:>9.1} µs/step", engine * 1e3);
    }
}

fn resume_of(count: usize) {
    let mut text = runbook(count, chain_of_layers);
    let last: Vec<String> = (count - 100..count).map(|at| format!("\"s{at}\"")).collect();
    writeln!(text, "[steps.go]\ntype = \"approval\"\nneeds = [{}]\nwith = {{ prompt = \"?\" }}", last.join(", "))
        .expect("text grows");
    let dir = tempfile::tempdir().expect("a directory can be made");
    let store = Store::open(dir.path()).expect("a store can be named");
    let mut figures = Vec::new();
    for _ in 0..ROUNDS {
        let id = run(&store, compile(&text));
        let approve = Operation::Approve { step: Name::from("go"), key: None, choice: None, fields: None };
        let request = Request { by: actor(), reason: None, what: approve };
        let mut observer = Nobody;
        let began = Instant::now();
        ceptra_flow_local::resume(&store, &id, vec![request], settings(&mut observer)).expect("the run goes on");
        figures.push(began.elapsed().as_secs_f64());
    }
    println!("{:<44} {:>9.1} ms", format!("resume of {count} steps, all but one done"), median(figures) * 1e3);
}

fn chain_of_layers(at: usize) -> Vec<usize> {
    layers(at)
}

fn plan_of(count: usize) {
    let text = runbook(count, layers);
    let figures = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        let plan = compile(&text);
        let took = began.elapsed().as_secs_f64();
        assert_eq!(plan.steps.len(), count);
        took
    });
    println!("{:<44} {:>9.1} ms", format!("compile of {count} steps"), median(figures.collect()) * 1e3);
}

/// The whole process, from outside: the fastest of several, since start-up is what everything else adds to.
fn start_up() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let small = dir.path().join("small.toml");
    std::fs::write(&small, runbook(3, chain)).expect("a file can be written");
    let small = small.to_string_lossy().into_owned();
    for args in [vec!["--version"], vec!["check", &small]] {
        let mut fastest = f64::MAX;
        for _ in 0..20 {
            let began = Instant::now();
            std::process::Command::new(env!("CARGO_BIN_EXE_ceptra-flow"))
                .args(&args)
                .env("HOME", dir.path())
                .output()
                .expect("the binary can be started");
            fastest = fastest.min(began.elapsed().as_secs_f64());
        }
        println!("{:<44} {:>9.1} ms", format!("ceptra-flow {}", args[0]), fastest * 1e3);
    }
}

fn main() {
    // `cargo test --benches` passes flags and wants to know only that it builds.
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    shape("chain of 1,000, durable intents", 1_000, 1_001, ROUNDS, chain);
    shape("fan-out 1 → 1,000 → 1", 1_002, 0, ROUNDS, fan(1_001));
    shape("layered 100 × 100, 3 parents each", 10_000, 0, ROUNDS, layers);
    shape("chain of 10,000", 10_000, 10_001, 1, chain);
    shape("layered 1,000 × 100, 3 parents each", 100_000, 0, 1, layers);
    resume_of(1_000);
    resume_of(10_000);
    plan_of(10_000);
    plan_of(100_000);
    start_up();
}
