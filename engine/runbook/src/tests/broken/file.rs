//! The file as a whole.

use super::{check, check_whole};
use expect_test::expect;

#[test]
fn an_empty_file() {
    check_whole(
        r#"
"#,
        expect![[r#"
    1:1 CF0006 error: the file does not say which version of the format it is in
        1:1 ‹› 
        help: add  schema = 1  as the first line
    1:1 CF0012 error: the file has no `[runbook]`
        1:1 ‹› it is required here
        help: add  [runbook]  name = "…"  title = "…"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
"#]],
    );
}

#[test]
fn a_line_that_is_no_toml() {
    check(
        r#"
[steps.a]
type = "set"
title = unquoted words
"#,
        expect![[r#"
    8:9 CF0001 error: not valid TOML: string values must be quoted, expected literal string
        8:9 ‹unquoted words› here
        help: put text in quotes: "…" on one line, """…""" over several, '…' where a backslash is meant as such
"#]],
    );
}

#[test]
fn several_syntax_errors_at_once() {
    check(
        r#"
[steps.a]
type = "set"
title = 
with = { a = 1
[steps.b]
type = "set
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn a_key_given_twice() {
    check(
        r#"
[steps.a]
type = "set"
title = "a"
title = "b"
"#,
        expect![[r#"
    9:1 CF0002 error: this key or table was given before
        9:1 ‹title› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
"#]],
    );
}

#[test]
fn a_table_given_twice() {
    check(
        r#"
[steps.a]
type = "set"
[steps.b]
type = "set"
[steps.a]
type = "set"
"#,
        expect![[r#"
    10:8 CF0002 error: this key or table was given before
        10:8 ‹a› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
    11:1 CF0002 error: this key or table was given before
        11:1 ‹type› given again here
        help: keep one of the two; TOML never lets a later value replace an earlier one
"#]],
    );
}

#[test]
fn nested_too_deeply() {
    check(
        r#"
[steps.a]
type = "set"
with = { x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }
"#,
        expect![[r#"
    8:45 CF0005 error: nested too deeply to be a runbook or a target
        8:45 ‹[› more than 32 brackets or 16 key segments deep
        help: close a bracket that was left open, or keep the structure in a file that a step reads
"#]],
    );
}

#[test]
fn no_schema() {
    check_whole(
        r#"
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#,
        expect![[r#"
    1:1 CF0006 error: the file does not say which version of the format it is in
        1:1 ‹› 
        help: add  schema = 1  as the first line
"#]],
    );
}

#[test]
fn a_newer_schema() {
    check_whole(
        r#"
schema = 2
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#,
        expect![[r#"
    2:10 CF0007 error: the file is in version 2 of the format; this program knows version 1
        2:10 ‹2› a newer version
        help: use a newer ceptra-flow, or write the file for  schema = 1
"#]],
    );
}

#[test]
fn a_schema_of_another_type() {
    check_whole(
        r#"
schema = "1"
[runbook]
name = "x"
title = "X"
[steps.a]
type = "set"
"#,
        expect![[r#"
    2:10 CF0011 error: `schema` must be a whole number, not text
        2:10 ‹"1"› this is text
        help: write  schema = 1
"#]],
    );
}

#[test]
fn no_runbook_table() {
    check_whole(
        r#"
schema = 1
[steps.a]
type = "set"
"#,
        expect![[r#"
    1:1 CF0012 error: the file has no `[runbook]`
        1:1 ‹› it is required here
        help: add  [runbook]  name = "…"  title = "…"
"#]],
    );
}

#[test]
fn a_runbook_without_name_and_title() {
    check_whole(
        r#"
schema = 1
[runbook]
rto = "30 minutes"
[steps.a]
type = "set"
"#,
        expect![[r#"
    3:2 CF0012 error: [runbook] has no `name`
        3:2 ‹runbook› it is required here
        help: add  name = "pvc-loss"
    3:2 CF0012 error: [runbook] has no `title`
        3:2 ‹runbook› it is required here
        help: add  title = "What it recovers"
    4:7 CF0014 error: `30 minutes` is not a duration
        4:7 ‹"30 minutes"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
"#]],
    );
}

#[test]
fn a_bad_runbook_name() {
    check_whole(
        r#"
schema = 1
[runbook]
name = "PVC loss"
title = 3
[steps.a]
type = "set"
"#,
        expect![[r#"
    4:8 CF0016 error: `PVC loss` cannot be a runbook's name
        4:8 ‹"PVC loss"› 
        help: use small letters, digits and `-`: pvc-loss
    5:9 CF0011 error: `title` must be text, not a whole number
        5:9 ‹3› this is a whole number
        help: write  title = "…"
"#]],
    );
}

#[test]
fn an_unknown_table() {
    check(
        r#"
[step.a]
type = "set"
"#,
        expect![[r#"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
    6:2 CF0010 error: a runbook has no key `step`
        6:2 ‹step› not known here
        help: did you mean `steps`?
"#]],
    );
}

#[test]
fn no_steps() {
    check(
        r#"
"#,
        expect![[r#"
    1:1 CF0108 error: the runbook has no steps
        1:1 ‹› 
        help: add  [steps.first]  type = "exec"  with = { command = ["…"] }
"#]],
    );
}

#[test]
fn steps_that_are_no_tables() {
    check(
        r#"
[steps]
a = 1
"#,
        expect![[r#"
    7:5 CF0011 error: `a` must be a table, not a whole number
        7:5 ‹1› this is a whole number
        help: write  a = { … }
"#]],
    );
}

#[test]
fn keys_of_later_versions() {
    check(
        r#"
[watch.lag]
type = "http"
[guard]
max_drill_age = "30d"
[steps.a]
type = "set"
"#,
        expect![[r#"
    6:2 CF0020 error: [watch.NAME] is not available in this version
        6:2 ‹watch› 
        help: repeat a read-only step with `until` and `interval` for now
    9:17 CF0020 error: [guard] max_drill_age is not available in this version
        9:17 ‹"30d"› 
        help: take it out for now; `fingerprint` and `confirm` work
"#]],
    );
}
