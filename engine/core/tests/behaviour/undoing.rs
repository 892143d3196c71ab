//! Reversing what was done.

use crate::play::check;
use expect_test::expect;

#[test]
fn everything_is_undone_the_furthest_first() {
    check(
        "a -> b -> c; a: undo; b: undo; c: undo",
        "
            a ok
            b ok
            c ok
            undo
            c ok
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            undo: undo asked, undo c#2/2
            c ok: c undone, undo b#2/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, c undone
        "#]],
    );
}

#[test]
fn a_level_is_undone_at_the_same_time() {
    check(
        "a -> b -> d, a -> c -> d; a: undo; b: undo; c: undo",
        "
            a ok
            b ok
            c ok
            undo
            d ok
            c ok
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1, c#1
            b ok: b done
            c ok: c done, d#1
            undo: undo asked
            d ok: d done, undo b#2/2, undo c#2/2
            c ok: c undone
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, d done, c undone
        "#]],
    );
}

#[test]
fn an_undo_respects_the_room_of_the_run() {
    check(
        "a, b, c; a: undo; b: undo; c: undo; run: max=1",
        "
            all ok
            undo
            all ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            undo: undo asked, undo a#2/2
            a ok: a undone, undo b#2/2
            b ok: b undone, undo c#2/2
            c ok: c undone, ended cancelled
            = cancelled: a undone, b undone, c undone
        "#]],
    );
}

#[test]
fn an_undo_goes_down_to_a_step() {
    check(
        "a -> b -> c; a: undo; b: undo; c: undo",
        "
            all ok
            undo to b
            all ok
            undo
            all ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            undo to b: undo asked to b, undo c#2/2
            c ok: c undone, undo b#2/2
            b ok: b undone, ended cancelled
            undo: undo asked, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, c undone
        "#]],
    );
}

#[test]
fn what_finishes_while_an_undo_begins_is_undone_too() {
    check(
        "a, b -> c; a: undo; b: undo",
        "
            a ok
            undo
            b ok
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1, b#1
            a ok: a done
            undo: undo asked
            b ok: b done, undo a#2/2, undo b#2/2
            b ok: b undone
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, c pending
        "#]],
    );
}

#[test]
fn a_failure_asks_for_an_undo() {
    check(
        "a -> b; a: undo; b: undoes; t: finally",
        "
            a ok
            b fail
            a ok
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b fail: b failed: exit, undo asked, undo a#2/2
            a ok: a undone, finally after failed, t#1
            t ok: t done, ended failed (`b` failed: it failed: exit)
            = failed: a undone, b failed, t done
        "#]],
    );
}

#[test]
fn a_failure_that_asks_for_an_undo_with_nothing_to_undo() {
    check(
        "a -> b; b: undoes",
        "
            a ok
            b fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b fail: b failed: exit, ended failed (`b` failed: it failed: exit)
            = failed: a done, b failed
        "#]],
    );
}

#[test]
fn a_failure_asks_for_an_undo_and_the_engine_dies_before_it_begins() {
    check(
        "a -> b, a -> c; a: undo; b: undoes",
        "
            a ok
            b fail
            crash
            done c
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1, c#1
            b fail: b failed: exit
            crash: epoch 2, c unknown: engine_lost, undo asked
            done c: c resolved: done, undo a#2/2
            a ok: a undone, ended failed (`b` failed: it failed: exit)
            = failed: a undone, b failed, c done
        "#]],
    );
}

#[test]
fn a_condition_that_cannot_be_judged_asks_for_an_undo_too() {
    check(
        "a -> b; a: undo; b: undoes, when=error",
        "
            a ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b failed: template, undo asked, undo a#2/2
            a ok: a undone, ended failed (`b` failed: Some("error") is not a condition)
            = failed: a undone, b failed
        "#]],
    );
}

#[test]
fn a_failure_past_the_point_of_no_return_undoes_nothing() {
    check(
        "a -> b -> c; a: undo; b: no_return; c: undoes",
        "
            a ok
            b ok
            c fail
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c fail: c failed: exit, ended failed (nothing was undone: `b` is the point of no return; `c` failed: it failed: exit)
            = failed: a done, b done, c failed
        "#]],
    );
}

#[test]
fn undo_is_refused_past_the_point_of_no_return() {
    check(
        "a -> b -> c; a: undo; b: no_return, undo; c: undo",
        "
            a ok
            undo to c
            b ok
            undo
            undo to b
            c ok
            undo to c
            c ok
            undo past
            all ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            undo to c: refused: nothing that is done can be undone
            b ok: b done, c#1
            undo: refused: `b` is the point of no return, and is done or under way: undo needs --past-point-of-no-return
            undo to b: refused: `b` is the point of no return, and is done or under way: undo needs --past-point-of-no-return
            c ok: c done, ended done
            undo to c: undo asked to c, undo c#2/2
            c ok: c undone, ended cancelled
            undo past: undo asked, undo b#2/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, c undone
        "#]],
    );
}

#[test]
fn undo_is_refused_while_the_point_of_no_return_is_in_flight() {
    check(
        "a -> b; a: undo; b: no_return, undo",
        "
            a ok
            undo to a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            undo to a: refused: `b` is the point of no return, and is done or under way: undo needs --past-point-of-no-return
            = working: a done, b running
        "#]],
    );
}

#[test]
fn nothing_to_undo() {
    check(
        "a",
        "
            a ok
            undo
            undo to x
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: refused: nothing that is done can be undone
            undo to x: refused: this run has no step `x`
            = done: a done
        "#]],
    );
}

#[test]
fn an_undo_is_tried_again_as_the_steps_policy_says() {
    check(
        "a; a: undo, retry=2, pause=100",
        "
            a ok
            undo
            a fail
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            a fail: undo a failed: exit, again at 100
            wake at 100: undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_undo_has_no_deadline() {
    check(
        "a; a: undo, retry=2, pause=100, deadline=50",
        "
            a ok
            at 9000
            undo
            a fail
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            at 9000: -
            undo: undo asked, undo a#2/2
            a fail: undo a failed: exit, again at 9100
            wake at 9100: undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_undo_that_fails_is_stuck_done() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            b fail
            done b
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            b fail: undo b failed: exit
            done b: b resolved: done, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn an_undo_that_fails_is_stuck_not_done() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            b fail
            not-done b
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            b fail: undo b failed: exit
            not-done b: b resolved: not done, undo b#3/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn an_undo_that_fails_is_stuck_skip() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            b fail
            skip b
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            b fail: undo b failed: exit
            skip b: b resolved: skip, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b done
        "#]],
    );
}

#[test]
fn what_is_left_as_it_is_stays_so_after_a_crash() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            b fail
            skip b
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            b fail: undo b failed: exit
            skip b: b resolved: skip, undo a#2/2
            crash: epoch 2, undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b done
        "#]],
    );
}

#[test]
fn an_engine_lost_during_an_idempotent_undo() {
    check(
        "a; a: undo=idempotent",
        "
            a ok
            undo
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            crash: epoch 2, undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_engine_lost_during_an_undo_that_must_not_repeat() {
    check(
        "a; a: undo=once",
        "
            a ok
            undo
            crash
            not-done a
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            crash: epoch 2, undo a failed: engine_lost
            not-done a: a resolved: not done, undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_engine_lost_during_an_undo_by_the_type() {
    check(
        "a; a: undo=auto",
        "
            a ok
            undo
            crash
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            crash: epoch 2, undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_engine_lost_between_two_levels() {
    check(
        "a -> b -> c; a: undo; b: undo; c: undo",
        "
            all ok
            undo
            c ok
            crash
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, c#1
            c ok: c done, ended done
            undo: undo asked, undo c#2/2
            c ok: c undone, undo b#2/2
            crash: epoch 2, undo b#3/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone, c undone
        "#]],
    );
}

#[test]
fn an_undo_in_doubt_that_may_repeat() {
    check(
        "a; a: undo=idempotent, retry=2",
        "
            a ok
            undo
            a unknown
            wake
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            a unknown: undo a failed: timeout, again at 100
            wake at 100: undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_undo_in_doubt_that_must_not_repeat() {
    check(
        "a; a: undo=once, retry=2",
        "
            a ok
            undo
            a unknown
            done a
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            a unknown: undo a failed: timeout
            done a: a resolved: done, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn a_doubt_is_settled_before_the_undo_done() {
    check(
        "a -> b; a: undo; b: undo",
        "
            a ok
            b unknown
            undo
            done b
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b unknown: b unknown: timeout
            undo: undo asked
            done b: b resolved: done, undo b#2/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn a_doubt_is_settled_before_the_undo_not_done() {
    check(
        "a -> b; a: undo; b: undo",
        "
            a ok
            b unknown
            undo
            not-done b
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b unknown: b unknown: timeout
            undo: undo asked
            not-done b: b resolved: not done, b failed: timeout, undo a#2/2
            a ok: a undone, ended cancelled (`b` failed: it failed: timeout)
            = cancelled: a undone, b failed
        "#]],
    );
}

#[test]
fn an_engine_lost_while_an_undo_waits_for_a_doubt() {
    check(
        "a -> b; a: undo; b: undo",
        "
            a ok
            undo
            crash
            done b
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            undo: undo asked
            crash: epoch 2, b unknown: engine_lost
            done b: b resolved: done, undo b#2/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn a_cancelled_run_with_a_doubt_is_undone() {
    check(
        "a -> b; a: undo; b: probe, asks, undo",
        "
            a ok
            cancel
            b unknown
            undo
            b ok
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            cancel: cancelled by ada, stop b#1
            b unknown: b unknown: timeout, ended cancelled (cancelled by ada; `b` is in doubt: it failed: timeout)
            undo: undo asked, probe b#2
            b ok: b probed: done, b done, undo b#3/2
            b ok: b undone, undo a#2/2
            a ok: a undone, ended cancelled (cancelled by ada)
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn a_paused_run_is_undone() {
    check(
        "a -> b; a: undo",
        "
            a ok
            pause
            undo
            b fail
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            pause: paused
            undo: undo asked
            b fail: b failed: exit, undo a#2/2
            a ok: a undone, ended cancelled (`b` failed: it failed: exit)
            = cancelled: a undone, b failed
        "#]],
    );
}

#[test]
fn an_undo_can_be_paused() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            pause
            b ok
            unpause
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            pause: paused
            b ok: b undone
            unpause: unpaused, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn an_undo_waits_for_a_retry_although_paused() {
    check(
        "a; a: undo, retry=2, pause=100",
        "
            a ok
            undo
            a fail
            pause
            wake
            unpause
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ended done
            undo: undo asked, undo a#2/2
            a fail: undo a failed: exit, again at 100
            pause: paused
            wake at 100: -
            unpause: unpaused, undo a#3/2
            a ok: a undone, ended cancelled
            = cancelled: a undone
        "#]],
    );
}

#[test]
fn an_undo_goes_on_after_an_interrupt() {
    check(
        "a -> b; a: undo; b: undo",
        "
            all ok
            undo
            interrupt
            b ok
            resume
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b ok: b done, ended done
            undo: undo asked, undo b#2/2
            interrupt: -
            b ok: b undone, interrupted
            resume: epoch 2, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b undone
        "#]],
    );
}

#[test]
fn one_undo_at_a_time() {
    check(
        "a -> b; a: undo",
        "
            a ok
            undo
            undo
            cancel
            retry a
            b ok
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            undo: undo asked
            undo: refused: an undo goes on already
            cancel: refused: an undo goes on already
            retry a: refused: nothing can be tried again now: the run is undone
            b ok: b done, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, b done
        "#]],
    );
}

#[test]
fn what_was_undone_is_not_tried_again() {
    check(
        "a -> b; a: undo",
        "
            a ok
            b fail
            undo
            a ok
            retry b
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b fail: b failed: exit, ended failed (`b` failed: it failed: exit)
            undo: undo asked, undo a#2/2
            a ok: a undone, ended cancelled (`b` failed: it failed: exit)
            retry b: refused: nothing can be tried again now: the run is undone
            = cancelled: a undone, b failed
        "#]],
    );
}

#[test]
fn questions_of_what_is_being_undone_are_not_answered() {
    check(
        "a, go -> c; a: undo; go: approval",
        "
            a ok
            undo
            approve go by bob
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask go, a#1
            a ok: a done
            undo: undo asked, undo a#2/2
            approve go by bob: refused: `go` does not wait for a decision; `show` lists what does
            a ok: a undone, ended cancelled
            = cancelled: a undone, go pending, c pending
        "#]],
    );
}

#[test]
fn an_undo_during_the_last_steps_has_to_wait() {
    check(
        "a; a: undo; t: finally",
        "
            a ok
            undo
            t ok
            undo
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, finally after done, t#1
            undo: refused: nothing can be undone now: the run is at its last steps
            t ok: t done, ended done
            undo: undo asked, undo a#2/2
            a ok: a undone, ended cancelled
            = cancelled: a undone, t done
        "#]],
    );
}

#[test]
fn instances_are_undone() {
    check(
        "s; s: each=x+y, undo",
        "
            all ok
            undo
            all ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y], s[x]#1, s[y]#1
            s[x] ok: s[x] done
            s[y] ok: s[y] done, ended done
            undo: undo asked, undo s[x]#2/2, undo s[y]#2/2
            s[x] ok: s[x] undone
            s[y] ok: s[y] undone, ended cancelled
            = cancelled: s undone
        "#]],
    );
}

#[test]
fn an_undo_by_nobody_fails_the_run_and_one_by_a_person_cancels_it() {
    check(
        "a -> b; a: undo; b: undoes",
        "
            a ok
            b fail
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b fail: b failed: exit, undo asked, undo a#2/2
            a ok: a undone, ended failed (`b` failed: it failed: exit)
            = failed: a undone, b failed
        "#]],
    );
}

#[test]
fn a_failed_last_step_after_an_undo_can_be_tried_again() {
    check(
        "a -> b; a: undo; b: undoes; t: finally",
        "
            a ok
            b fail
            a ok
            t fail
            retry t
            t ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, b#1
            b fail: b failed: exit, undo asked, undo a#2/2
            a ok: a undone, finally after failed, t#1
            t fail: t failed: exit, ended failed (`b` failed: it failed: exit; `t` failed: it failed: exit)
            retry t: retry t, t#2/2
            t ok: t done, ended failed (`b` failed: it failed: exit)
            = failed: a undone, b failed, t done
        "#]],
    );
}
