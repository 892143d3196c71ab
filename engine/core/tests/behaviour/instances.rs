//! `for_each`: one step, many instances.

use crate::play::check;
use expect_test::expect;

#[test]
fn every_element_is_an_instance() {
    check(
        "a -> s -> b; s: each=x+y",
        "
            a ok
            s[y] ok
            s[x] ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, s = [x y], s[x]#1, s[y]#1
            s[y] ok: s[y] done
            s[x] ok: s[x] done, b#1
            b ok: b done, ended done
            = done: a done, s done, b done
        "#]],
    );
}

#[test]
fn an_empty_list_is_done_at_once() {
    check(
        "a -> s -> b; s: each=",
        "
            a ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, a#1
            a ok: a done, s = [], b#1
            b ok: b done, ended done
            = done: a done, s done, b done
        "#]],
    );
}

#[test]
fn two_instances_of_one_key_fail_the_step() {
    check(
        "s -> b; s: each=x+x",
        "",
        &expect![[r#"
            start: started, epoch 1, s failed: template, ended failed (`s` failed: two instances have the key `x`)
            = failed: s failed, b blocked
        "#]],
    );
}

#[test]
fn a_list_that_cannot_be_made_fails_the_step() {
    check(
        "s -> b; s: each=error",
        "",
        &expect![[r#"
            start: started, epoch 1, s failed: template, ended failed (`s` failed: not a list)
            = failed: s failed, b blocked
        "#]],
    );
}

#[test]
fn a_step_bounds_its_own_instances() {
    check(
        "s; s: each=x+y+z, max=2",
        "
            s[x] ok
            s[y] fail
            s[z] ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y z], s[x]#1, s[y]#1
            s[x] ok: s[x] done, s[z]#1
            s[y] fail: s[y] failed: exit
            s[z] ok: s[z] done, ended failed (`s[y]` failed: it failed: exit)
            = failed: s failed
        "#]],
    );
}

#[test]
fn a_limit_of_none_still_lets_one_instance_run() {
    check(
        "s; s: each=x+y, max=0",
        "
            s[x] ok
            s[y] ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y], s[x]#1
            s[x] ok: s[x] done, s[y]#1
            s[y] ok: s[y] done, ended done
            = done: s done
        "#]],
    );
}

#[test]
fn a_step_of_many_instances_is_skipped_as_a_whole() {
    check(
        "s -> b; s: each=x+y, when=false",
        "b ok",
        &expect![[r#"
            start: started, epoch 1, s skipped, b#1
            b ok: b done, ended done
            = done: s skipped, b done
        "#]],
    );
}

#[test]
fn instances_that_waited_for_room_are_found_again_after_a_crash() {
    check(
        "s; s: each=x+y+z, max=1, idempotent",
        "
            s[x] ok
            crash
            s[y] ok
            s[z] ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y z], s[x]#1
            s[x] ok: s[x] done, s[y]#1
            crash: epoch 2, s[y] unknown: engine_lost, s[y]#2
            s[y] ok: s[y] done, s[z]#1
            s[z] ok: s[z] done, ended done
            = done: s done
        "#]],
    );
}

#[test]
fn only_failed_instances_are_tried_again() {
    check(
        "s -> b; s: each=x+y+z",
        "
            s[x] fail
            s[y] ok
            s[z] fail
            retry s
            all ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y z], s[x]#1, s[y]#1, s[z]#1
            s[x] fail: s[x] failed: exit
            s[y] ok: s[y] done
            s[z] fail: s[z] failed: exit, ended failed (`s[x]` failed: it failed: exit; `s[z]` failed: it failed: exit)
            retry s: retry s, s[x]#2/2, s[z]#2/2
            s[x] ok: s[x] done
            s[z] ok: s[z] done, b#1
            b ok: b done, ended done
            = done: s done, b done
        "#]],
    );
}

#[test]
fn one_instance_is_tried_again_and_the_other_stays_failed() {
    check(
        "s -> b; s: each=x+y",
        "
            s[x] fail
            s[y] fail
            retry s[y]
            s[y] ok
            retry s[x]
            s[x] fail
            retry s[x]
            s[x] ok
            b ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y], s[x]#1, s[y]#1
            s[x] fail: s[x] failed: exit
            s[y] fail: s[y] failed: exit, ended failed (`s[x]` failed: it failed: exit; `s[y]` failed: it failed: exit)
            retry s[y]: retry s[y], s[y]#2/2
            s[y] ok: s[y] done, ended failed (`s[x]` failed: it failed: exit)
            retry s[x]: retry s[x], s[x]#2/2
            s[x] fail: s[x] failed: exit, ended failed (`s[x]` failed: it failed: exit)
            retry s[x]: retry s[x], s[x]#3/3
            s[x] ok: s[x] done, b#1
            b ok: b done, ended done
            = done: s done, b done
        "#]],
    );
}

#[test]
fn a_list_that_could_not_be_made_is_made_again() {
    check(
        "s; s: each=error",
        "retry s",
        &expect![[r#"
            start: started, epoch 1, s failed: template, ended failed (`s` failed: not a list)
            retry s: retry s, s failed: template, ended failed (`s` failed: not a list)
            = failed: s failed
        "#]],
    );
}

#[test]
fn every_instance_asks_for_itself() {
    check(
        "s; s: each=x+y, approve",
        "
            approve s[y] by bob
            s[y] ok
            reject s[x] by bob
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y], ask s[x], ask s[y]
            approve s[y] by bob: s[y] granted by bob, s[y]#1
            s[y] ok: s[y] done
            reject s[x] by bob: s[x] rejected by bob, s[x] failed: rejected, ended failed (`s[x]` failed: bob said no)
            = failed: s failed
        "#]],
    );
}

#[test]
fn an_unknown_instance_is_no_instance() {
    check(
        "s; s: each=x",
        "done s[z]",
        &expect![[r#"
            start: started, epoch 1, s = [x], s[x]#1
            done s[z]: refused: this run has no step `s[z]`
            = working: s running
        "#]],
    );
}

#[test]
fn a_mutex_of_instances() {
    check(
        "s; s: each=x+y, locks=m",
        "
            locked s[x]
            s[x] ok
            locked s[y]
            s[y] ok
        ",
        &expect![[r#"
            start: started, epoch 1, s = [x y], lock m for s[x]
            locked s[x]: s[x]#1
            s[x] ok: s[x] done, unlock s[x], lock m for s[y]
            locked s[y]: s[y]#1
            s[y] ok: s[y] done, ended done, unlock s[y]
            = done: s done
        "#]],
    );
}
