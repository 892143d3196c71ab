//! Keys and parameters of steps.

use super::check;
use expect_test::expect;

#[test]
fn an_unknown_step_key() {
    check(
        r#"
[steps.a]
type = "set"
need = ["b"]
colour = "red"
"#,
        expect![[r#"
    8:1 CF0010 error: the step `a` has no key `need`
        8:1 ‹need› not known here
        help: did you mean `needs`?
    9:1 CF0010 error: the step `a` has no key `colour`
        9:1 ‹colour› not known here
        help: there is `type`, `with`, `title`, `description`, `needs`, `when`, `for_each`, `key`, `max_parallel`, `timeout`, `deadline`, `retry`, `until`, `interval`, `effect`, `probe`, `verify`, `undo`, `on_failure`, `approval`, `point_of_no_return`, `locks`, `queue`, `tags`
"#]],
    );
}

#[test]
fn a_step_without_type() {
    check(
        r#"
[steps.a]
with = {}
"#,
        expect![[r#"
    6:8 CF0012 error: the step `a` has no `type`
        6:8 ‹a› it is required here
        help: add  type = "exec"
"#]],
    );
}

#[test]
fn an_unknown_type() {
    check(
        r#"
[steps.a]
type = "exce"
[steps.b]
type = "magic"
"#,
        expect![[r#"
    7:8 CF0101 error: there is no step type `exce`
        7:8 ‹"exce"› unknown type
        help: did you mean `exec`?
    `ceptra-flow steps` lists all of them
    9:8 CF0101 error: there is no step type `magic`
        9:8 ‹"magic"› unknown type
        help: there is `approval`, `assert`, `ceptra.cutover`, `ceptra.freeze`, `exec`, `http`, `manual`, `set`, `wait`
    `ceptra-flow steps` lists all of them
"#]],
    );
}

#[test]
fn types_of_later_versions() {
    check(
        r#"
[steps.a]
type = "ssh"
[steps.b]
type = "notify"
"#,
        expect![[r#"
    7:8 CF0020 error: the step type `ssh` is not available in this version
        7:8 ‹"ssh"› 
        help: use `exec` or `http` for now
    9:8 CF0020 error: the step type `notify` is not available in this version
        9:8 ‹"notify"› 
        help: use `exec` or `http` for now
"#]],
    );
}

#[test]
fn a_bad_id() {
    check(
        r#"
[steps.Restore-Volumes]
type = "set"
"#,
        expect![[r#"
    6:8 CF0016 error: `Restore-Volumes` cannot be a step's id
        6:8 ‹Restore-Volumes› 
        help: use small letters, digits and `_`, beginning with a letter: restore_volumes
"#]],
    );
}

#[test]
fn wrong_types_of_keys() {
    check(
        r#"
[steps.a]
type = "set"
title = 1
needs = "b"
timeout = 30
point_of_no_return = "yes"
locks = [1]
verify = "x"
retry = 3
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn bad_durations() {
    check(
        r#"
[steps.a]
type = "set"
timeout = "10 minutes"
deadline = "1m1h"
[limits]
timeout = "soon"
"#,
        expect![[r#"
    8:11 CF0014 error: `10 minutes` is not a duration
        8:11 ‹"10 minutes"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    9:12 CF0014 error: `1m1h` is not a duration
        9:12 ‹"1m1h"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    11:11 CF0014 error: `soon` is not a duration
        11:11 ‹"soon"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]],
    );
}

#[test]
fn a_bad_choice() {
    check(
        r#"
[steps.a]
type = "set"
on_failure = "stop"
effect = "readonly"
"#,
        expect![[r#"
    8:14 CF0013 error: `on_failure` cannot be `stop`
        8:14 ‹"stop"› 
        help: there is `halt`, `continue`, `undo`
    9:10 CF0013 error: `effect` cannot be `readonly`
        9:10 ‹"readonly"› 
        help: there is `read`, `idempotent`, `keyed`, `probe`, `once`
"#]],
    );
}

#[test]
fn retry_that_makes_no_sense() {
    check(
        r#"
[steps.a]
type = "set"
retry = { attempts = 0, backoff = "linear", initial = "10s", max = "1s", tries = 3 }
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn keys_without_for_each() {
    check(
        r#"
[steps.a]
type = "set"
key = "x"
max_parallel = 2
interval = "1s"
"#,
        expect![[r#"
    8:1 CF0017 error: `key` is for steps with `for_each`
        8:1 ‹key› 
        help: add `for_each`, or take it out
    9:1 CF0017 error: `max_parallel` is for steps with `for_each`
        9:1 ‹max_parallel› 
        help: add `for_each`, or take it out
    10:1 CF0017 error: `interval` is the pause of `until`, which is not there
        10:1 ‹interval› 
        help: add  until = "output.…"
"#]],
    );
}

#[test]
fn a_name_that_is_no_name() {
    check(
        r#"
[steps.a]
type = "set"
tags = ["", "a\nb"]
"#,
        expect![[r#"
    8:9 CF0016 error: `` cannot be a name
        8:9 ‹""› 
        help: use 1 to 128 characters on one line
    8:13 CF0016 error: `a\nb` cannot be a name
        8:13 ‹"a\nb"› 
        help: use 1 to 128 characters on one line
"#]],
    );
}

#[test]
fn an_unknown_parameter() {
    check(
        r#"
[steps.a]
type = "exec"
with = { comand = ["x"], script = "y" }
"#,
        expect![[r#"
    8:10 CF0010 error: `exec` has no key `comand`
        8:10 ‹comand› not known here
        help: did you mean `command`?
"#]],
    );
}

#[test]
fn a_missing_parameter() {
    check(
        r#"
[steps.a]
type = "http"
[steps.b]
type = "http"
with = { method = "GET" }
"#,
        expect![[r#"
    6:8 CF0012 error: `http` has no `url`
        6:8 ‹a› it is required here
        help: add  with = { url = … };  `ceptra-flow steps http` shows all
    10:1 CF0012 error: `http` has no `url`
        10:1 ‹with› it is required here
        help: add  url = "…"
"#]],
    );
}

#[test]
fn parameters_of_the_wrong_type() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = "ls -l", ok_codes = ["a"], parse = "xml", limit = "64 kilos", env = { A = 1 } }
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn parameters_that_do_not_go_together() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"], script = "y" }
"#,
        expect![[r#"
    8:20 CF0309 error: `exec`: takes either `command` or `script`
        8:20 ‹["x"]› 
        help: write  command = ["…"]
"#]],
    );
}

#[test]
fn a_bad_duration_in_parameters() {
    check(
        r#"
[steps.a]
type = "wait"
with = { duration = "1 s" }
"#,
        expect![[r#"
    8:21 CF0014 error: `1 s` is not a duration
        8:21 ‹"1 s"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]],
    );
}

#[test]
fn text_where_a_list_is_due() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"], ok_codes = "{{ inputs.a }} and {{ run.name }}" }
[inputs.a]
type = "string"
default = "x"
"#,
        expect![[r#"
    8:38 CF0011 error: `ok_codes` must be a list, not text
        8:38 ‹"{{ inputs.a }} and {{ run.name }}"› this is text
        help: write  ok_codes = [1],  or exactly one reference:  "{{ inputs.name }}"
"#]],
    );
}

#[test]
fn a_number_that_is_too_large() {
    check(
        r#"
[steps.a]
type = "set"
with = { a = 99999999999999999999, b = inf }
"#,
        expect![[r#"
    8:14 CF0013 error: this number is too large
        8:14 ‹99999999999999999999› 
        help: whole numbers reach from -2^63 to 2^64 - 1; write a larger one as text
    8:40 CF0013 error: `inf` and `nan` cannot be stored
        8:40 ‹inf› 
        help: write a finite number, or text
"#]],
    );
}

#[test]
fn a_binding_that_cannot_work() {
    check(
        r#"
[steps.a]
type = "ceptra.cutover"
"#,
        expect![[r#"
    6:8 CF0602 error: `ceptra.cutover` calls `advance_epoch`, which the target binds to kubernetes; that is not available in this version
        6:8 ‹a› 
        help: bind it with http or exec in the target:  [operations.advance_epoch]
"#]],
    );
}
