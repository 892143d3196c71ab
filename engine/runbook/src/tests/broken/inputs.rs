//! Inputs, options, targets.

use super::super::{given, options, told};
use super::{check, check_with};
use crate::{Options, Source, Target};
use expect_test::{Expect, expect};

#[test]
fn inputs_that_cannot_be() {
    check(
        r#"
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
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn defaults_that_the_input_refuses() {
    check(
        r#"
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
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn values_from_outside() {
    let lines = "[inputs.ticket]\ntype = \"string\"\npattern = \"^INC-[0-9]+$\"\ndescription = \"Incident\"\n[inputs.count]\ntype = \"integer\"\ndefault = 4\nminimum = 1\n[inputs.token]\ntype = \"string\"\nsecret = true\nfrom = { env = \"T\" }\n[steps.a]\ntype = \"set\"\n";
    check_with(
        lines,
        &options(),
        expect![[r#"
        5:9 CF0401 error: the input `ticket` has no value (Incident)
            5:9 ‹ticket› declared here, without a default
            help: give it with  --set ticket=…  or in a file with  --inputs FILE;  it must be text
    "#]],
    );
    check_with(
        lines,
        &given(&[("ticket", "42"), ("count", "0"), ("token", "x"), ("tiket", "y")]),
        expect![[r#"
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
    "#]],
    );
    check_with(
        lines,
        &given(&[("ticket", "INC-1"), ("count", "many")]),
        expect![[r#"
        9:9 CF0402 error: the value given for `count` is not allowed: `many` is not a whole number
            9:9 ‹count› declared here
            help: give a whole number with  --set count=…
    "#]],
    );
}

#[test]
fn options_that_name_nothing() {
    let lines = "[steps.restore]\ntype = \"set\"\ntags = [\"slow\"]\n[finally.z]\ntype = \"set\"\n";
    let wrong = Options {
        only: vec!["slo".into()],
        skip: vec!["nothing".into()],
        until: Some("restor".into()),
        max_parallel: Some(0),
        ..options()
    };
    check_with(
        lines,
        &wrong,
        expect![[r#"
        1:1 CF0501 error: `--only slo` names no step and no tag
            help: did you mean `slow`?
        1:1 CF0501 error: `--skip nothing` names no step and no tag
            help: there is `slow`, `restore`, `z`
        1:1 CF0501 error: `--until restor` names no step
            help: did you mean `restore`?
        1:1 CF0503 error: `--max-parallel 0` would start nothing
            help: give a number from 1
    "#]],
    );
    check_with(
        lines,
        &Options { skip: vec!["slow".into()], until: Some("z".into()), ..options() },
        expect![[r#"
        1:1 CF0502 error: the options leave out every step
            help: give fewer `--skip`, or other `--only`
        1:1 CF0503 error: `--until z` names a `finally` step
            help: name a step of [steps]
    "#]],
    );
}

#[test]
fn targets() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&told(text, &Target::parse(&Source { name: "t.toml", text }).1))
    };
    check(
        "",
        expect![[r#"
        1:1 CF0012 error: the target file has no `[target]`
            1:1 ‹› it is required here
            help: add  [target]  name = "prod-eu"  kind = "production"
    "#]],
    );
    check(
        "[target]\nname = 3\nkind = \"prod\"\n",
        expect![[r#"
        2:8 CF0011 error: `name` must be text, not a whole number
            2:8 ‹3› this is a whole number
            help: write  name = "…"
        3:8 CF0601 error: there is no kind of target `prod`
            3:8 ‹"prod"› 
            help: there is `production`, `staging`, `lab`; take `production` when people depend on it
    "#]],
    );
    check(
        "[target]\nnmae = \"x\"\n[operations.freeze]\nhtpp = {}\nhttp = { url = \"{{ x\" }\nprobe = { done = \"output.\" }\n",
        expect![[r#"
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
    "#]],
    );
}
