//! Approvals and manual steps.

use crate::play::check;
use expect_test::expect;

#[test]
fn an_approval_is_asked_given_and_is_the_output() {
    check(
        "go -> a; go: approval",
        "
            approve go by bob
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, a#1
            a ok: a done, ended done
            = done: go done, a done
        "#]],
    );
}

#[test]
fn an_approval_is_refused() {
    check(
        "go -> a; go: approval",
        "reject go by bob",
        &expect![[r#"
            start: started, epoch 1, ask go
            reject go by bob: go rejected by bob, go failed: rejected, ended failed (`go` failed: bob said no)
            = failed: go failed, a blocked
        "#]],
    );
}

#[test]
fn a_refused_approval_is_asked_again_on_retry() {
    check(
        "go -> a; go: approval",
        "
            reject go by bob
            retry go
            approve go by bob
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            reject go by bob: go rejected by bob, go failed: rejected, ended failed (`go` failed: bob said no)
            retry go: retry go, ask go
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, a#1
            a ok: a done, ended done
            = done: go done, a done
        "#]],
    );
}

#[test]
fn a_step_asks_before_it_starts() {
    check(
        "a -> b; b: approve",
        "
            a ok
            approve b by bob
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ask b
            approve b by bob: b granted by bob, b#1
            b ok: b done, ended done
            = done: a done, b done
        "#]],
    );
}

#[test]
fn two_approvers_are_two_people() {
    check(
        "go; go: approval, approvers=2",
        "
            approve go by bob
            approve go by bob
            approve go by eve
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            approve go by bob: go granted by bob
            approve go by bob: refused: bob has approved `go` already; it takes 2 different people
            approve go by eve: go granted by eve, go done {"approved":true,"by":["bob","eve"],"choice":null}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn whoever_started_the_run_does_not_count() {
    check(
        "go; go: approval, not_initiator",
        "
            approve go by ada
            approve go by bob
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            approve go by ada: refused: ada started this run, and `go` must be approved by somebody else
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn a_choice_is_one_of_those_offered() {
    check(
        "go; go: approval, choices=east+west",
        "
            approve go by bob
            approve go by bob north
            approve go by bob west
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            approve go by bob: refused: `go` wants one of: east, west
            approve go by bob north: refused: `go` wants one of: east, west
            approve go by bob west: go granted by bob, go done {"approved":true,"by":["bob"],"choice":"west"}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn an_approval_expires() {
    check(
        "go -> a; go: approval, expires=1000",
        "
            at 999
            at 1000
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            at 999: -
            at 1000: go expired, go failed: expired, ended failed (`go` failed: nobody decided in time)
            = failed: go failed, a blocked
        "#]],
    );
}

#[test]
fn the_time_of_an_approval_goes_on_after_a_crash() {
    check(
        "go -> a; go: approval, expires=1000",
        "
            at 999
            crash
            approve go by bob
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            at 999: -
            crash: epoch 2
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, a#1
            a ok: a done, ended done
            = done: go done, a done
        "#]],
    );
}

#[test]
fn an_approval_expires_while_nobody_drives() {
    check(
        "go -> a; go: approval, expires=1000",
        "
            crash
            at 1000
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            crash: epoch 2
            at 1000: go expired, go failed: expired, ended failed (`go` failed: nobody decided in time)
            = failed: go failed, a blocked
        "#]],
    );
}

#[test]
fn a_rehearsal_is_waved_through() {
    check(
        "go; go: approval, approvers=2, not_initiator",
        "wave go by ada",
        &expect![[r#"
            start: started, epoch 1, ask go
            wave go by ada: go granted by ada, go done {"approved":true,"by":["ada"],"choice":null}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn production_is_not_waved_through_where_it_takes_somebody_else() {
    check(
        "go; go: approval, approvers=2; run: production",
        "wave go by ada",
        &expect![[r#"
            start: started, epoch 1, ask go
            wave go by ada: refused: `go` needs a decision by name on a production target: use `approve`, not --yes
            = parked [approval go?]: go pending
        "#]],
    );
}

#[test]
fn production_is_waved_through_where_the_one_who_runs_it_may_approve() {
    check(
        "go; go: approval, choices=east+west; run: production",
        "wave go by ada",
        &expect![[r#"
            start: started, epoch 1, ask go
            wave go by ada: go granted by ada, go done {"approved":true,"by":["ada"],"choice":"east"}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn nobody_asked() {
    check(
        "a -> go; go: approval",
        "
            approve go by bob
            approve a by bob
            reject x by bob
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            approve go by bob: refused: `go` does not wait for a decision; `show` lists what does
            approve a by bob: refused: `a` does not wait for a decision; `show` lists what does
            reject x by bob: refused: this run has no step `x`
            = working: a running, go pending
        "#]],
    );
}

#[test]
fn a_prompt_that_cannot_be_rendered_fails_the_step() {
    check(
        "go; go: approval, prompt=error",
        "",
        &expect![[r#"
            start: started, epoch 1, go failed: template, ended failed (`go` failed: the prompt reads a name that is not there)
            = failed: go failed
        "#]],
    );
}

#[test]
fn questions_survive_a_crash() {
    check(
        "go; go: approval, approvers=2",
        "
            approve go by bob
            crash
            approve go by eve
        ",
        &expect![[r#"
            start: started, epoch 1, ask go
            approve go by bob: go granted by bob
            crash: epoch 2
            approve go by eve: go granted by eve, go done {"approved":true,"by":["bob","eve"],"choice":null}, ended done
            = done: go done
        "#]],
    );
}

#[test]
fn an_approval_that_was_given_survives_a_crash() {
    check(
        "a; a: approve, idempotent",
        "
            pause
            approve a by bob
            crash
            unpause
            a ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask a
            pause: paused
            approve a by bob: a granted by bob
            crash: epoch 2
            unpause: unpaused, a#1
            a ok: a done, ended done
            = done: a done
        "#]],
    );
}

#[test]
fn a_manual_step_is_checked_before_it_is_done() {
    check(
        "m -> b; m: manual",
        "
            done m
            m fail verify
            done m
            m ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, instruct m
            done m: check m#1
            m fail verify: m probed: not done
            done m: check m#2
            m ok: m probed: done, m granted by ada, m done, b#1
            b ok: b done, ended done
            = done: m done, b done
        "#]],
    );
}

#[test]
fn approving_a_manual_step_says_that_it_was_carried_out() {
    check(
        "m; m: manual",
        "
            approve m by bob
            m ok
        ",
        &expect![[r#"
            start: started, epoch 1, instruct m
            approve m by bob: check m#1
            m ok: m probed: done, m granted by bob, m done, ended done
            = done: m done
        "#]],
    );
}

#[test]
fn a_manual_step_that_cannot_be_carried_out() {
    check(
        "m; m: manual",
        "not-done m",
        &expect![[r#"
            start: started, epoch 1, instruct m
            not-done m: m rejected by ada, m failed: rejected, ended failed (`m` failed: ada said no)
            = failed: m failed
        "#]],
    );
}

#[test]
fn a_manual_step_is_left_out() {
    check(
        "m -> b; m: manual",
        "
            skip m
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, instruct m
            skip m: m resolved: skip, b#1
            b ok: b done, ended done
            = done: m skipped, b done
        "#]],
    );
}

#[test]
fn a_claim_that_was_being_checked_when_the_engine_died_is_made_again() {
    check(
        "m; m: manual",
        "
            done m
            crash
            done m
            m ok
        ",
        &expect![[r#"
            start: started, epoch 1, instruct m
            done m: check m#1
            crash: epoch 2
            done m: check m#1
            m ok: m probed: done, m granted by ada, m done, ended done
            = done: m done
        "#]],
    );
}

#[test]
fn a_claim_is_made_once_at_a_time() {
    check(
        "m; m: manual",
        "
            done m
            done m
            approve m by bob
            m not-done
        ",
        &expect![[r#"
            start: started, epoch 1, instruct m
            done m: check m#1
            done m: refused: `m` is pending, not in doubt: there is nothing to resolve
            approve m by bob: refused: `m` does not wait for a decision; `show` lists what does
            m not-done: m probed: not done
            = parked [manual m?]: m pending
        "#]],
    );
}

#[test]
fn a_manual_step_may_need_approval_first() {
    check(
        "m; m: manual, approve",
        "
            approve m by bob
            done m
            m ok
        ",
        &expect![[r#"
            start: started, epoch 1, ask m
            approve m by bob: m granted by bob, instruct m
            done m: check m#1
            m ok: m probed: done, m granted by ada, m done, ended done
            = done: m done
        "#]],
    );
}

#[test]
fn an_approval_as_the_point_of_no_return() {
    check(
        "a -> go; a: undo; go: approval, no_return",
        "
            a ok
            approve go by bob
            undo
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, ask go
            approve go by bob: go granted by bob, go done {"approved":true,"by":["bob"],"choice":null}, ended done
            undo: refused: `go` is the point of no return, and is done or under way: undo needs --past-point-of-no-return
            = done: a done, go done
        "#]],
    );
}
