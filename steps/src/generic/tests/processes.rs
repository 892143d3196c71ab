//! How processes are stopped, and what they inherit.
//!
//! Whether something still lives is told by a FIFO that it holds open: its reader sees the end when the
//! last holder is gone. No test waits for a time to pass.

use super::World;
use crate::log::Stream;
use serde_json::json;
use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Makes a FIFO.
fn fifo(path: &Path) {
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is a valid C string for the length of the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

/// Opens the FIFO (waits for a writer) and reads the first line.
fn first_line(path: &Path) -> (String, BufReader<File>) {
    let mut reader = BufReader::new(File::open(path).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line, reader)
}

/// Reads on until every holder of the FIFO is gone.
fn rest(mut reader: BufReader<File>) -> String {
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    rest
}

/// A script whose background child holds the FIFO and hears no TERM.
const STUBBORN: &str = "exec 9>alive; (trap '' TERM; echo child >&9; while :; do sleep 60; done) & wait";

#[tokio::test(flavor = "multi_thread")]
async fn stopping_kills_the_whole_group_after_the_grace() {
    let world = World::new();
    fifo(&world.path("alive"));
    let (cancel, path) = (world.cx.cancel.clone(), world.path("alive"));
    let watcher = tokio::task::spawn_blocking(move || {
        let (line, reader) = first_line(&path);
        assert_eq!(line, "child\n");
        cancel.cancel();
        rest(reader)
    });
    let error = world.run("exec", json!({ "script": STUBBORN, "grace": "50ms" })).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("cancelled", true));
    assert_eq!(watcher.await.unwrap(), "", "nothing of the group is left");
    let log = world.log(Stream::Stderr);
    assert!(log.contains("asked to stop; sending TERM") && log.contains("sending KILL"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_an_unknown_and_kills_the_group_too() {
    let mut world = World::new();
    world.cx.timeout = Duration::from_millis(300);
    let error =
        world.run("exec", json!({ "script": "echo working >&2; exec sleep 60", "grace": "5s" })).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("timeout", true));
    assert!(error.message.starts_with("the script was not done after 300ms and was stopped"), "{error}");
    assert!(!world.log(Stream::Stderr).contains("KILL"), "TERM was enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_use_its_grace() {
    let world = World::new();
    fifo(&world.path("alive"));
    let (cancel, path) = (world.cx.cancel.clone(), world.path("alive"));
    let watcher = tokio::task::spawn_blocking(move || {
        let (_, reader) = first_line(&path);
        cancel.cancel();
        rest(reader)
    });
    // Ready only when both have set what TERM does to them: a shell that is just forking loses a signal.
    let script = "exec 9>alive; trap 'echo detached >&9; echo bye; exit 0' TERM; (trap - TERM; echo ready >&9; exec sleep 60) & wait";
    let error = world.run("exec", json!({ "script": script, "grace": "30s" })).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("cancelled", true));
    assert_eq!(error.detail.unwrap()["stdout"], "bye\n", "what it still prints is kept");
    assert_eq!(watcher.await.unwrap(), "detached\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_step_leaves_no_process() {
    let world = World::new();
    fifo(&world.path("alive"));
    let path = world.path("alive");
    let ready = tokio::task::spawn_blocking(move || first_line(&path).1);
    let reader = tokio::select! {
        reader = ready => reader.unwrap(),
        ended = world.run("exec", json!({ "script": STUBBORN })) => panic!("ended by itself: {ended:?}"),
    };
    assert_eq!(tokio::task::spawn_blocking(move || rest(reader)).await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_process_that_keeps_the_output_open_does_not_hold_the_step() {
    let world = World::new();
    fifo(&world.path("gate"));
    let output = world.run("exec", json!({ "script": "cat gate & echo done" })).await.unwrap();
    assert_eq!(output["stdout"], "done\n");
    assert!(world.log(Stream::Stderr).contains("a background process still holds the output open"));
    // Lets the background process end.
    drop(File::options().write(true).open(world.path("gate")).unwrap());
}

#[tokio::test]
async fn killed_by_a_signal_is_a_failure_of_its_own_class() {
    let world = World::new();
    let error = world.run("exec", json!({ "script": "kill -SEGV $$" })).await.unwrap_err();
    assert_eq!((error.class, error.exit_code), ("signal", None));
    assert_eq!(error.message, "the script was killed by signal SEGV");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_inherits_neither_files_nor_signals_nor_our_session() {
    let world = World::new();
    let ours = File::open("/dev/null").unwrap();
    // SAFETY: dup(2) touches no memory; the copy is not close-on-exec, and is closed below.
    let leaked = unsafe { libc::dup(ours.as_raw_fd()) };
    let output = world
        .run("exec", json!({ "script": "ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status", "parse": "lines" }))
        .await;
    // SAFETY: the descriptor is ours and not used again.
    unsafe { libc::close(leaked) };
    let lines = output.unwrap()["lines"].clone();
    let lines: Vec<&str> = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(!lines.contains(&leaked.to_string().as_str()), "{lines:?}");
    for name in ["SigBlk:\t", "SigIgn:\t"] {
        let bits = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        // Above 31 are the real-time signals, two of which the C library keeps to itself.
        assert_eq!(u64::from_str_radix(bits, 16).unwrap() & 0x7fff_ffff, 0, "{name}{bits}");
    }
    let session = world.run("exec", json!({ "command": ["cut", "-d ", "-f1,5,6", "/proc/self/stat"] })).await.unwrap();
    let ids: Vec<&str> = session["stdout"].as_str().unwrap().split_whitespace().collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "process, group and session are one: {ids:?}");
}

/// Not a test of its own: the engine that the next test kills.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_to_be_killed() {
    let Ok(alive) = std::env::var("STEPS_TEST_ALIVE") else { return };
    let world = World::new();
    let script = "exec 9>\"$1\"; echo ready >&9; exec sleep 600";
    let _ = world.run("exec", json!({ "command": ["/bin/sh", "-c", script, "sh", alive] })).await;
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_engine_takes_its_processes_with_it() {
    let world = World::new();
    fifo(&world.path("alive"));
    let mut engine = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "generic::tests::processes::an_engine_to_be_killed"])
        .env("STEPS_TEST_ALIVE", world.path("alive"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (line, reader) = first_line(&world.path("alive"));
    assert_eq!(line, "ready\n");
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(rest(reader), "", "the process ended with the engine");
}
