//! Nobody knows: timeouts, lost engines, probes, verdicts (durability.md, "Step life").

use crate::play::check;
use expect_test::expect;

#[test]
fn a_read_in_doubt_failed() {
    check(
        "a; a: read",
        "a unknown",
        &expect![[r#"
        start: started, epoch 1, a#1
        a unknown: a failed: timeout, ended failed (`a` failed: it failed: timeout)
        = failed: a failed
    "#]],
    );
}

#[test]
fn a_read_in_doubt_is_tried_again_as_its_policy_says() {
    check(
        "a; a: read, retry=2",
        "
            a unknown
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a failed: timeout, again at 100
            wake at 100: a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_idempotent_step_in_doubt_runs_again() {
    check(
        "a; a: idempotent",
        "
            a unknown
            wake
            a unknown
            wake
            a unknown
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            wake at 1000: a#2
            a unknown: a unknown: timeout
            wake at 3000: a#3
            a unknown: a unknown: timeout, a failed: timeout, ended failed (`a` failed: it failed: timeout)
            = failed: a failed
        "#]],
    );
}

#[test]
fn an_idempotent_step_in_doubt_keeps_its_deadline() {
    check(
        "a; a: idempotent, deadline=600",
        "a unknown",
        &expect![[r#"
        start: started, epoch 1, a#1
        a unknown: a unknown: timeout, a failed: timeout, ended failed (`a` failed: it failed: timeout)
        = failed: a failed
    "#]],
    );
}

#[test]
fn a_policy_may_allow_more_doubtful_tries() {
    check(
        "a; a: keyed, retry=100, pause=1, on=exit",
        "
            a unknown
            wake
            a unknown
            wake
            a unknown
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            wake at 1000: a#2
            a unknown: a unknown: timeout
            wake at 3000: a#3
            a unknown: a unknown: timeout
            wake at 7000: a#4
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_once_step_in_doubt_waits_for_a_verdict_done() {
    check(
        "a -> b; a: once",
        "
            a unknown
            done a
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            done a: a resolved: done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_once_step_in_doubt_waits_for_a_verdict_not_done() {
    check(
        "a -> b; a: once",
        "
            a unknown
            not-done a
            a ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            not-done a: a resolved: not done, a#2
            a ok: a done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_once_step_in_doubt_waits_for_a_verdict_skip() {
    check(
        "a -> b; a: once",
        "
            a unknown
            skip a
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            skip a: a resolved: skip, b#1
            b ok: b done, ended done
            = done: a skipped, b done
        "#]],
    );
}

#[test]
fn the_rest_goes_on_while_a_step_is_in_doubt() {
    check(
        "a -> b, c -> d; a: once",
        "
            a unknown
            c ok
            d ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, c#1
            a unknown: a unknown: timeout
            c ok: c done, d#1
            d ok: d done
            = parked [verdict a?]: a unknown, b pending, c done, d done
        "#]],
    );
}

#[test]
fn a_probe_finds_the_effect() {
    check(
        "a -> b; a: probe, asks",
        "
            a unknown
            a ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a ok: a probed: done, a done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_probe_finds_no_effect() {
    check(
        "a -> b; a: probe, asks",
        "
            a unknown
            a not-done
            wake
            a ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a not-done: a probed: not done
            wake at 1000: a#3
            a ok: a done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn an_effect_that_never_happens_fails_in_the_end() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a not-done
            wake
            a unknown
            a not-done
            wake
            a unknown
            a not-done
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a not-done: a probed: not done
            wake at 1000: a#3
            a unknown: a unknown: timeout, probe a#4
            a not-done: a probed: not done
            wake at 3000: a#5
            a unknown: a unknown: timeout, probe a#6
            a not-done: a probed: not done, a failed: timeout, ended failed (`a` failed: it failed: timeout)
            = failed: a failed
        "#]],
    );
}

#[test]
fn a_probe_that_cannot_tell_is_asked_again_and_then_a_person_is() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a unknown
            wake
            a fail
            wake
            a unknown
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a unknown: -
            wake at 1000: probe a#3
            a fail: -
            wake at 3000: probe a#4
            a unknown: a probed: nobody can tell
            done a: a resolved: done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_probe_that_says_unknown_is_not_asked_again() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a unknown unknown
            not-done a
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a unknown unknown: a probed: nobody can tell
            not-done a: a resolved: not done, a#3
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_probe_step_that_nobody_can_ask_waits_for_a_verdict() {
    check(
        "a; a: probe",
        "a unknown",
        &expect![[r#"
        start: started, epoch 1, a#1
        a unknown: a unknown: timeout
        = parked [verdict a?]: a unknown
    "#]],
    );
}

#[test]
fn a_person_may_settle_a_doubt_while_the_next_probe_is_due() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a fail
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a fail: -
            done a: a resolved: done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_read() {
    check(
        "a; a: read",
        "
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_an_idempotent_step() {
    check(
        "a; a: idempotent",
        "
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a unknown: engine_lost, a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_keyed_step() {
    check(
        "a; a: keyed",
        "
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a unknown: engine_lost, a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_probe_step_that_was_done() {
    check(
        "a; a: probe, asks",
        "
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a unknown: engine_lost, probe a#2
            a ok: a probed: done, a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_probe_step_that_was_not_done() {
    check(
        "a; a: probe, asks",
        "
            crash
            a not-done
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a unknown: engine_lost, probe a#2
            a not-done: a probed: not done, a#3
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_once_step() {
    check(
        "a; a: once",
        "crash",
        &expect![[r#"
        start: started, epoch 1, a#1
        crash: epoch 2, a unknown: engine_lost
        = parked [verdict a?]: a unknown
    "#]],
    );
}

#[test]
fn an_engine_lost_while_a_step_is_in_doubt() {
    check(
        "a; a: once",
        "
            a unknown
            crash
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            crash: epoch 2
            done a: a resolved: done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_a_probe() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            crash: epoch 2, probe a#2
            a ok: a probed: done, a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_between_two_probes() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a fail
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a fail: -
            crash: epoch 2, probe a#2
            a ok: a probed: done, a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_engine_lost_after_a_verdict() {
    check(
        "a; a: once",
        "
            a unknown
            not-done a
            crash
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            not-done a: a resolved: not done, a#2
            crash: epoch 2, a unknown: engine_lost
            = parked [verdict a?]: a unknown
        "#]],
    );
}

#[test]
fn an_engine_lost_before_what_was_not_done_could_run_again() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a not-done
            crash
            a not-done
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a not-done: a probed: not done
            crash: epoch 2, probe a#3
            a not-done: a probed: not done
            wake at 1000: a#4
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_settled_doubt_does_not_run_again_when_a_pause_ends() {
    check(
        "a -> b; a: idempotent",
        "
            pause
            crash
            done a
            unpause
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            pause: paused
            crash: epoch 2, a unknown: engine_lost
            done a: a resolved: done
            unpause: unpaused, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_verdict_needs_a_doubt() {
    check(
        "a -> b",
        "
            done a
            done b
            done c
            a ok
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            done a: refused: `a` is running, not in doubt: there is nothing to resolve
            done b: refused: `b` is pending, not in doubt: there is nothing to resolve
            done c: refused: this run has no step `c`
            a ok: a done, b#1
            done a: refused: `a` is done, not in doubt: there is nothing to resolve
            = working: a done, b running
        "#]],
    );
}

#[test]
fn a_probe_and_its_late_twin_differ_in_number() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a fail
            wake
            late a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a fail: -
            wake at 1000: probe a#3
            late a ok: refused: attempt 2 of `a` (epoch 1) is not the current one
            = working: a unknown
        "#]],
    );
}

#[test]
fn a_try_that_was_due_does_not_start_what_has_come_into_doubt_again() {
    check(
        "a; a: probe, asks",
        "
            a unknown
            a not-done
            not-done a
            a unknown
            a unknown unknown
            wake
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout, probe a#2
            a not-done: a probed: not done
            not-done a: a resolved: not done, a#3
            a unknown: a unknown: timeout, probe a#4
            a unknown unknown: a probed: nobody can tell
            wake at 1000: -
            = parked [verdict a?]: a unknown
        "#]],
    );
}
