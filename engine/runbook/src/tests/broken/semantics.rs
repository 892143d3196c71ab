//! What a step means: effects, probes, people, secrets.

use super::check;
use expect_test::expect;

#[test]
fn a_laxer_effect() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "idempotent"
"#,
        expect![[r#"
    9:10 CF0301 warning: `exec` is `once` by itself; saying `idempotent` lets it run twice after a crash
        9:10 ‹"idempotent"› laxer than the type's own
        help: be sure that running it twice is harmless, or write  effect = "once"
"#]],
    );
}

#[test]
fn a_probe_effect_without_a_probe() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "probe"
"#,
        expect![[r#"
    9:10 CF0302 error: nothing tells whether `a` happened
        9:10 ‹"probe"› `probe` needs a probe
        help: add  probe = { type = "exec", with = { … }, done = "…", not_done = "…" }
"#]],
    );
}

#[test]
fn a_probe_that_tells_nothing() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
effect = "probe"
probe = { type = "ceptra.freeze", with = { group = "pg-0" }, effect = "once", dune = "true" }
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn a_probe_without_type() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
probe = { done = "output.exit_code == 'a'" }
"#,
        expect![[r#"
    9:1 CF0012 error: the probe has no `type`
        9:1 ‹probe› it is required here
        help: add  type = "exec"
"#]],
    );
}

#[test]
fn until_on_a_step_that_changes_something() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
until = "output.exit_code == 0"
"#,
        expect![[r#"
    9:1 CF0303 error: `until` repeats a step, and `a` is `once`
        9:1 ‹until› only a `read` step may be repeated
        help: use `retry` to try again after a failure, or wait in a `read` step of its own
"#]],
    );
}

#[test]
fn undo_that_is_not_there() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
undo = "auto"
[steps.b]
type = "ceptra.freeze"
with = { group = "a" }
undo = "never"
"#,
        expect![[r#"
    9:8 CF0305 error: `exec` does not know how to reverse itself
        9:8 ‹"auto"› 
        help: say how:  undo = { type = "exec", with = { … } }
    13:8 CF0013 error: `undo` cannot be `never`
        13:8 ‹"never"› 
        help: write  undo = "auto"  or  undo = { type = "exec", with = { … } }
"#]],
    );
}

#[test]
fn an_undo_by_a_person() {
    check(
        r#"
[steps.a]
type = "exec"
with = { command = ["x"] }
undo = { type = "manual", with = { instructions = "x" }, needs = [] }
"#,
        expect![[r#"
    9:17 CF0310 error: the undo cannot be a `manual`
        9:17 ‹"manual"› a person's step
        help: use a step that runs by itself, such as `exec`
    9:58 CF0010 error: an undo has no key `needs`
        9:58 ‹needs› not known here
        help: there is `type`, `with`, `timeout`, `effect`
"#]],
    );
}

#[test]
fn keys_that_a_person_cannot_have() {
    check(
        r#"
[steps.a]
type = "approval"
with = { prompt = "?", aprovers = 2, evidence = ["{{ x }}"], expires = "1 hour", rehearsal = "yes" }
timeout = "1h"
retry = { attempts = 2 }
[steps.b]
type = "manual"
with = { fields = { n = { type = "int" } } }
"#,
        expect![[r#"
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
            9:1 CF0310 warning: `timeout` means nothing where a person decides or acts
                9:1 ‹timeout› 
                help: say how long the question stands with  with = { expires = "30m" }
            10:1 CF0310 warning: `retry` means nothing where a person decides or acts
                10:1 ‹retry› 
                help: take it out
            13:1 CF0012 error: a manual step has no `instructions`
                13:1 ‹with› it is required here
                help: add  instructions = "What to do"
            13:34 CF0013 error: `type` cannot be `int`
                13:34 ‹"int"› 
                help: there is `string`, `integer`, `number`, `boolean`, `duration`, `list`, `table`
        "#]],
    );
}

#[test]
fn an_approval_without_prompt() {
    check(
        r#"
[steps.a]
type = "set"
approval = { approvers = 0 }
"#,
        expect![[r#"
    8:1 CF0012 error: an approval has no `prompt`
        8:1 ‹approval› it is required here
        help: add  prompt = "May it go on?"
    8:26 CF0013 error: `approvers` must be a whole number from 1 to 4294967295
        8:26 ‹0› 
        help: write  approvers = 1
"#]],
    );
}

#[test]
fn a_point_of_no_return_at_the_end() {
    check(
        r#"
[steps.a]
type = "set"
[finally.z]
type = "set"
point_of_no_return = true
"#,
        expect![[r#"
    10:1 CF0017 error: a `finally` step runs after everything; it is no point of no return
        10:1 ‹point_of_no_return› 
        help: take it out
"#]],
    );
}

#[test]
fn a_secret_where_others_see_it() {
    check(
        r#"
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
"#,
        expect![[r#"
    12:39 CF0306 error: the secret `token` would be seen by others in `command`
        12:39 ‹inputs.token› everybody on the machine can read this
        help: give it by `env` or `stdin` of a process, or a header of a request
    15:33 CF0306 error: the secret `token` would be seen by others in `url`
        15:33 ‹inputs.token› everybody on the machine can read this
        help: give it by `env` or `stdin` of a process, or a header of a request
"#]],
    );
}

#[test]
fn a_secret_where_it_would_be_stored() {
    check(
        r#"
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
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn secrets_from_nowhere() {
    check(
        r#"
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
"#,
        expect![[r#"
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
"#]],
    );
}
