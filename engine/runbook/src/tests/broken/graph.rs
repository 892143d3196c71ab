//! Who waits for whom.

use super::check;
use expect_test::expect;

#[test]
fn an_unknown_need() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["frieze"]
[steps.freeze]
type = "set"
"#,
        expect![[r#"
    8:10 CF0102 error: `a` needs `frieze`, but no step has that id
        8:10 ‹"frieze"› needed here
        help: did you mean `freeze`?
"#]],
    );
}

#[test]
fn a_step_that_needs_itself() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["a"]
"#,
        expect![[r#"
    8:10 CF0103 error: `a` needs itself
        8:10 ‹"a"› its own id
        help: take it out of `needs`
"#]],
    );
}

#[test]
fn a_cycle() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["c"]
[steps.b]
type = "set"
needs = ["a"]
[steps.c]
type = "set"
needs = ["d", "b"]
[steps.d]
type = "set"
"#,
        expect![[r#"
            8:10 CF0104 error: 3 steps wait for one another in a cycle: a → c → b → a
                8:10 ‹"c"› `a` needs `c`
                14:15 ‹"b"› `c` needs `b`
                11:10 ‹"a"› `b` needs `a`
                help: take one of these out of its step's `needs`; an arrow means “needs”
        "#]],
    );
}

#[test]
fn two_cycles() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["b"]
[steps.b]
type = "set"
needs = ["a"]
[steps.c]
type = "set"
needs = ["d"]
[steps.d]
type = "set"
needs = ["c"]
"#,
        expect![[r#"
            8:10 CF0104 error: 2 steps wait for one another in a cycle: a → b → a
                8:10 ‹"b"› `a` needs `b`
                11:10 ‹"a"› `b` needs `a`
                help: take one of these out of its step's `needs`; an arrow means “needs”
            14:10 CF0104 error: 2 steps wait for one another in a cycle: c → d → c
                14:10 ‹"d"› `c` needs `d`
                17:10 ‹"c"› `d` needs `c`
                help: take one of these out of its step's `needs`; an arrow means “needs”
        "#]],
    );
}

#[test]
fn needs_across_the_end() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["z"]
[finally.z]
type = "set"
needs = ["a"]
"#,
        expect![[r#"
    8:10 CF0105 error: `a` needs `z`, which runs only at the end
        8:10 ‹"z"› a `finally` step
        help: move one of the two, so that both are in [steps] or both in [finally]
    11:10 CF0105 error: `z` runs after all steps anyway; it cannot need `a`
        11:10 ‹"a"› not a `finally` step
        help: take it out of `needs`; `finally` steps may read the outputs of all steps
"#]],
    );
}

#[test]
fn the_same_need_twice() {
    check(
        r#"
[steps.a]
type = "set"
[steps.b]
type = "set"
needs = ["a", "a"]
"#,
        expect![[r#"
    10:15 CF0106 warning: `a` is needed twice
        10:15 ‹"a"› again here
        help: take one of the two out
"#]],
    );
}

#[test]
fn an_id_in_both_tables() {
    check(
        r#"
[steps.a]
type = "set"
[finally.a]
type = "set"
"#,
        expect![[r#"
    8:10 CF0107 error: `a` is a step already
        8:10 ‹a› the same id again
        help: choose another id, so that `steps.ID` names one of them
"#]],
    );
}
