//! Who starts when: needs, room, mutexes, conditions.

use crate::play::check;
use expect_test::expect;

#[test]
fn a_chain_runs_in_order() {
    check(
        "a -> b -> c",
        "
            a ok
            b ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn independent_steps_run_at_the_same_time() {
    check(
        "a -> c, b -> c",
        "
            b ok
            a ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            b ok: b done
            a ok: a done, c#1
            c ok: c done, ended done
            = done: a done, c done, b done
        "#]],
    );
}

#[test]
fn the_run_bounds_what_is_in_flight() {
    check(
        "a, b, c; run: max=2",
        "
            a ok
            b ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a ok: a done, c#1
            b ok: b done
            c ok: c done, ended done
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn a_limit_of_none_still_lets_one_step_run() {
    check(
        "a, b; run: max=0",
        "all ok",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_mutex_is_held_by_one_step_at_a_time() {
    check(
        "a, b, c; a: locks=m; b: locks=m; c: locks=m",
        "
            locked a
            a ok
            locked b
            b fail
        ",
        &expect![[r#"
            start: started, epoch 1, lock m for a
            locked a: a#1
            a ok: a done, unlock a, lock m for b
            locked b: b#1
            b fail: b failed: exit, ended failed (`b` failed: it failed: exit), unlock b
            = failed: a done, b failed, c pending
        "#]],
    );
}

#[test]
fn two_mutexes_are_taken_together_and_passed_on() {
    check(
        "a, b, c; a: locks=m+n; b: locks=n; c: locks=m",
        "
            locked a
            a ok
            locked b
            locked c
            b ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, lock m+n for a
            locked a: a#1
            a ok: a done, unlock a, lock n for b, lock m for c
            locked b: b#1
            locked c: c#1
            b ok: b done, unlock b
            c ok: c done, ended done, unlock c
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn whoever_waits_for_a_mutex_that_is_taken_does_not_keep_others_from_another() {
    check(
        "a, b, c, d; a: locks=m; b: locks=n+m; c: locks=n; d: locks=m",
        "
            locked a
            locked c
            c ok
            a ok
            locked b
            b ok
            locked d
            d ok
        ",
        &expect![[r#"
            start: started, epoch 1, lock m for a, lock n for c
            locked a: a#1
            locked c: c#1
            c ok: c done, unlock c
            a ok: a done, unlock a, lock m+n for b
            locked b: b#1
            b ok: b done, unlock b, lock m for d
            locked d: d#1
            d ok: d done, ended done, unlock d
            = done: a done, b done, c done, d done
        "#]],
    );
}

#[test]
fn mutexes_are_asked_for_again_after_a_crash() {
    check(
        "a, b; a: locks=m; b: locks=m",
        "
            locked a
            crash
            not-done a
            locked b
            b ok
            locked a
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, lock m for a
            locked a: a#1
            crash: epoch 2, a unknown: engine_lost, lock m for b
            not-done a: a resolved: not done
            locked b: b#1
            b ok: b done, unlock b, lock m for a
            locked a: a#2
            a ok: a done, ended done, unlock a
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_run_that_waits_for_a_mutex_works() {
    check(
        "a; a: locks=m",
        "",
        &expect![[r#"
            start: started, epoch 1, lock m for a
            = working: a pending
        "#]],
    );
}

#[test]
fn a_mutex_that_comes_after_its_step_was_settled_is_let_go() {
    check(
        "a, b; a: locks=m, idempotent",
        "
            locked a
            a unknown
            wake
            done a
            locked a
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, b#1, lock m for a
            locked a: a#1
            a unknown: a unknown: timeout, unlock a
            wake at 1000: lock m for a
            done a: a resolved: done
            locked a: unlock a
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn a_condition_that_does_not_hold_skips_the_step_and_dependents_go_on() {
    check(
        "a -> b -> c; b: when=false",
        "
            a ok
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b skipped, c#1
            c ok: c done, ended done
            = done: a done, b skipped, c done
        "#]],
    );
}

#[test]
fn a_condition_that_cannot_be_judged_fails_the_step() {
    check(
        "a -> b -> c; b: when=error",
        "a ok",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b failed: template, ended failed (`b` failed: Some("error") is not a condition)
            = failed: a done, b failed, c blocked
        "#]],
    );
}

#[test]
fn a_step_left_out_of_the_plan_is_skipped() {
    check(
        "a -> b; a: left_out",
        "b ok",
        &expect![[r#"
            start: started, epoch 1, a skipped, b#1
            b ok: b done, ended done
            = done: a skipped, b done
        "#]],
    );
}

#[test]
fn a_condition_holds() {
    check(
        "a; a: when=true",
        "a ok",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_report_for_an_attempt_that_is_over_leaves_no_trace() {
    check(
        "a -> b",
        "
            a ok
            crash
            late b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            crash: epoch 2, b unknown: engine_lost
            late b ok: refused: attempt 1 of `b` (epoch 1) is not the current one
            = parked [verdict b?]: a done, b unknown
        "#]],
    );
}

#[test]
fn until_lets_only_ancestors_start_and_then_pauses() {
    check(
        "a -> b -> c, d; run: until=b",
        "
            a ok
            b ok
            resume
            c ok
            d ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, paused
            resume: epoch 2, c#1, d#1
            c ok: c done
            d ok: d done, ended done
            = done: a done, b done, c done, d done
        "#]],
    );
}

#[test]
fn until_still_holds_for_a_run_that_crashed_before_it_was_reached() {
    check(
        "a -> b -> c; run: until=b",
        "
            a ok
            resume
            done b
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            resume: epoch 2, b unknown: engine_lost
            done b: b resolved: done, paused
            = parked: a done, b done, c pending
        "#]],
    );
}

#[test]
fn a_pause_before_until_is_reached_does_not_lift_it() {
    check(
        "a -> b -> c; run: until=b",
        "
            pause
            a ok
            unpause
            b ok
            unpause
            c ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            pause: paused
            a ok: a done
            unpause: unpaused, b#1
            b ok: b done, paused
            unpause: unpaused, c#1
            c ok: c done, ended done
            = done: a done, b done, c done
        "#]],
    );
}

#[test]
fn the_last_steps_run_although_until_leaves_them_out() {
    check(
        "a -> b -> c; t: finally; run: until=b",
        "
            a ok
            cancel
            b fail
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            cancel: cancelled by ada, stop b#1
            b fail: b failed: exit, finally after cancelled, t#1
            t ok: t done, ended cancelled (cancelled by ada; `b` failed: it failed: exit)
            = cancelled: a done, b failed, c blocked, t done
        "#]],
    );
}

#[test]
fn nothing_starts_while_the_run_is_paused() {
    check(
        "a -> b; t: finally",
        "
            pause
            a ok
            unpause
            pause
            b ok
            resume
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            pause: paused
            a ok: a done
            unpause: unpaused, b#1
            pause: paused
            b ok: b done, finally after done
            resume: epoch 2, t#1
            t ok: t done, ended done
            = done: a done, b done, t done
        "#]],
    );
}

#[test]
fn a_tenure_with_a_number_that_was_used_before_is_refused() {
    check(
        "a",
        "crash",
        &expect![[r#"
            start: started, epoch 1, a#1
            crash: epoch 2, a unknown: engine_lost
            = parked [verdict a?]: a unknown
        "#]],
    );
}

#[test]
fn a_note_is_kept() {
    check(
        "a",
        "
            note smoke in the room
            a ok
            note all clear
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            note smoke in the room: note: smoke in the room
            a ok: a done, ended done
            note all clear: note: all clear
            = done: a done
        "#]],
    );
}
