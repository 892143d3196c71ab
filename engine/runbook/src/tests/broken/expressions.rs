//! Templates and conditions.

use super::check;
use expect_test::expect;

#[test]
fn templates_that_cannot_be_read() {
    check(
        r#"
[steps.a]
type = "set"
with = { a = "{{ inputs.", b = "{{}}", c = "{{ a b }}", d = "{{#if run.name}}x", e = "{{> partial}}", f = "{{ run.name | shout }}", g = "{{ 'x }}" }
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn conditions_that_cannot_be_read() {
    check(
        r#"
[steps.a]
type = "set"
when = "inputs.a ="
verify = [{ check = "output.x == " }, { check = "{{ output.x }} == 1" }, { check = "lenght(output.x) > 1" }]
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn a_condition_that_is_too_deep() {
    check(
        r#"
[steps.a]
type = "set"
when = "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((true))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"
"#,
        expect![[r#"
    8:33 CF0212 error: the condition cannot be read: it is nested too deeply
        8:33 ‹(› here
        help: split it: several `verify` checks, or a `set` step that computes a part
"#]],
    );
}

#[test]
fn unknown_names() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ ticket }} {{ a }} {{ input.ticket }} {{ nonsense }}"
[inputs.ticket]
type = "string"
default = ""
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn undeclared_inputs() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ inputs.tiket }}"
when = "inputs.other == 1"
[inputs.ticket]
type = "string"
default = ""
"#,
        expect![[r#"
    8:13 CF0207 error: no input `tiket` is declared
        8:13 ‹inputs.tiket› not declared
        help: did you mean `inputs.ticket`?
    9:9 CF0207 error: no input `other` is declared
        9:9 ‹inputs.other› not declared
        help: declare it:  [inputs.other]  type = "string"
"#]],
    );
}

#[test]
fn a_step_that_is_not_waited_for() {
    check(
        r#"
[steps.freeze]
type = "ceptra.freeze"
with = { group = "pg-0" }
[steps.restore]
type = "exec"
with = { command = ["restore", "{{ steps.freeze.output.epoch }}"] }
"#,
        expect![[r#"
    11:36 CF0204 error: step `restore` reads `steps.freeze.output.epoch`, but does not wait for `freeze`
        11:36 ‹steps.freeze.output.epoch› `freeze` is not among the steps this one needs
        help: add  needs = ["freeze"]
"#]],
    );
}

#[test]
fn a_step_that_waits_for_the_reader() {
    check(
        r#"
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
"#,
        expect![[r#"
    8:9 CF0204 error: step `a` reads `steps.b.output.x`, but does not wait for `b`
        8:9 ‹steps.b.output.x› `b` is not among the steps this one needs
        help: `b` itself waits for `a`: read it in a later step
    8:9 CF0206 error: `steps.b.output` has no `x`
        8:9 ‹steps.b.output.x› not there
        help: there is none
    15:13 CF0204 error: step `c` reads `steps.b.status`, but does not wait for `b`
        15:13 ‹steps.b.status› `b` is not among the steps this one needs
        help: write  needs = ["a", "b"]
"#]],
    );
}

#[test]
fn its_own_output() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ steps.a.output }}"
"#,
        expect![[r#"
    8:13 CF0204 error: step `a` reads `steps.a.output`, its own result
        8:13 ‹steps.a.output› not there before it has run
        help: in `verify`, `until` and `undo` the step's own output is  output
"#]],
    );
}

#[test]
fn a_finally_step_that_is_read_too_early() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ steps.z.status }}"
[finally.z]
type = "set"
title = "{{ steps.a.status }}"
"#,
        expect![[r#"
    8:13 CF0204 error: step `a` reads `steps.z.status`, but does not wait for `z`
        8:13 ‹steps.z.status› `z` is not among the steps this one needs
        help: `z` runs at the end; read it from another [finally.ID] step
"#]],
    );
}

#[test]
fn unknown_steps_in_expressions() {
    check(
        r#"
[steps.a]
type = "set"
needs = ["freeze"]
title = "{{ steps.freze.output }} {{ steps }}"
[steps.freeze]
type = "set"
"#,
        expect![[r#"
    9:13 CF0205 error: there is no step `freze`
        9:13 ‹steps.freze.output› unknown step
        help: did you mean `freeze`?
    9:38 CF0205 error: `steps` must be followed by a step's id
        9:38 ‹steps› 
        help: write  steps.ID.output
"#]],
    );
}

#[test]
fn fields_that_an_output_does_not_have() {
    check(
        r#"
[steps.freeze]
type = "ceptra.freeze"
with = { group = "pg-0" }
verify = [{ check = "output.epok > 1" }]
[steps.b]
type = "set"
needs = ["freeze"]
with = { a = "{{ steps.freeze.output.epok }}", b = "{{ steps.freeze.epoch }}", c = "{{ steps.freeze.items }}", d = "{{ steps.freeze.output.epoch.x }}", e = "{{ steps.freeze.output.replicas.[0].x }}" }
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn keys_that_a_set_does_not_have() {
    check(
        r#"
[steps.a]
type = "set"
with = { one = 1, two = { three = 3 } }
[steps.b]
type = "set"
needs = ["a"]
with = { x = "{{ steps.a.output.won }}", y = "{{ steps.a.output.two.tree }}", z = "{{ steps.a.output.one.more }}" }
"#,
        expect![[r#"
    12:18 CF0206 error: `steps.a.output` has no `won`
        12:18 ‹steps.a.output.won› not there
        help: there is `one`, `two`
    12:50 CF0206 error: `steps.a.output.two` has no `tree`
        12:50 ‹steps.a.output.two.tree› not there
        help: did you mean `three`?
    12:87 CF0206 error: `steps.a.output.one` has no `more`
        12:87 ‹steps.a.output.one.more› not there
        help: use  steps.a.output.one
"#]],
    );
}

#[test]
fn names_that_are_not_in_scope() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ item.x }} {{ index }} {{ output }} {{ run.outcome }} {{ run.nmae }}"
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn an_unlisted_environment_variable() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ env.HOME }} {{ env }}"
"#,
        expect![[r#"
    8:13 CF0210 error: the environment variable `HOME` is not listed
        8:13 ‹env.HOME› only listed variables can be read
        help: add it in [runbook]:  env = ["HOME"]
    8:28 CF0210 error: `env` must be followed by a variable's name
        8:28 ‹env› 
        help: write  env.NAME
"#]],
    );
}

#[test]
fn a_field_that_the_target_does_not_have() {
    check(
        r#"
[steps.a]
type = "set"
title = "{{ target.clusters.primary.idd }} {{ target.cluster.dr.id }} {{ target.partition_groups.[7].group_id }}"
"#,
        expect![[r#"
    8:13 CF0211 error: the target has no `target.clusters.primary.idd`
        8:13 ‹target.clusters.primary.idd› `target.clusters.primary` has no such field
        help: did you mean `id`?
    8:47 CF0211 error: the target has no `target.cluster.dr.id`
        8:47 ‹target.cluster.dr.id› `target` has no such field
        help: did you mean `clusters`?
    8:74 CF0211 error: the target has no `target.partition_groups[7].group_id`
        8:74 ‹target.partition_groups.[7].group_id› `target.partition_groups` has no such field
        help: look at the target file
"#]],
    );
}

#[test]
fn for_each_over_something_else() {
    check(
        r#"
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
"#,
        expect![[r#"
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
"#]],
    );
}

#[test]
fn fields_that_no_element_has() {
    check(
        r#"
[steps.a]
type = "set"
for_each = "{{ target.partition_groups }}"
key = "{{ item.group }}"
"#,
        expect![[r#"
    9:11 CF0206 error: no element of `for_each` has a field `group`
        9:11 ‹item.group› not there
        help: there is `group_id`, `replicas`
"#]],
    );
}

#[test]
fn keys_that_are_not_unique() {
    check(
        r#"
[steps.a]
type = "set"
for_each = ["x", "y", "x"]
key = "{{ item }}"
"#,
        expect![[r#"
    9:7 CF0304 error: two elements have the key `x`; keys must be unique
        9:7 ‹"{{ item }}"› 
        help: use a field that is different in every element:  key = "{{ item.id }}"
"#]],
    );
}

#[test]
fn what_must_be_known_before_the_run() {
    check(
        r#"
[steps.a]
type = "set"
timeout = "{{ steps.b.output }}"
locks = ["{{ run.id }}"]
[steps.b]
type = "set"
"#,
        expect![[r#"
    8:15 CF0214 error: `timeout` must be known before the run, and `steps.b.output` is known only later
        8:15 ‹steps.b.output› known only while the run goes on
        help: use `inputs`, `target`, `env` or `run.name`, or write the value itself
    9:14 CF0214 error: `locks` must be known before the run, and `run.id` is known only later
        9:14 ‹run.id› known only while the run goes on
        help: use `inputs`, `target`, `env` or `run.name`, or write the value itself
"#]],
    );
}

#[test]
fn an_input_that_is_no_duration() {
    check(
        r#"
[steps.a]
type = "set"
timeout = "{{ inputs.t }}"
for_each = [1]
max_parallel = "{{ inputs.t }}"
[inputs.t]
type = "string"
default = "soon"
"#,
        expect![[r#"
    8:11 CF0014 error: `soon` is not a duration
        8:11 ‹"{{ inputs.t }}"› 
        help: write whole numbers with units, large ones first: 250ms, 30s, 10m, 1h30m, 2d
    10:16 CF0013 error: `max_parallel` must be a whole number from 1, not "soon"
        10:16 ‹"{{ inputs.t }}"› 
        help: change the input that it comes from
"#]],
    );
}
