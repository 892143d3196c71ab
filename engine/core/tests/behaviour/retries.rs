//! Failures: again after a pause, or for good.

use crate::play::check;
use expect_test::expect;

#[test]
fn a_failed_step_is_tried_again_after_a_pause() {
    check(
        "a; a: retry=3, pause=100",
        "
            a fail
            wake
            a fail
            wake
            a fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            wake at 100: a#2
            a fail: a failed: exit, again at 200
            wake at 200: a#3
            a fail: a failed: exit, ended failed (`a` failed: it failed: exit)
            = failed: a failed
        "#]],
    );
}

#[test]
fn the_pause_doubles_up_to_a_limit() {
    check(
        "a; a: retry=5, pause=100, exponential, most=300",
        "
            a fail
            wake
            a fail
            wake
            a fail
            wake
            a fail
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            wake at 100: a#2
            a fail: a failed: exit, again at 300
            wake at 300: a#3
            a fail: a failed: exit, again at 600
            wake at 600: a#4
            a fail: a failed: exit, again at 900
            wake at 900: a#5
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn jitter_moves_the_pause_inside_its_upper_half() {
    check(
        "a, b; a: retry=2, pause=1000, jitter; b: retry=2, pause=1000, jitter",
        "
            a fail
            b fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a fail: a failed: exit, again at 680
            b fail: b failed: exit, again at 502
            = working: a running, b running
        "#]],
    );
}

#[test]
fn only_the_named_classes_are_tried_again() {
    check(
        "a, b, c; a: retry=2, on=timeout+7; b: retry=2, on=timeout+7; c: retry=2, on=timeout+7, continue; a: continue; b: continue",
        "
            a fail timeout
            b fail exit 7
            c fail exit 8
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1, c#1
            a fail timeout: a failed: timeout, again at 100
            b fail exit 7: b failed: exit, again at 100
            c fail exit 8: c failed: exit
            = working: a running, b running, c failed
        "#]],
    );
}

#[test]
fn a_deadline_ends_the_tries() {
    check(
        "a; a: retry=9, pause=100, deadline=250",
        "
            a fail
            wake
            a fail
            at 200
            a fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            wake at 100: a#2
            a fail: a failed: exit, again at 200
            at 200: a#3
            a fail: a failed: exit, ended failed (`a` failed: it failed: exit)
            = failed: a failed
        "#]],
    );
}

#[test]
fn a_deadline_counts_anew_when_a_person_asks_for_another_try() {
    check(
        "a; a: retry=2, pause=100, deadline=150",
        "
            a fail
            wake
            a fail
            at 5000
            retry a
            a fail
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            wake at 100: a#2
            a fail: a failed: exit, ended failed (`a` failed: it failed: exit)
            at 5000: -
            retry a: retry a, a#3/2
            a fail: a failed: exit, again at 5100
            wake at 5100: a#4/2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_retry_is_not_forgotten_by_a_crash() {
    check(
        "a; a: retry=2, pause=100",
        "
            a fail
            crash
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            crash: epoch 2
            wake at 100: a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_retry_that_came_due_while_nobody_looked_starts_at_once() {
    check(
        "a; a: retry=2, pause=100",
        "
            a fail
            at 99
            crash
            at 5000
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            at 99: -
            crash: epoch 2
            at 5000: a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_step_in_doubt_with_the_same_intent_keeps_it() {
    check(
        "a; a: keyed",
        "
            a unknown
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a unknown: a unknown: timeout
            crash: epoch 2, a#2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_retry_that_a_person_asks_for_is_another_intent() {
    check(
        "a; a: keyed, retry=2",
        "
            a fail
            wake
            a fail
            retry a
            a fail
            crash
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a fail: a failed: exit, again at 100
            wake at 100: a#2
            a fail: a failed: exit, ended failed (`a` failed: it failed: exit)
            retry a: retry a, a#3/2
            a fail: a failed: exit, again at 200
            crash: epoch 2
            wake at 200: a#4/2
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn an_effect_that_is_there_is_not_repeated_because_its_check_did_not_hold() {
    check(
        "a, b; a: retry=3; b: retry=3, idempotent",
        "
            a fail verify
            b fail verify
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a fail verify: a failed: verify
            b fail verify: b failed: verify, again at 100, b failed: verify, ended failed (`a` failed: it failed: verify; `b` failed: it failed: verify)
            = failed: a failed, b failed
        "#]],
    );
}

#[test]
fn only_a_failed_step_is_tried_again() {
    check(
        "a -> b",
        "
            retry a
            retry b
            retry c
            a ok
            retry a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            retry a: refused: `a` is running: only a failed step can be tried again
            retry b: refused: `b` is pending: only a failed step can be tried again
            retry c: refused: this run has no step `c`
            a ok: a done, b#1
            retry a: refused: `a` is done: only a failed step can be tried again
            = working: a done, b running
        "#]],
    );
}

#[test]
fn retries_are_given_up_when_the_run_halts() {
    check(
        "a, b; a: retry=3, pause=1000",
        "
            a fail
            b fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a fail: a failed: exit, again at 1000
            b fail: b failed: exit, a failed: exit, ended failed (`a` failed: it failed: exit; `b` failed: it failed: exit)
            = failed: a failed, b failed
        "#]],
    );
}

#[test]
fn a_retry_that_waits_for_a_mutex_is_given_up_when_the_run_halts() {
    check(
        "a, b, c; a: retry=3, locks=m; b: locks=m",
        "
            locked a
            a fail
            wake
            locked b
            c fail
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, c#1, lock m for a
            locked a: a#1
            a fail: a failed: exit, again at 100, unlock a, lock m for b
            wake at 100: -
            locked b: b#1
            c fail: c failed: exit
            b ok: b done, a failed: exit, ended failed (`a` failed: it failed: exit; `c` failed: it failed: exit), unlock b
            = failed: a failed, b done, c failed
        "#]],
    );
}
