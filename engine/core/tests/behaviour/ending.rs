//! Failures and what they stop, last steps, cancelling, interrupting, time limits.

use crate::play::check;
use expect_test::expect;

#[test]
fn a_failure_halts_the_run_and_lets_running_steps_finish() {
    check(
        "a -> b, c -> d",
        "
            a fail
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, c#1
            a fail: a failed: exit
            c ok: c done, ended failed (`a` failed: it failed: exit)
            = failed: a failed, b blocked, c done, d pending
        "#]],
    );
}

#[test]
fn a_failure_may_let_the_rest_go_on() {
    check(
        "a -> b -> e, c -> d; a: continue",
        "
            a fail
            c ok
            d ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, c#1
            a fail: a failed: exit
            c ok: c done, d#1
            d ok: d done, ended failed (`a` failed: it failed: exit)
            = failed: a failed, b blocked, e blocked, c done, d done
        "#]],
    );
}

#[test]
fn a_retry_unblocks_what_was_blocked() {
    check(
        "a -> b -> c, x -> c; a: continue",
        "
            a fail
            x ok
            retry a
            a ok
            b ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, x#1
            a fail: a failed: exit
            x ok: x done, ended failed (`a` failed: it failed: exit)
            retry a: retry a, a#2/2
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            = done: a done, b done, c done, x done
        "#]],
    );
}

#[test]
fn a_step_that_two_failures_block_waits_for_both() {
    check(
        "a -> c, b -> c, z; a: continue; b: continue",
        "
            a fail
            b fail
            retry a
            a ok
            retry b
            b ok
            z ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1, z#1
            a fail: a failed: exit
            b fail: b failed: exit
            retry a: retry a, a#2/2
            a ok: a done
            retry b: retry b, b#2/2
            b ok: b done, c#1
            z ok: z done
            c ok: c done, ended done
            = done: a done, c done, b done, z done
        "#]],
    );
}

#[test]
fn two_failed_steps_are_tried_again_one_after_the_other() {
    check(
        "a, b -> c",
        "
            a fail
            b fail
            retry a
            retry b
            a ok
            b ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a fail: a failed: exit
            b fail: b failed: exit, ended failed (`a` failed: it failed: exit; `b` failed: it failed: exit)
            retry a: retry a, a#2/2
            retry b: retry b, b#2/2
            a ok: a done
            b ok: b done, c#1
            c ok: c done, ended done
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn a_run_halted_by_a_failure_parks_for_a_step_in_doubt() {
    check(
        "a, b",
        "
            a unknown
            b fail
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a unknown: a unknown: timeout
            b fail: b failed: exit
            done a: a resolved: done, ended failed (`b` failed: it failed: exit)
            = failed: a done, b failed
        "#]],
    );
}

#[test]
fn last_steps_run_after_success() {
    check(
        "a; t: finally; u: finally; t -> u",
        "
            a ok
            t ok
            u ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            t ok: t done, u#1
            u ok: u done, ended done
            = done: a done, t done, u done
        "#]],
    );
}

#[test]
fn last_steps_run_after_failure() {
    check(
        "a -> b; t: finally",
        "
            a fail
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, finally after failed, t#1
            t ok: t done, ended failed (`a` failed: it failed: exit)
            = failed: a failed, b blocked, t done
        "#]],
    );
}

#[test]
fn last_steps_run_after_a_cancel() {
    check(
        "a -> b; t: finally",
        "
            cancel
            a fail
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            cancel: cancelled by ada, stop a#1
            a fail: a failed: exit, finally after cancelled, t#1
            t ok: t done, ended cancelled (cancelled by ada; `a` failed: it failed: exit)
            = cancelled: a failed, b blocked, t done
        "#]],
    );
}

#[test]
fn a_failed_last_step_spoils_what_was_done() {
    check(
        "a; t: finally",
        "
            a ok
            t fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            t fail: t failed: exit, ended failed (`t` failed: it failed: exit)
            = failed: a done, t failed
        "#]],
    );
}

#[test]
fn a_failed_last_step_can_be_tried_again() {
    check(
        "a; t: finally",
        "
            a ok
            t fail
            retry t
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            t fail: t failed: exit, ended failed (`t` failed: it failed: exit)
            retry t: retry t, t#2/2
            t ok: t done, ended done
            = done: a done, t done
        "#]],
    );
}

#[test]
fn last_steps_are_tried_again_after_a_cancel_too() {
    check(
        "a; t: finally, retry=2, read; u: finally, idempotent; v: finally, probe, asks",
        "
            cancel
            a fail
            t fail
            u unknown
            v unknown
            v ok
            wake
            t ok
            wake
            u ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            cancel: cancelled by ada, stop a#1
            a fail: a failed: exit, finally after cancelled, t#1, u#1, v#1
            t fail: t failed: exit, again at 100
            u unknown: u unknown: timeout
            v unknown: v unknown: timeout, probe v#2
            v ok: v probed: done, v done
            wake at 100: t#2
            t ok: t done
            wake at 1000: u#2
            u ok: u done, ended cancelled (cancelled by ada; `a` failed: it failed: exit)
            = cancelled: a failed, t done, u done, v done
        "#]],
    );
}

#[test]
fn last_steps_run_again_at_a_new_end_with_keys_of_their_own() {
    check(
        "a; t: finally, keyed; s: finally, keyed, each=x",
        "
            a fail
            t ok
            s[x] ok
            retry a
            a ok
            t ok
            s[x] ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, finally after failed, s = [x], t#1, s[x]#1
            t ok: t done
            s[x] ok: s[x] done, ended failed (`a` failed: it failed: exit)
            retry a: retry a, a#2/2
            a ok: a done, finally after done, s = [x], t#2/2, s[x]#2/2
            t ok: t done
            s[x] ok: s[x] done, ended done
            = done: a done, t done, s done
        "#]],
    );
}

#[test]
fn main_steps_cannot_be_tried_again_while_last_steps_run() {
    check(
        "a; t: finally",
        "
            a fail
            retry a
            t ok
            retry a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, finally after failed, t#1
            retry a: refused: nothing can be tried again now: the run is at its last steps
            t ok: t done, ended failed (`a` failed: it failed: exit)
            retry a: retry a, a#2/2
            = working: a running, t pending
        "#]],
    );
}

#[test]
fn last_steps_are_not_cancelled() {
    check(
        "a; t: finally",
        "
            a ok
            cancel
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            cancel: refused: nothing can be cancelled now: the run is at its last steps
            = working: a done, t running
        "#]],
    );
}

#[test]
fn a_last_step_in_doubt_waits_for_a_verdict() {
    check(
        "a; t: finally",
        "
            a ok
            t unknown
            done t
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            t unknown: t unknown: timeout
            done t: t resolved: done, ended done
            = done: a done, t done
        "#]],
    );
}

#[test]
fn a_last_step_that_asks() {
    check(
        "a; t: finally, approve",
        "
            a ok
            approve t by bob
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, ask t
            approve t by bob: t granted by bob, t#1
            t ok: t done, ended done
            = done: a done, t done
        "#]],
    );
}

#[test]
fn last_steps_can_be_paused() {
    check(
        "a; t: finally; u: finally; t -> u",
        "
            a ok
            pause
            t ok
            unpause
            u ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            pause: paused
            t ok: t done
            unpause: unpaused, u#1
            u ok: u done, ended done
            = done: a done, t done, u done
        "#]],
    );
}

#[test]
fn last_steps_survive_a_crash() {
    check(
        "a; t: finally, idempotent; u: finally; t -> u",
        "
            a ok
            crash
            t ok
            u ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            crash: epoch 2, t unknown: engine_lost, t#2
            t ok: t done, u#1
            u ok: u done, ended done
            = done: a done, t done, u done
        "#]],
    );
}

#[test]
fn a_cancelled_run_stops_what_is_in_flight() {
    check(
        "a, b -> c",
        "
            cancel
            a ok
            b fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            cancel: cancelled by ada, stop a#1, stop b#1
            a ok: a done
            b fail: b failed: exit, ended cancelled (cancelled by ada; `b` failed: it failed: exit)
            = cancelled: a done, b failed, c blocked
        "#]],
    );
}

#[test]
fn a_cancelled_run_does_not_wait_for_doubts() {
    check(
        "a, p; p: probe, asks",
        "
            cancel
            a unknown
            p unknown
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, p#1
            cancel: cancelled by ada, stop a#1, stop p#1
            a unknown: a unknown: timeout
            p unknown: p unknown: timeout, ended cancelled (cancelled by ada; `a` is in doubt: it failed: timeout; `p` is in doubt: it failed: timeout)
            = cancelled: a unknown, p unknown
        "#]],
    );
}

#[test]
fn a_cancelled_run_does_not_wait_for_retries_or_people() {
    check(
        "a, go; a: retry=3, pause=1000; go: approval",
        "
            a fail
            cancel
        ",
        &expect![[r#"
            start: started, epoch 1, ask go, a#1
            a fail: a failed: exit, again at 1000
            cancel: cancelled by ada, a failed: exit, ended cancelled (cancelled by ada; `a` failed: it failed: exit)
            = cancelled: a failed, go pending
        "#]],
    );
}

#[test]
fn a_crash_while_cancelling() {
    check(
        "a, b, p; b: idempotent; p: probe, asks",
        "
            cancel
            crash
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1, p#1
            cancel: cancelled by ada, stop a#1, stop b#1, stop p#1
            crash: epoch 2, a unknown: engine_lost, b unknown: engine_lost, p unknown: engine_lost, b failed: engine_lost, ended cancelled (cancelled by ada; `a` is in doubt: the engine stopped while the step was running; `b` failed: the engine stopped while the step was running; `p` is in doubt: the engine stopped while the step was running)
            = cancelled: a unknown, b failed, p unknown
        "#]],
    );
}

#[test]
fn a_paused_run_can_be_cancelled() {
    check(
        "a -> b; t: finally",
        "
            pause
            a ok
            cancel
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            pause: paused
            a ok: a done
            cancel: cancelled by ada, finally after cancelled, t#1
            t ok: t done, ended cancelled (cancelled by ada)
            = cancelled: a done, b pending, t done
        "#]],
    );
}

#[test]
fn a_cancelled_run_is_not_tried_again_before_its_end() {
    check(
        "a, b",
        "
            a fail
            cancel
            retry a
            b fail
            retry a
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a fail: a failed: exit
            cancel: cancelled by ada, stop b#1
            retry a: refused: nothing can be tried again now: the run is being cancelled
            b fail: b failed: exit, ended cancelled (cancelled by ada; `a` failed: it failed: exit; `b` failed: it failed: exit)
            retry a: retry a, a#2/2
            a ok: a done, ended failed (`b` failed: it failed: exit)
            = failed: a done, b failed
        "#]],
    );
}

#[test]
fn what_has_ended_cannot_be_steered() {
    check(
        "a",
        "
            a ok
            pause
            unpause
            cancel
            approve a by bob
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            pause: refused: nothing can be paused now: the run is done
            unpause: refused: the run is not paused
            cancel: refused: nothing can be cancelled now: the run is done
            approve a by bob: refused: `a` does not wait for a decision; `show` lists what does
            done a: refused: `a` is done, not in doubt: there is nothing to resolve
            = done: a done
        "#]],
    );
}

#[test]
fn a_question_of_a_main_step_is_not_answered_during_the_last_steps() {
    check(
        "a, go -> b; go: approval; t: finally",
        "
            a fail
            approve go by bob
            t ok
            retry a
            approve go by bob
            a ok
            b ok
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask go, a#1
            a fail: a failed: exit, finally after failed, t#1
            approve go by bob: refused: `go` does not wait for a decision; `show` lists what does
            t ok: t done, ended failed (`a` failed: it failed: exit)
            retry a: retry a, a#2/2
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, b#1
            a ok: a done
            b ok: b done, finally after done, t#2/2
            t ok: t done, ended done
            = done: a done, go done, b done, t done
        "#]],
    );
}

#[test]
fn a_doubt_of_a_main_step_is_not_settled_during_the_last_steps() {
    check(
        "a; t: finally",
        "
            cancel
            a unknown
            not-done a
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            cancel: cancelled by ada, stop a#1
            a unknown: a unknown: timeout, finally after cancelled, t#1
            not-done a: refused: nothing can be resolved now: the run is at its last steps
            t ok: t done, ended cancelled (cancelled by ada; `a` is in doubt: it failed: timeout)
            = cancelled: a unknown, t done
        "#]],
    );
}

#[test]
fn the_time_of_a_run_passes() {
    check(
        "a -> b; run: timeout=1000; t: finally",
        "
            at 999
            at 1000
            a fail
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            at 999: -
            at 1000: cancelled by the clock, stop a#1
            a fail: a failed: exit, finally after failed, t#1
            t ok: t done, ended failed (cancelled by the engine: the run's `limits.timeout` passed; `a` failed: it failed: exit)
            = failed: a failed, b blocked, t done
        "#]],
    );
}

#[test]
fn the_time_of_a_run_passed_while_nobody_drove() {
    check(
        "a -> b; run: timeout=1000; a: idempotent",
        "
            at 900
            crash
            at 1000
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            at 900: -
            crash: epoch 2, a unknown: engine_lost, a#2
            at 1000: cancelled by the clock, stop a#2
            = working: a running, b pending
        "#]],
    );
}

#[test]
fn a_run_that_took_too_long_can_be_tried_again() {
    check(
        "a -> b; run: timeout=1000",
        "
            at 1000
            a fail
            at 2000
            retry a
            at 2999
            crash
            not-done a
            a ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            at 1000: cancelled by the clock, stop a#1
            a fail: a failed: exit, ended failed (cancelled by the engine: the run's `limits.timeout` passed; `a` failed: it failed: exit)
            at 2000: -
            retry a: retry a, a#2/2
            at 2999: -
            crash: epoch 2, a unknown: engine_lost
            not-done a: a resolved: not done, a#3/2
            a ok: a done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_run_whose_time_passed_while_nobody_drove_starts_nothing() {
    check(
        "a -> b, c -> d; run: timeout=1000; a: idempotent; c: probe, asks",
        "
            later 1000
            crash
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, c#1
            crash: epoch 2, cancelled by the clock, a unknown: engine_lost, c unknown: engine_lost, a failed: engine_lost, ended failed (cancelled by the engine: the run's `limits.timeout` passed; `a` failed: the engine stopped while the step was running; `c` is in doubt: the engine stopped while the step was running)
            = failed: a failed, b blocked, c unknown, d pending
        "#]],
    );
}

#[test]
fn an_interrupted_run_starts_nothing_and_can_go_on() {
    check(
        "a -> b, c",
        "
            interrupt
            a ok
            c ok
            resume
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, c#1
            interrupt: -
            a ok: a done
            c ok: c done, interrupted
            resume: epoch 2, b#1
            b ok: b done, ended done
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn an_interrupted_run_with_nothing_in_flight() {
    check(
        "go; go: approval",
        "
            interrupt
            crash
            approve go by bob
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            interrupt: interrupted
            crash: epoch 2
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn an_interrupt_at_the_very_end() {
    check(
        "a",
        "
            interrupt
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            interrupt: -
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_interrupt_before_the_last_steps() {
    check(
        "a; t: finally",
        "
            interrupt
            a ok
            resume
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            interrupt: -
            a ok: a done, finally after done, interrupted
            resume: epoch 2, t#1
            t ok: t done, ended done
            = done: a done, t done
        "#]],
    );
}

#[test]
fn an_interrupt_during_the_last_steps() {
    check(
        "a; t: finally",
        "
            a ok
            interrupt
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            interrupt: -
            t ok: t done, ended done
            = done: a done, t done
        "#]],
    );
}

#[test]
fn an_interrupt_does_not_probe() {
    check(
        "a; a: probe, asks",
        "
            interrupt
            a unknown
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            interrupt: -
            a unknown: a unknown: timeout, interrupted
            crash: epoch 2, probe a#2
            a ok: a probed: done, a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_interrupt_during_a_pause() {
    check(
        "a -> b",
        "
            pause
            interrupt
            a ok
            resume
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            pause: paused
            interrupt: -
            a ok: a done, interrupted
            resume: epoch 2, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_skipped_run_is_done() {
    check(
        "a -> b; a: when=false; b: when=false",
        "",
        &expect![[r#"
        start: started, epoch 1, a skipped, b skipped, ended done
        = done: a skipped, b skipped
    "#]],
    );
}

#[test]
fn a_run_of_nothing_but_last_steps() {
    check(
        "t: finally",
        "t ok",
        &expect![[r#"
        start: started, epoch 1, finally after done, t#1
        t ok: t done, ended done
        = done: t done
    "#]],
    );
}
