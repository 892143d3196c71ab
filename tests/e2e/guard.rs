//! `[guard]`: the right target, one run at a time.

use crate::support::{Desk, said, wait_for};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// Answers every request with who it is, on loopback, until the test ends.
fn answers(fingerprint: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let body = format!("{{\"fingerprint\":\"{fingerprint}\"}}");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            drop(stream.write_all(reply.as_bytes()));
        }
    });
    port
}

fn guarded(desk: &Desk, port: u16) {
    let target = format!(
        "[target]\nname = \"here\"\nkind = \"staging\"\n[operations.fingerprint]\nhttp = {{ method = \"GET\", url = \"http://127.0.0.1:{port}/id\" }}\n"
    );
    desk.write("here.toml", &target);
    desk.runbook("guarded", "[guard]\nfingerprint = \"blue-7\"\n[steps.a]\ntype = \"exec\"\nwith = { command = [\"sh\", \"-c\", \"echo start >> trace; while ! test -e pass; do sleep 0.01; done\"] }\n");
}

#[test]
fn the_right_target_answers_and_the_run_goes_on() {
    let desk = Desk::new();
    guarded(&desk, answers("blue-7"));
    desk.write("pass", "");
    desk.say("run guarded.toml --target here.toml").exits(0);
}

#[test]
fn another_target_is_refused_before_anything_starts() {
    let desk = Desk::new();
    guarded(&desk, answers("green-1"));
    desk.say("run guarded.toml --target here.toml").exits(2).says("green-1").says("blue-7");
    assert_eq!(desk.read("trace"), "");
    let runs = desk.say("runs --output json").exits(0).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(0));
}

#[test]
fn a_guarded_target_takes_one_run_at_a_time() {
    let desk = Desk::new();
    guarded(&desk, answers("blue-7"));
    let first = desk.spawn("run guarded.toml --target here.toml");
    wait_for("the first to run", || desk.count("trace", "start") == 1);
    desk.say("run guarded.toml --target here.toml").exits(4).says("ada");
    desk.write("pass", "");
    assert_eq!(said(first.wait_with_output().expect("it was ours")).code, 0);
}
