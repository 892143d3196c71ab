//! Broken runbooks by category. Each is told in full: code, place, message, label, help.

use super::{around, compile, options, compile_by, given, told};
use crate::lower::file::Way;
use crate::{Options, Source, Target};
use expect_test::{Expect, expect};

/// What is said of a runbook with these lines.
fn check(lines: &str, expected: Expect) {
    check_whole(&around(lines), expected);
}

fn check_whole(text: &str, expected: Expect) {
    let (plan, found) = compile(text);
    assert_eq!(plan.is_none(), found.iter().any(crate::Diagnostic::is_error), "a plan exists exactly when there is no error");
    for one in &found {
        assert!(!one.help.is_empty(), "{one:?}");
        assert!(crate::codes::ALL.iter().any(|code| code.id == one.code), "{one:?}");
    }
    expected.assert_eq(&told(text, &found));
}

fn check_with(lines: &str, options: &Options, expected: Expect) {
    let text = around(lines);
    expected.assert_eq(&told(&text, &compile_by(Way::Auto, &text, options).1));
}

#[test]
fn an_empty_file() {
    check_whole(r#"
"#, expect![[r#"
    1:1 CF0006 error: the file does not say which version of the format it is in
        1:1 ‹› 
        help: add  schema = 1  as the first line
    1:1 CF0012 error: the file has no `[runbook]`
        1:1 ‹› it is required here
        help: add  [runbook]  name = "…"  title = "…"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
"#]]);
}

#[test]
fn a_line_that_is_no_toml() {
    check(r#"
[steps.a]
type = "set"
title = unquoted words
"#, expect![[r#"
    8:9 CF0001 error: not valid TOML: string values must be quoted, expected literal string
        8:9 ‹unquoted words› here
        help: put text in quotes: "…" on one line, """…""" over several, '…' where a backslash is meant as such
"#]]);
}

#[test]
fn several_syntax_errors_at_once() {
    check(r#"
[steps.a]
type = "set"
title = 
with = { a = 1
[steps.b]
type = "set
"#, expect![[r#"
    8:9 CF0001 error: not valid TOML: string values must be quoted, expected literal string
        8:9 ‹› here
        help: put text in quotes: "…" on one line, """…""" over several, '…' where a backslash is meant as such
    10:1 CF0001 error: not valid TOML: missing key for inline table element, expected `,`
        10:1 ‹› here
        help: close the inline table with }, and put commas between its entries
    11:1 CF0001 error: not valid TOML: missing comma between key-value pairs, expected `,`
        11:1 ‹› here
        help: see https://toml.io/en/v1.0.0 for what may stand here
    11:1 CF0002 error: this key or table was given before
        11:1 ‹type› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
    11:12 CF0001 error: not valid TOML: unclosed inline table, expected `}`
        11:12 ‹› here
        help: close the inline table with }, and put commas between its entries
    11:12 CF0001 error: not valid TOML: invalid basic string, expected `"`
        11:12 ‹› here
        help: put text in quotes: "…" on one line, """…""" over several, '…' where a backslash is meant as such
"#]]);
}

#[test]
fn a_key_given_twice() {
    check(r#"
[steps.a]
type = "set"
title = "a"
title = "b"
"#, expect![[r#"
    9:1 CF0002 error: this key or table was given before
        9:1 ‹title› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
"#]]);
}

#[test]
fn a_table_given_twice() {
    check(r#"
[steps.a]
type = "set"
[steps.b]
type = "set"
[steps.a]
type = "set"
"#, expect![[r#"
    10:8 CF0002 error: this key or table was given before
        10:8 ‹a› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
    11:1 CF0002 error: this key or table was given before
        11:1 ‹type› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
"#]]);
}

#[test]
fn nested_too_deeply() {
    check(r#"
[steps.a]
type = "set"
with = { x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }
"#, expect![[r#"
    8:45 CF0005 error: nested too deeply to be a runbook or a target
        8:45 ‹[› more than 32 brackets or 16 key segments deep
        help: close a bracket that was left open, or keep the structure in a file that a step reads
"#]]);
}

#[test]
fn no_schema() {
    check_whole(r#"
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#, expect![[r#"
    1:1 CF0006 error: the file does not say which version of the format it is in
        1:1 ‹› 
        help: add  schema = 1  as the first line
"#]]);
}

#[test]
fn a_newer_schema() {
    check_whole(r#"
schema = 2
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#, expect![[r#"
    2:10 CF0007 error: the file is in version 2 of the format; this program knows version 1
        2:10 ‹2› a newer version
        help: use a newer ceptra-flow, or write the file for  schema = 1
"#]]);
}

#[test]
fn a_schema_of_another_type() {
    check_whole(r#"
schema = "1"
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#, expect![[r#"
    2:10 CF0011 error: `schema` must be a whole number, not text
        2:10 ‹"1"› this is text
        help: write  schema = 1
"#]]);
}

#[test]
fn no_runbook_table() {
    check_whole(r#"
schema = 1
[steps.a]
type = "set"
"#, expect![[r#"
    1:1 CF0012 error: the file has no `[runbook]`
        1:1 ‹› it is required here
        help: add  [runbook]  name = "…"  title = "…"
"#]]);
}

#[test]
fn a_runbook_without_name_and_title() {
    check_whole(r#"
schema = 1
[runbook]
rto = "30 minutes"
[steps.a]
type = "set"
"#, expect![[r#"
    3:2 CF0012 error: [runbook] has no `name`
        3:2 ‹runbook› it is required here
        help: add  name = "pvc-loss"
    3:2 CF0012 error: [runbook] has no `title`
        3:2 ‹runbook› it is required here
        help: add  title = "What it recovers"
    4:7 CF0014 error: `30 minutes` is not a duration
        4:7 ‹"30 minutes"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]]);
}

#[test]
fn a_bad_runbook_name() {
    check_whole(r#"
schema = 1
[runbook]
name = "PVC loss"
title = 3
[steps.a]
type = "set"
"#, expect![[r#"
    4:8 CF0016 error: `PVC loss` cannot be a runbook's name
        4:8 ‹"PVC loss"› 
        help: use small letters, digits and `-`: pvc-loss
    5:9 CF0011 error: `title` must be text, not a whole number
        5:9 ‹3› this is a whole number
        help: write  title = "…"
"#]]);
}

#[test]
fn an_unknown_table() {
    check(r#"
[step.a]
type = "set"
"#, expect![[r#"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
    6:2 CF0010 error: a runbook has no key `step`
        6:2 ‹step› not known here
        help: did you mean `steps`?
"#]]);
}

#[test]
fn no_steps() {
    check(r#"
"#, expect![[r#"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
"#]]);
}

#[test]
fn steps_that_are_no_tables() {
    check(r#"
[steps]
a = 1
"#, expect![[r#"
    7:5 CF0011 error: `a` must be a table, not a whole number
        7:5 ‹1› this is a whole number
        help: write  a = { … }
"#]]);
}

#[test]
fn keys_of_later_versions() {
    check(r#"
[watch.lag]
type = "http"
[guard]
max_drill_age = "30d"
[steps.a]
type = "set"
"#, expect![[r#"
    6:2 CF0020 error: [watch.NAME] is not available in this version
        6:2 ‹watch› 
        help: repeat a read-only step with `until` and `interval` for now
    9:17 CF0020 error: [guard] max_drill_age is not available in this version
        9:17 ‹"30d"› 
        help: take it out for now; `fingerprint` and `confirm` work
"#]]);
}

#[test]
fn an_unknown_step_key() {
    check(r#"
[steps.a]
type = "set"
need = ["b"]
colour = "red"
"#, expect![[r#"
    8:1 CF0010 error: the step `a` has no key `need`
        8:1 ‹need› not known here
        help: did you mean `needs`?
    9:1 CF0010 error: the step `a` has no key `colour`
        9:1 ‹colour› not known here
        help: there is `type`, `with`, `title`, `description`, `needs`, `when`, `for_each`, `key`, `max_parallel`, `timeout`, `deadline`, `retry`, `until`, `interval`, `effect`, `probe`, `verify`, `undo`, `on_failure`, `approval`, `point_of_no_return`, `locks`, `queue`, `tags`
"#]]);
}

#[test]
fn a_step_without_type() {
    check(r#"
[steps.a]
with = {}
"#, expect![[r#"
    6:8 CF0012 error: the step `a` has no `type`
        6:8 ‹a› it is required here
        help: add  type = "exec"
"#]]);
}

#[test]
fn an_unknown_type() {
    check(r#"
[steps.a]
type = "exce"
[steps.b]
type = "magic"
"#, expect![[r#"
    7:8 CF0101 error: there is no step type `exce`
        7:8 ‹"exce"› unknown type
        help: did you mean `exec`?
    `ceptra-flow steps` lists all of them
    9:8 CF0101 error: there is no step type `magic`
        9:8 ‹"magic"› unknown type
        help: there is `approval`, `assert`, `ceptra.cutover`, `ceptra.freeze`, `exec`, `http`, `manual`, `set`, `wait`
    `ceptra-flow steps` lists all of them
"#]]);
}

#[test]
fn types_of_later_versions() {
    check(r#"
[steps.a]
type = "ssh"
[steps.b]
type = "notify"
"#, expect![[r#"
    7:8 CF0020 error: the step type `ssh` is not available in this version
        7:8 ‹"ssh"› 
        help: use `exec` or `http` for now
    9:8 CF0020 error: the step type `notify` is not available in this version
        9:8 ‹"notify"› 
        help: use `exec` or `http` for now
"#]]);
}

#[test]
fn a_bad_id() {
    check(r#"
[steps.Restore-Volumes]
type = "set"
"#, expect![[r#"
    6:8 CF0016 error: `Restore-Volumes` cannot be a step's id
        6:8 ‹Restore-Volumes› 
        help: use small letters, digits and `_`, beginning with a letter: restore_volumes
"#]]);
}

#[test]
fn wrong_types_of_keys() {
    check(r#"
[steps.a]
type = "set"
title = 1
needs = "b"
timeout = 30
point_of_no_return = "yes"
locks = [1]
verify = "x"
retry = 3
"#, expect![[r#"
    8:9 CF0011 error: `title` must be text, not a whole number
        8:9 ‹1› this is a whole number
        help: write  title = "…"
    9:9 CF0011 error: `needs` must be a list of step ids, not text
        9:9 ‹"b"› this is text
        help: write  needs = ["b"]
    10:11 CF0011 error: `timeout` must be a duration, not a whole number
        10:11 ‹30› this is a whole number
        help: write  timeout = "10m"
    11:22 CF0011 error: `point_of_no_return` must be true or false, not text
        11:22 ‹"yes"› this is text
        help: write  point_of_no_return = true  or leave it out
    12:10 CF0011 error: an element of `locks` must be text, not a whole number
        12:10 ‹1› this is a whole number
        help: write it in quotes:  "…"
    13:10 CF0011 error: `verify` must be a list of checks, not text
        13:10 ‹"x"› this is text
        help: write  verify = ["x"]
    14:9 CF0011 error: `retry` must be a table, not a whole number
        14:9 ‹3› this is a whole number
        help: write  retry = { … }
"#]]);
}

#[test]
fn bad_durations() {
    check(r#"
[steps.a]
type = "set"
timeout = "10 minutes"
deadline = "1m1h"
[limits]
timeout = "soon"
"#, expect![[r#"
    8:11 CF0014 error: `10 minutes` is not a duration
        8:11 ‹"10 minutes"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    9:12 CF0014 error: `1m1h` is not a duration
        9:12 ‹"1m1h"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    11:11 CF0014 error: `soon` is not a duration
        11:11 ‹"soon"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]]);
}

#[test]
fn a_bad_choice() {
    check(r#"
[steps.a]
type = "set"
on_failure = "stop"
effect = "readonly"
"#, expect![[r#"
    8:14 CF0013 error: `on_failure` cannot be `stop`
        8:14 ‹"stop"› 
        help: there is `halt`, `continue`, `undo`
    9:10 CF0013 error: `effect` cannot be `readonly`
        9:10 ‹"readonly"› 
        help: there is `read`, `idempotent`, `keyed`, `probe`, `once`
"#]]);
}

#[test]
fn retry_that_makes_no_sense() {
    check(r#"
[steps.a]
type = "set"
retry = { attempts = 0, backoff = "linear", initial = "10s", max = "1s", tries = 3 }
"#, expect![[r#"
    8:22 CF0013 error: `attempts` must be a whole number from 1 to 4294967295
        8:22 ‹0› 
        help: write  attempts = 1
    8:35 CF0013 error: `backoff` cannot be `linear`
        8:35 ‹"linear"› 
        help: there is `exponential`, `fixed`
    8:68 CF0013 error: `max` is shorter than `initial`
        8:68 ‹"1s"› 
        help: the first pause is `initial`, no pause is longer than `max`
    8:74 CF0010 error: `retry` has no key `tries`
        8:74 ‹tries› not known here
        help: there is `attempts`, `backoff`, `initial`, `max`, `jitter`, `on`
"#]]);
}

#[test]
fn keys_without_for_each() {
    check(r#"
[steps.a]
type = "set"
key = "x"
max_parallel = 2
interval = "1s"
"#, expect![[r#"
    8:1 CF0017 error: `key` is for steps with `for_each`
        8:1 ‹key› 
        help: add `for_each`, or take it out
    9:1 CF0017 error: `max_parallel` is for steps with `for_each`
        9:1 ‹max_parallel› 
        help: add `for_each`, or take it out
    10:1 CF0017 error: `interval` is the pause of `until`, which is not there
        10:1 ‹interval› 
        help: add  until = "output.…"
"#]]);
}

#[test]
fn a_name_that_is_no_name() {
    check(r#"
[steps.a]
type = "set"
tags = ["", "a\nb"]
"#, expect![[r#"
    8:9 CF0016 error: `` cannot be a name
        8:9 ‹""› 
        help: use 1 to 128 characters on one line
    8:13 CF0016 error: `a\nb` cannot be a name
        8:13 ‹"a\nb"› 
        help: use 1 to 128 characters on one line
"#]]);
}

#[test]
fn an_unknown_parameter() {
    check(r#"
[steps.a]
type = "exec"
with = { comand = ["x"], script = "y" }
"#, expect![[r#"
    8:10 CF0010 error: `exec` has no key `comand`
        8:10 ‹comand› not known here
        help: did you mean `command`?
"#]]);
}

#[test]
fn a_missing_parameter() {
    check(r#"
[steps.a]
type = "http"
[steps.b]
type = "http"
with = { method = "GET" }
"#, expect![[r#"
    6:8 CF0012 error: `http` has no `url`
        6:8 ‹a› it is required here
        help: add  with = { url = … };  `ceptra-flow steps http` shows all
    10:1 CF0012 error: `http` has no `url`
        10:1 ‹with› it is required here
        help: add  url = "…"
"#]]);
}

#[test]
fn parameters_of_the_wrong_type() {
    check(r#"
[steps.a]
type = "exec"
with = { command = "ls -l", ok_codes = ["a"], parse = "xml", limit = "64 kilos", env = { A = 1 } }
"#, expect![[r#"
    8:20 CF0011 error: `command` must be a list of values, not text
        8:20 ‹"ls -l"› this is text
        help: write  command = ["ls -l"]
    8:41 CF0011 error: an element of `ok_codes` must be a whole number, not text
        8:41 ‹"a"› this is text
        help: write  ok_codes = 1
    8:55 CF0013 error: `parse` cannot be `xml`
        8:55 ‹"xml"› 
        help: there is `text`, `json`, `lines`
    8:70 CF0015 error: `64 kilos` is not a size
        8:70 ‹"64 kilos"› 
        help: write a whole number and a unit: 512B, 64KiB, 10MiB, 1GiB
    8:94 CF0011 error: `A` must be text, not a whole number
        8:94 ‹1› this is a whole number
        help: write  A = "…"
"#]]);
}

#[test]
fn parameters_that_do_not_go_together() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"], script = "y" }
"#, expect![[r#"
    8:20 CF0309 error: `exec`: takes either `command` or `script`
        8:20 ‹["x"]› 
        help: write  command = ["…"]
"#]]);
}

#[test]
fn a_bad_duration_in_parameters() {
    check(r#"
[steps.a]
type = "wait"
with = { duration = "1 s" }
"#, expect![[r#"
    8:21 CF0014 error: `1 s` is not a duration
        8:21 ‹"1 s"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]]);
}

#[test]
fn text_where_a_list_is_due() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"], ok_codes = "{{ inputs.a }} and {{ run.name }}" }
[inputs.a]
type = "string"
default = "x"
"#, expect![[r#"
    8:38 CF0011 error: `ok_codes` must be a list, not text
        8:38 ‹"{{ inputs.a }} and {{ run.name }}"› this is text
        help: write  ok_codes = [1],  or exactly one reference:  "{{ inputs.name }}"
"#]]);
}

#[test]
fn a_number_that_is_too_large() {
    check(r#"
[steps.a]
type = "set"
with = { a = 99999999999999999999, b = inf }
"#, expect![[r#"
    8:14 CF0013 error: this number is too large
        8:14 ‹99999999999999999999› 
        help: whole numbers reach from -2^63 to 2^64 - 1; write a larger one as text
    8:40 CF0013 error: `inf` and `nan` cannot be stored
        8:40 ‹inf› 
        help: write a finite number, or text
"#]]);
}

#[test]
fn a_binding_that_cannot_work() {
    check(r#"
[steps.a]
type = "ceptra.cutover"
"#, expect![[r#"
    6:8 CF0602 error: `ceptra.cutover` calls `advance_epoch`, which the target binds to kubernetes; that is not available in this version
        6:8 ‹a› 
        help: bind it with http or exec in the target:  [operations.advance_epoch]
"#]]);
}

#[test]
fn an_unknown_need() {
    check(r#"
[steps.a]
type = "set"
needs = ["frieze"]
[steps.freeze]
type = "set"
"#, expect![[r#"
    8:10 CF0102 error: `a` needs `frieze`, but no step has that id
        8:10 ‹"frieze"› needed here
        help: did you mean `freeze`?
"#]]);
}

#[test]
fn a_step_that_needs_itself() {
    check(r#"
[steps.a]
type = "set"
needs = ["a"]
"#, expect![[r#"
    8:10 CF0103 error: `a` needs itself
        8:10 ‹"a"› its own id
        help: take it out of `needs`
"#]]);
}

#[test]
fn a_cycle() {
    check(r#"
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
"#, expect![[r#"
    8:10 CF0104 error: 3 steps wait for one another: a → c → b → a
        8:10 ‹"c"› `a` needs `c`
        14:15 ‹"b"› `c` needs `b`
        11:10 ‹"a"› `b` needs `a`
        help: take one of these out of its step's `needs`; an arrow means “needs”
"#]]);
}

#[test]
fn two_cycles() {
    check(r#"
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
"#, expect![[r#"
    8:10 CF0104 error: 2 steps wait for one another: a → b → a
        8:10 ‹"b"› `a` needs `b`
        11:10 ‹"a"› `b` needs `a`
        help: take one of these out of its step's `needs`; an arrow means “needs”
    14:10 CF0104 error: 2 steps wait for one another: c → d → c
        14:10 ‹"d"› `c` needs `d`
        17:10 ‹"c"› `d` needs `c`
        help: take one of these out of its step's `needs`; an arrow means “needs”
"#]]);
}

#[test]
fn needs_across_the_end() {
    check(r#"
[steps.a]
type = "set"
needs = ["z"]
[finally.z]
type = "set"
needs = ["a"]
"#, expect![[r#"
    8:10 CF0105 error: `a` needs `z`, which runs only at the end
        8:10 ‹"z"› a `finally` step
        help: move one of the two, so that both are in [steps] or both in [finally]
    11:10 CF0105 error: `z` runs after all steps anyway; it cannot need `a`
        11:10 ‹"a"› not a `finally` step
        help: take it out of `needs`; `finally` steps may read the outputs of all steps
"#]]);
}

#[test]
fn the_same_need_twice() {
    check(r#"
[steps.a]
type = "set"
[steps.b]
type = "set"
needs = ["a", "a"]
"#, expect![[r#"
    10:15 CF0106 warning: `a` is needed twice
        10:15 ‹"a"› again here
        help: take one of the two out
"#]]);
}

#[test]
fn an_id_in_both_tables() {
    check(r#"
[steps.a]
type = "set"
[finally.a]
type = "set"
"#, expect![[r#"
    8:10 CF0107 error: `a` is a step already
        8:10 ‹a› the same id again
        help: choose another id, so that `steps.ID` names one of them
"#]]);
}

#[test]
fn templates_that_cannot_be_read() {
    check(r#"
[steps.a]
type = "set"
with = { a = "{{ inputs.", b = "{{}}", c = "{{ a b }}", d = "{{#if run.name}}x", e = "{{> partial}}", f = "{{ run.name | shout }}", g = "{{ 'x }}" }
"#, expect![[r#"
    8:15 CF0201 error: the template cannot be read: `{{` is never closed
        8:15 ‹{{› here
        help: write  {{ name }},  or \{{ where braces are meant as text
    8:33 CF0201 error: the template cannot be read: nothing stands between the braces
        8:33 ‹{{}}› here
        help: name a value:  {{ inputs.name }}
    8:48 CF0208 error: the template cannot be read: there is no helper `a`
        8:48 ‹a› here
        help: there is `json`, `join`, `size`, `default`, `lower`, `upper`, `base64`, `sha256`, `basename`, `shell`
    8:62 CF0201 error: the template cannot be read: `{{#if}}` is never closed
        8:62 ‹{{#if run.name}}› here
        help: add  {{/if}}
    8:87 CF0201 error: the template cannot be read: partials are not available
        8:87 ‹{{> partial}}› here
        help: write the text here, or render a file with a `template` step
    8:122 CF0208 error: the template cannot be read: there is no helper `shout`
        8:122 ‹shout› here
        help: there is `json`, `join`, `size`, `default`, `lower`, `upper`, `base64`, `sha256`, `basename`, `shell`
    8:141 CF0201 error: the template cannot be read: this quote is never closed
        8:141 ‹'x › here
        help: add  '
"#]]);
}

#[test]
fn conditions_that_cannot_be_read() {
    check(r#"
[steps.a]
type = "set"
when = "inputs.a ="
verify = [{ check = "output.x == " }, { check = "{{ output.x }} == 1" }, { check = "lenght(output.x) > 1" }]
"#, expect![[r#"
    8:18 CF0202 error: the condition cannot be read: mismatched input '=' expecting the end
        8:18 ‹=› here
        help: conditions are CEL:  output.exit_code == 0 && size(output.volumes) >= 3;  text stands in quotes
    9:34 CF0202 error: the condition cannot be read: mismatched input 'the end' expecting expression
        9:34 ‹› here
        help: conditions are CEL:  output.exit_code == 0 && size(output.volumes) >= 3;  text stands in quotes
    9:49 CF0202 error: `check` is a condition, not a template
        9:49 ‹"{{ output.x }} == 1"› braces mean something else here
        help: write the names without braces:  check = "inputs.ticket != ''"
    9:85 CF0208 error: there is no function `lenght`
        9:85 ‹lenght› here
        help: there is `size`, `contains`, `startsWith`, `endsWith`, `matches`, `int`, `uint`, `double`, `string`, `bool`, `bytes`, `dyn`, `type`, `has`, `all`, `exists`, `exists_one`, `map`, `filter`
"#]]);
}

#[test]
fn a_condition_that_is_too_deep() {
    check(r#"
[steps.a]
type = "set"
when = "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((true))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"
"#, expect![[r#"
    8:33 CF0212 error: the condition cannot be read: it is nested too deeply
        8:33 ‹(› here
        help: split it: several `verify` checks, or a `set` step that computes a part
"#]]);
}

#[test]
fn unknown_names() {
    check(r#"
[steps.a]
type = "set"
title = "{{ ticket }} {{ a }} {{ input.ticket }} {{ nonsense }}"
[inputs.ticket]
type = "string"
default = ""
"#, expect![[r#"
    8:13 CF0203 error: `ticket` means nothing here
        8:13 ‹ticket› unknown name
        help: write  inputs.ticket
    8:26 CF0203 error: `a` means nothing here
        8:26 ‹a› unknown name
        help: write  steps.a.output
    8:34 CF0203 error: `input` means nothing here
        8:34 ‹input.ticket› unknown name
        help: did you mean `inputs`?
    8:53 CF0203 error: `nonsense` means nothing here
        8:53 ‹nonsense› unknown name
        help: a name begins with inputs, target, steps, run, env, item, index or output; text stands in quotes
"#]]);
}

#[test]
fn undeclared_inputs() {
    check(r#"
[steps.a]
type = "set"
title = "{{ inputs.tiket }}"
when = "inputs.other == 1"
[inputs.ticket]
type = "string"
default = ""
"#, expect![[r#"
    8:13 CF0207 error: no input `tiket` is declared
        8:13 ‹inputs.tiket› not declared
        help: did you mean `inputs.ticket`?
    9:9 CF0207 error: no input `other` is declared
        9:9 ‹inputs.other› not declared
        help: declare it:  [inputs.other]  type = "string"
"#]]);
}

#[test]
fn a_step_that_is_not_waited_for() {
    check(r#"
[steps.freeze]
type = "ceptra.freeze"
with = { group = "pg-0" }
[steps.restore]
type = "exec"
with = { command = ["restore", "{{ steps.freeze.output.epoch }}"] }
"#, expect![[r#"
    11:36 CF0204 error: step `restore` reads `steps.freeze.output.epoch`, but does not wait for `freeze`
        11:36 ‹steps.freeze.output.epoch› `freeze` is not among the steps this one needs
        help: add  needs = ["freeze"]
"#]]);
}

#[test]
fn a_step_that_waits_for_the_reader() {
    check(r#"
[steps.a]
type = "set"
when = "steps.b.output.x == 1"
[steps.b]
type = "set"
needs = ["a"]
[steps.c]
type = "set"
needs = ["a"]
title = "{{ steps.b.status }}"
"#, expect![[r#"
    8:9 CF0204 error: step `a` reads `steps.b.output.x`, but does not wait for `b`
        8:9 ‹steps.b.output.x› `b` is not among the steps this one needs
        help: `b` itself waits for `a`: read it in a later step
    8:9 CF0206 error: `steps.b.output` has no `x`
        8:9 ‹steps.b.output.x› not there
        help: there is none
    15:13 CF0204 error: step `c` reads `steps.b.status`, but does not wait for `b`
        15:13 ‹steps.b.status› `b` is not among the steps this one needs
        help: write  needs = ["a", "b"]
"#]]);
}

#[test]
fn its_own_output() {
    check(r#"
[steps.a]
type = "set"
title = "{{ steps.a.output }}"
"#, expect![[r#"
    8:13 CF0204 error: step `a` reads `steps.a.output`, its own result
        8:13 ‹steps.a.output› not there before it has run
        help: in `verify`, `until` and `undo` the step's own output is  output
"#]]);
}

#[test]
fn a_finally_step_that_is_read_too_early() {
    check(r#"
[steps.a]
type = "set"
title = "{{ steps.z.status }}"
[finally.z]
type = "set"
title = "{{ steps.a.status }}"
"#, expect![[r#"
    8:13 CF0204 error: step `a` reads `steps.z.status`, but does not wait for `z`
        8:13 ‹steps.z.status› `z` is not among the steps this one needs
        help: `z` runs at the end; read it from another [finally.ID] step
"#]]);
}

#[test]
fn unknown_steps_in_expressions() {
    check(r#"
[steps.a]
type = "set"
needs = ["freeze"]
title = "{{ steps.freze.output }} {{ steps }}"
[steps.freeze]
type = "set"
"#, expect![[r#"
    9:13 CF0205 error: there is no step `freze`
        9:13 ‹steps.freze.output› unknown step
        help: did you mean `freeze`?
    9:38 CF0205 error: `steps` must be followed by a step's id
        9:38 ‹steps› 
        help: write  steps.ID.output
"#]]);
}

#[test]
fn fields_that_an_output_does_not_have() {
    check(r#"
[steps.freeze]
type = "ceptra.freeze"
with = { group = "pg-0" }
verify = [{ check = "output.epok > 1" }]
[steps.b]
type = "set"
needs = ["freeze"]
with = { a = "{{ steps.freeze.output.epok }}", b = "{{ steps.freeze.epoch }}", c = "{{ steps.freeze.items }}", d = "{{ steps.freeze.output.epoch.x }}", e = "{{ steps.freeze.output.replicas.[0].x }}" }
"#, expect![[r#"
    9:22 CF0206 error: `output` has no field `epok`
        9:22 ‹output.epok› not there
        help: there is `epoch`, `replicas`
    13:18 CF0206 error: `steps.freeze.output` has no field `epok`
        13:18 ‹steps.freeze.output.epok› not there
        help: there is `epoch`, `replicas`
    13:56 CF0206 error: `steps.freeze` has no `epoch`
        13:56 ‹steps.freeze.epoch› not there
        help: write  steps.freeze.output.epoch
    13:88 CF0206 error: `steps.freeze` has no `items`, for it has no `for_each`
        13:88 ‹steps.freeze.items› not there
        help: use  steps.freeze.output
    13:120 CF0206 error: `steps.freeze.output.epoch` has no fields, so no `x`
        13:120 ‹steps.freeze.output.epoch.x› not there
        help: use `steps.freeze.output.epoch` itself
    13:161 CF0206 error: `steps.freeze.output.replicas[0]` has no fields, so no `x`
        13:161 ‹steps.freeze.output.replicas.[0].x› not there
        help: use `steps.freeze.output.replicas[0]` itself
"#]]);
}

#[test]
fn keys_that_a_set_does_not_have() {
    check(r#"
[steps.a]
type = "set"
with = { one = 1, two = { three = 3 } }
[steps.b]
type = "set"
needs = ["a"]
with = { x = "{{ steps.a.output.won }}", y = "{{ steps.a.output.two.tree }}", z = "{{ steps.a.output.one.more }}" }
"#, expect![[r#"
    12:18 CF0206 error: `steps.a.output` has no `won`
        12:18 ‹steps.a.output.won› not there
        help: there is `one`, `two`
    12:50 CF0206 error: `steps.a.output.two` has no `tree`
        12:50 ‹steps.a.output.two.tree› not there
        help: did you mean `three`?
    12:87 CF0206 error: `steps.a.output.one` has no `more`
        12:87 ‹steps.a.output.one.more› not there
        help: use  steps.a.output.one
"#]]);
}

#[test]
fn names_that_are_not_in_scope() {
    check(r#"
[steps.a]
type = "set"
title = "{{ item.x }} {{ index }} {{ output }} {{ run.outcome }} {{ run.nmae }}"
"#, expect![[r#"
    8:13 CF0209 error: `item` is there only for steps with `for_each`
        8:13 ‹item.x› not in scope here
        help: add  for_each = "{{ … }}"  to this step, or name the value itself
    8:26 CF0209 error: `index` is there only for steps with `for_each`
        8:26 ‹index› not in scope here
        help: add  for_each = "{{ … }}"  to this step, or name the value itself
    8:38 CF0209 error: `output` is there only where a step's own output is looked at
        8:38 ‹output› not in scope here
        help: use it in `verify`, `until`, `done`, `not_done` and `undo`; elsewhere write  steps.ID.output
    8:51 CF0209 error: `run.outcome` is known only when the steps are done
        8:51 ‹run.outcome› not known here
        help: use it in a [finally.ID] step
    8:69 CF0206 error: `run` has no `nmae`
        8:69 ‹run.nmae› not there
        help: did you mean `name`?
"#]]);
}

#[test]
fn an_unlisted_environment_variable() {
    check(r#"
[steps.a]
type = "set"
title = "{{ env.HOME }} {{ env }}"
"#, expect![[r#"
    8:13 CF0210 error: the environment variable `HOME` is not listed
        8:13 ‹env.HOME› only listed variables can be read
        help: add it in [runbook]:  env = ["HOME"]
    8:28 CF0210 error: `env` must be followed by a variable's name
        8:28 ‹env› 
        help: write  env.NAME
"#]]);
}

#[test]
fn a_field_that_the_target_does_not_have() {
    check(r#"
[steps.a]
type = "set"
title = "{{ target.clusters.primary.idd }} {{ target.cluster.dr.id }} {{ target.partition_groups.[7].group_id }}"
"#, expect![[r#"
    8:13 CF0211 error: the target has no `target.clusters.primary.idd`
        8:13 ‹target.clusters.primary.idd› `target.clusters.primary` has no such field
        help: did you mean `id`?
    8:47 CF0211 error: the target has no `target.cluster.dr.id`
        8:47 ‹target.cluster.dr.id› `target` has no such field
        help: did you mean `clusters`?
    8:74 CF0211 error: the target has no `target.partition_groups[7].group_id`
        8:74 ‹target.partition_groups.[7].group_id› `target.partition_groups` has no such field
        help: look at the target file
"#]]);
}

#[test]
fn for_each_over_something_else() {
    check(r#"
[steps.a]
type = "set"
for_each = "pg-0"
[steps.b]
type = "set"
for_each = "{{ target.partition_groups }} and more"
[steps.c]
type = "set"
for_each = 3
[steps.d]
type = "set"
for_each = "{{ target.target.name }}"
"#, expect![[r#"
    8:12 CF0213 error: `for_each` must be a list, or exactly one reference to one
        8:12 ‹"pg-0"› this is text
        help: write  for_each = "{{ target.partition_groups }}"  or  for_each = ["a", "b"]
    11:12 CF0213 error: `for_each` must be a list, or exactly one reference to one
        11:12 ‹"{{ target.partition_groups }} and more"› this is text
        help: write  for_each = "{{ target.partition_groups }}"  or  for_each = ["a", "b"]
    14:12 CF0011 error: `for_each` must be a list of elements, not a whole number
        14:12 ‹3› this is a whole number
        help: write  for_each = [ … ]
    17:12 CF0013 error: `for_each` names text, not a list
        17:12 ‹"{{ target.target.name }}"› 
        help: name a list
"#]]);
}

#[test]
fn fields_that_no_element_has() {
    check(r#"
[steps.a]
type = "set"
for_each = "{{ target.partition_groups }}"
key = "{{ item.group }}"
"#, expect![[r#"
    9:11 CF0206 error: no element of `for_each` has a field `group`
        9:11 ‹item.group› not there
        help: there is `group_id`, `replicas`
"#]]);
}

#[test]
fn keys_that_are_not_unique() {
    check(r#"
[steps.a]
type = "set"
for_each = ["x", "y", "x"]
key = "{{ item }}"
"#, expect![[r#"
    9:7 CF0304 error: two elements have the key `x`; keys must be unique
        9:7 ‹"{{ item }}"› 
        help: use a field that is different in every element:  key = "{{ item.id }}"
"#]]);
}

#[test]
fn what_must_be_known_before_the_run() {
    check(r#"
[steps.a]
type = "set"
timeout = "{{ steps.b.output }}"
locks = ["{{ run.id }}"]
[steps.b]
type = "set"
"#, expect![[r#"
    8:15 CF0214 error: `timeout` must be known before the run, and `steps.b.output` is known only later
        8:15 ‹steps.b.output› known only while the run goes on
        help: use `inputs`, `target`, `env` or `run.name`, or write the value itself
    9:14 CF0214 error: `locks` must be known before the run, and `run.id` is known only later
        9:14 ‹run.id› known only while the run goes on
        help: use `inputs`, `target`, `env` or `run.name`, or write the value itself
"#]]);
}

#[test]
fn an_input_that_is_no_duration() {
    check(r#"
[steps.a]
type = "set"
timeout = "{{ inputs.t }}"
for_each = [1]
max_parallel = "{{ inputs.t }}"
[inputs.t]
type = "string"
default = "soon"
"#, expect![[r#"
    8:11 CF0014 error: `soon` is not a duration
        8:11 ‹"{{ inputs.t }}"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    10:16 CF0013 error: `max_parallel` must be a whole number from 1, not "soon"
        10:16 ‹"{{ inputs.t }}"› 
        help: change the input that it comes from
"#]]);
}

#[test]
fn a_laxer_effect() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "idempotent"
"#, expect![[r#"
    9:10 CF0301 warning: `exec` is `once` by itself; saying `idempotent` lets it run twice after a crash
        9:10 ‹"idempotent"› laxer than the type's own
        help: be sure that running it twice is harmless, or write  effect = "once"
"#]]);
}

#[test]
fn a_probe_effect_without_a_probe() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "probe"
"#, expect![[r#"
    9:10 CF0302 error: nothing tells whether `a` happened
        9:10 ‹"probe"› `probe` needs a probe
        help: add  probe = { type = "exec", with = { … }, done = "…", not_done = "…" }
"#]]);
}

#[test]
fn a_probe_that_tells_nothing() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "probe"
probe = { type = "ceptra.freeze", with = { group = "pg-0" }, effect = "once", dune = "true" }
"#, expect![[r#"
    10:1 CF0012 error: the probe has no `done`
        10:1 ‹probe› it is required here
        help: add  done = "output.state == 'restored'"  and  not_done = "…"
    10:18 CF0308 error: a probe may change nothing, and `ceptra.freeze` does
        10:18 ‹"ceptra.freeze"› 
        help: use a type whose effect is `read`, or `exec` with a command that only looks
    10:62 CF0017 error: a probe changes nothing; its effect is `read`
        10:62 ‹effect› 
        help: take it out
    10:79 CF0010 error: a probe has no key `dune`
        10:79 ‹dune› not known here
        help: did you mean `done`?
"#]]);
}

#[test]
fn a_probe_without_type() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
probe = { done = "output.exit_code == 'a'" }
"#, expect![[r#"
    9:1 CF0012 error: the probe has no `type`
        9:1 ‹probe› it is required here
        help: add  type = "exec"
"#]]);
}

#[test]
fn until_on_a_step_that_changes_something() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
until = "output.exit_code == 0"
"#, expect![[r#"
    9:1 CF0303 error: `until` repeats a step, and `a` is `once`
        9:1 ‹until› only a `read` step may be repeated
        help: use `retry` to try again after a failure, or wait in a `read` step of its own
"#]]);
}

#[test]
fn undo_that_is_not_there() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
undo = "auto"
[steps.b]
type = "ceptra.freeze"
with = { group = "a" }
undo = "never"
"#, expect![[r#"
    9:8 CF0305 error: `exec` does not know how to reverse itself
        9:8 ‹"auto"› 
        help: say how:  undo = { type = "exec", with = { … } }
    13:8 CF0013 error: `undo` cannot be `never`
        13:8 ‹"never"› 
        help: write  undo = "auto"  or  undo = { type = "exec", with = { … } }
"#]]);
}

#[test]
fn an_undo_by_a_person() {
    check(r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
undo = { type = "manual", with = { instructions = "x" }, needs = [] }
"#, expect![[r#"
    9:17 CF0310 error: the undo cannot be a `manual`
        9:17 ‹"manual"› a person's step
        help: use a step that runs by itself, such as `exec`
    9:58 CF0010 error: an undo has no key `needs`
        9:58 ‹needs› not known here
        help: there is `type`, `with`, `timeout`, `effect`
"#]]);
}

#[test]
fn keys_that_a_person_cannot_have() {
    check(r#"
[steps.a]
type = "approval"
with = { prompt = "?", aprovers = 2, evidence = ["{{ x }}"], expires = "1 hour", rehearsal = "yes" }
timeout = "1h"
retry = { attempts = 2 }
[steps.b]
type = "manual"
with = { fields = { n = { type = "int" } } }
"#, expect![[r#"
    8:24 CF0010 error: an approval has no key `aprovers`
        8:24 ‹aprovers› not known here
        help: did you mean `approvers`?
    8:50 CF0213 error: evidence is a path
        8:50 ‹"{{ x }}"› not a path
        help: write the name alone, without braces:  "steps.restore.output"
    8:72 CF0014 error: `1 hour` is not a duration
        8:72 ‹"1 hour"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    8:94 CF0013 error: `rehearsal` cannot be `yes`
        8:94 ‹"yes"› 
        help: there is `grant`, `ask`
    9:1 CF0310 error: `timeout` means nothing where a person decides or acts
        9:1 ‹timeout› 
        help: say how long the question stands with  with = { expires = "30m" }
    10:1 CF0310 error: `retry` means nothing where a person decides or acts
        10:1 ‹retry› 
        help: take it out
    13:1 CF0012 error: a manual step has no `instructions`
        13:1 ‹with› it is required here
        help: add  instructions = "What to do"
    13:34 CF0013 error: `type` cannot be `int`
        13:34 ‹"int"› 
        help: there is `string`, `integer`, `number`, `boolean`, `duration`, `list`, `table`
"#]]);
}

#[test]
fn an_approval_without_prompt() {
    check(r#"
[steps.a]
type = "set"
approval = { approvers = 0 }
"#, expect![[r#"
    8:1 CF0012 error: an approval has no `prompt`
        8:1 ‹approval› it is required here
        help: add  prompt = "May it go on?"
    8:26 CF0013 error: `approvers` must be a whole number from 1 to 4294967295
        8:26 ‹0› 
        help: write  approvers = 1
"#]]);
}

#[test]
fn a_point_of_no_return_at_the_end() {
    check(r#"
[steps.a]
type = "set"
[finally.z]
type = "set"
point_of_no_return = true
"#, expect![[r#"
    10:1 CF0017 error: a `finally` step runs after everything; it is no point of no return
        10:1 ‹point_of_no_return› 
        help: take it out
"#]]);
}

#[test]
fn a_secret_where_others_see_it() {
    check(r#"
[inputs.token]
type = "string"
secret = true
from = { env = "TOKEN" }
[steps.a]
type = "exec"
with = { command = ["curl", "-H", "{{ inputs.token }}"], env = { T = "{{ inputs.token }}" } }
[steps.b]
type = "http"
with = { url = "https://x/?t={{ inputs.token }}", headers = { a = "{{ inputs.token }}" } }
"#, expect![[r#"
    12:39 CF0306 error: the secret `token` would be seen by others in `command`
        12:39 ‹inputs.token› everybody on the machine can read this
        help: give it by `env` or `stdin` of a process, or a header of a request
    15:33 CF0306 error: the secret `token` would be seen by others in `url`
        15:33 ‹inputs.token› everybody on the machine can read this
        help: give it by `env` or `stdin` of a process, or a header of a request
"#]]);
}

#[test]
fn a_secret_where_it_would_be_stored() {
    check(r#"
[inputs.token]
type = "string"
secret = true
from = { env = "TOKEN" }
[steps.a]
type = "set"
title = "{{ inputs.token }}"
with = { x = "{{ inputs.token }}" }
for_each = ["{{ inputs.token }}"]
key = "{{ inputs.token }}"
[steps.b]
type = "approval"
with = { prompt = "{{ inputs.token }}", evidence = ["inputs.token"] }
"#, expect![[r#"
    12:13 CF0307 error: the secret `token` would be stored with the title
        12:13 ‹inputs.token› a secret is never stored
        help: use it only in the parameters of a step that needs it
    13:18 CF0307 error: the secret `token` would be stored with the output of `set`
        13:18 ‹inputs.token› a secret is never stored
        help: use it only in the parameters of a step that needs it
    14:17 CF0307 error: the secret `token` would be stored with the instances
        14:17 ‹inputs.token› a secret is never stored
        help: use it only in the parameters of a step that needs it
    15:11 CF0307 error: the secret `token` would be stored with the instances
        15:11 ‹inputs.token› a secret is never stored
        help: use it only in the parameters of a step that needs it
    18:23 CF0307 error: the secret `token` would be stored with the question
        18:23 ‹inputs.token› a secret is never stored
        help: use it only in the parameters of a step that needs it
    18:53 CF0307 error: the secret `token` would be stored with the evidence
        18:53 ‹"inputs.token"› a secret is never stored
        help: use it only in the parameters of a step that needs it
"#]]);
}

#[test]
fn secrets_from_nowhere() {
    check(r#"
[inputs.a]
secret = true
[inputs.b]
type = "integer"
secret = true
default = 3
from = { env = "A", file = "b" }
[inputs.c]
type = "string"
from = { vault = "x" }
[steps.a]
type = "set"
"#, expect![[r#"
    7:1 CF0405 error: nothing says where the secret `a` comes from
        7:1 ‹secret› a secret is never typed or stored
        help: add  from = { env = "NAME" },  { file = "path" }  or  { command = ["program", "argument"] }
    8:9 CF0405 error: the secret `b` must be of type string
        8:9 ‹b› 
        help: write  type = "string"
    11:11 CF0405 error: the secret `b` has a default, which everybody can read here
        11:11 ‹3› a value in the file is no secret
        help: take the default out and change the secret; say where it comes from with `from`
    12:28 CF0405 error: the secret `b` must come from one place
        12:28 ‹"b"› 
        help: keep one of `env`, `file` and `command`, with a value
    15:1 CF0405 error: `c` has `from` but is no secret
        15:1 ‹from› 
        help: add  secret = true
    15:8 CF0405 error: `from` of `c` names no place
        15:8 ‹{ vault = "x" }› 
        help: write  from = { env = "NAME" }
    15:10 CF0010 error: `from` has no key `vault`
        15:10 ‹vault› not known here
        help: there is `env`, `file`, `command`
"#]]);
}

#[test]
fn inputs_that_cannot_be() {
    check(r#"
[inputs.a]
type = "text"
[inputs.b]
[inputs.1c]
type = "string"
[inputs.d]
type = "string"
pattern = "("
[inputs.e]
type = "integer"
pattern = "x"
minimum = "a"
[inputs.f]
type = "string"
minimum = 1
secrte = true
[steps.a]
type = "set"
"#, expect![[r#"
    7:8 CF0013 error: `type` cannot be `text`
        7:8 ‹"text"› 
        help: there is `string`, `integer`, `number`, `boolean`, `duration`, `list`, `table`
    8:9 CF0012 error: the input `b` has no `type`
        8:9 ‹b› it is required here
        help: add  type = "string"
    8:9 CF0401 error: the input `b` has no value
        8:9 ‹b› declared here, without a default
        help: give it with  --set b=…  or in a file with  --inputs FILE;  it must be text
    9:9 CF0016 error: `1c` cannot be an input's name
        9:9 ‹1c› 
        help: use letters, digits and `_`, beginning with a letter, so that expressions can name it
    9:9 CF0401 error: the input `1c` has no value
        9:9 ‹1c› declared here, without a default
        help: give it with  --set 1c=…  or in a file with  --inputs FILE;  it must be text
    11:9 CF0401 error: the input `d` has no value
        11:9 ‹d› declared here, without a default
        help: give it with  --set d=…  or in a file with  --inputs FILE;  it must be text
    13:11 CF0407 error: the pattern cannot be read: unclosed group
        13:11 ‹"("› 
        help: write a regular expression such as '^INC-[0-9]+$', in single quotes
    14:9 CF0401 error: the input `e` has no value
        14:9 ‹e› declared here, without a default
        help: give it with  --set e=…  or in a file with  --inputs FILE;  it must be a whole number
    16:1 CF0017 error: `pattern` is for text, and `e` is of type integer
        16:1 ‹pattern› 
        help: use `minimum`, `maximum` or `one_of`, or take it out
    17:11 CF0011 error: `minimum` must be a number, not text
        17:11 ‹"a"› this is text
        help: write  minimum = 1
    18:9 CF0401 error: the input `f` has no value
        18:9 ‹f› declared here, without a default
        help: give it with  --set f=…  or in a file with  --inputs FILE;  it must be text
    20:1 CF0017 error: `minimum` is for numbers and durations, not for string
        20:1 ‹minimum› 
        help: use `pattern` or `one_of`, or take it out
    21:1 CF0010 error: the input `f` has no key `secrte`
        21:1 ‹secrte› not known here
        help: did you mean `secret`?
"#]]);
}

#[test]
fn defaults_that_the_input_refuses() {
    check(r#"
[inputs.a]
type = "integer"
default = 3
minimum = 4
[inputs.b]
type = "string"
default = "x"
pattern = "^INC"
[inputs.c]
type = "duration"
default = "soon"
[inputs.d]
type = "string"
default = "x"
one_of = ["y"]
[steps.a]
type = "set"
"#, expect![[r#"
    8:11 CF0406 error: the default of `a` is not allowed: 3 is less than 4
        8:11 ‹3› refused by the input's own declaration
        help: change the default, or what the input allows
    12:11 CF0406 error: the default of `b` is not allowed: `x` does not match `^INC`
        12:11 ‹"x"› refused by the input's own declaration
        help: change the default, or what the input allows
    16:11 CF0406 error: the default of `c` is not allowed: `soon` is not a duration such as 30s or 1h30m
        16:11 ‹"soon"› refused by the input's own declaration
        help: change the default, or what the input allows
    19:11 CF0406 error: the default of `d` is not allowed: "x" is not one of "y"
        19:11 ‹"x"› refused by the input's own declaration
        help: change the default, or what the input allows
"#]]);
}

#[test]
fn values_from_outside() {
    let lines = "[inputs.ticket]\ntype = \"string\"\npattern = \"^INC-[0-9]+$\"\ndescription = \"Incident\"\n[inputs.count]\ntype = \"integer\"\ndefault = 4\nminimum = 1\n[inputs.token]\ntype = \"string\"\nsecret = true\nfrom = { env = \"T\" }\n[steps.a]\ntype = \"set\"\n";
    check_with(lines, &options(), expect![[r#"
        5:9 CF0401 error: the input `ticket` has no value (Incident)
            5:9 ‹ticket› declared here, without a default
            help: give it with  --set ticket=…  or in a file with  --inputs FILE;  it must be text
    "#]]);
    check_with(lines, &given(&[("ticket", "42"), ("count", "0"), ("token", "x"), ("tiket", "y")]), expect![[r#"
        1:1 CF0403 error: the runbook has no input `tiket`
            help: did you mean `ticket`?
        5:9 CF0402 error: the value given for `ticket` is not allowed: `42` does not match `^INC-[0-9]+$`
            5:9 ‹ticket› declared here
            help: give text with  --set ticket=…
        9:9 CF0402 error: the value given for `count` is not allowed: 0 is less than 1
            9:9 ‹count› declared here
            help: give a whole number with  --set count=…
        13:9 CF0404 error: `token` is a secret and cannot be given as text
            13:9 ‹token› declared here
            help: command lines and files are seen by others: put the value where `from` says
    "#]]);
    check_with(lines, &given(&[("ticket", "INC-1"), ("count", "many")]), expect![[r#"
        9:9 CF0402 error: the value given for `count` is not allowed: `many` is not a whole number
            9:9 ‹count› declared here
            help: give a whole number with  --set count=…
    "#]]);
}

#[test]
fn options_that_name_nothing() {
    let lines = "[steps.restore]\ntype = \"set\"\ntags = [\"slow\"]\n[finally.z]\ntype = \"set\"\n";
    let options = Options { only: vec!["slo".into()], skip: vec!["nothing".into()], until: Some("restor".into()), max_parallel: Some(0), ..options() };
    check_with(lines, &options, expect![[r#"
        1:1 CF0501 error: `--only slo` names no step and no tag
            help: did you mean `slow`?
        1:1 CF0501 error: `--skip nothing` names no step and no tag
            help: there is `slow`, `restore`, `z`
        1:1 CF0501 error: `--until restor` names no step
            help: did you mean `restore`?
        1:1 CF0503 error: `--max-parallel 0` would start nothing
            help: give a number from 1
    "#]]);
    check_with(lines, &Options { skip: vec!["slow".into()], until: Some("z".into()), ..super::options() }, expect![[r#"
        1:1 CF0502 error: the options leave out every step
            help: give fewer `--skip`, or other `--only`
        1:1 CF0503 error: `--until z` names a `finally` step
            help: name a step of [steps]
    "#]]);
}

#[test]
fn targets() {
    let check = |text: &str, expected: Expect| expected.assert_eq(&told(text, &Target::parse(&Source { name: "t.toml", text }).1));
    check("", expect![[r#"
        1:1 CF0012 error: the target file has no `[target]`
            1:1 ‹› it is required here
            help: add  [target]  name = "prod-eu"  kind = "production"
    "#]]);
    check("[target]\nname = 3\nkind = \"prod\"\n", expect![[r#"
        2:8 CF0011 error: `name` must be text, not a whole number
            2:8 ‹3› this is a whole number
            help: write  name = "…"
        3:8 CF0601 error: there is no kind of target `prod`
            3:8 ‹"prod"› 
            help: there is `production`, `staging`, `lab`; take `production` when people depend on it
    "#]]);
    check("[target]\nnmae = \"x\"\n[operations.freeze]\nhtpp = {}\nhttp = { url = \"{{ x\" }\nprobe = { done = \"output.\" }\n", expect![[r#"
        1:2 CF0012 error: [target] has no `name`
            1:2 ‹target› it is required here
            help: add  name = "prod-eu"
        1:2 CF0012 error: [target] has no `kind`
            1:2 ‹target› it is required here
            help: add  kind = "production",  "staging"  or  "lab"
        2:1 CF0010 error: [target] has no key `nmae`
            2:1 ‹nmae› not known here
            help: did you mean `name`?
        4:1 CF0010 error: [operations.freeze] has no key `htpp`
            4:1 ‹htpp› not known here
            help: did you mean `http`?
        5:17 CF0201 error: the template cannot be read: `{{` is never closed
            5:17 ‹{{› here
            help: write  {{ name }},  or \{{ where braces are meant as text
        6:26 CF0202 error: the condition cannot be read: expected identifier after '.'
            6:26 ‹› here
            help: conditions are CEL:  output.frozen == true
    "#]]);
}
