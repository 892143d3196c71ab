//! Templates and scopes, over a run's state.

use super::{around, plan_of};
use crate::expr::scope::{Fixed, Parsed, Scope};
use crate::{Evaluator, Known, Preview, known, render_known};
use ceptra_flow_core::{Json, StepIx};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::sync::Arc;

fn scope() -> Scope {
    let fixed = Fixed {
        inputs: json!({"ticket": "INC-1", "count": 4, "ratio": 0.5, "list": ["a", "b"], "none": null, "flag": true, "table": {"k": "v"}, "odd": "it's <b>&"}),
        target: json!({"partition_groups": [{"group_id": "pg-0", "replicas": ["n0"]}, {"group_id": "pg-1", "replicas": []}]}),
        env: json!({}),
        parsed: Parsed::default(),
    };
    Scope {
        fixed: Arc::new(fixed),
        run: Arc::new(json!({"name": "x"})),
        item: Some(Arc::new(json!({"group_id": "pg-7"}))),
        index: Some(3),
        steps: Some(Arc::new(
            json!({"freeze": {"output": [1, 2, 3], "items": [{"key": "a"}]}, "skipped": {"output": null}}),
        )),
        output: None,
    }
}

fn check(templates: &[&str], expected: Expect) {
    let scope = scope();
    let mut out = String::new();
    for template in templates {
        let result = scope.render_json(Value::from(*template), None);
        let shown = match result {
            Ok(value) => value.to_string(),
            Err(why) => format!("error: {why}"),
        };
        out.push_str(&format!("{template:?} → {shown}\n"));
    }
    expected.assert_eq(&out);
}

#[test]
fn a_reference_alone_keeps_its_type() {
    check(
        &[
            "{{ inputs.count }}",
            "{{inputs.list}}",
            "{{ inputs.flag }}",
            "{{ target.partition_groups.[1] }}",
            "{{ inputs.list[0] }}",
            "{{ inputs.list.1 }}",
            " {{ inputs.count }}",
            "{{{ inputs.odd }}}",
            "{{ inputs.none }}",
        ],
        expect![[r#"
        "{{ inputs.count }}" → 4
        "{{inputs.list}}" → ["a","b"]
        "{{ inputs.flag }}" → true
        "{{ target.partition_groups.[1] }}" → {"group_id":"pg-1","replicas":[]}
        "{{ inputs.list[0] }}" → "a"
        "{{ inputs.list.1 }}" → "b"
        " {{ inputs.count }}" → " 4"
        "{{{ inputs.odd }}}" → "it's <b>&"
        "{{ inputs.none }}" → null
    "#]],
    );
}

#[test]
fn text_is_never_escaped_and_never_has_a_hole() {
    check(
        &[
            "<{{ inputs.odd }}>",
            "{{ inputs.list }}!",
            "{{ inputs.ratio }} {{ inputs.flag }}",
            "x{{ inputs.none }}",
            "x{{ inputs.nothing }}",
            "{{ nothing }}",
            "{{ inputs.ticket.x }}",
            "{{ inputs.list.[7] }}",
            "{{ steps.skipped.output.x }}",
            "{{ item.group }}",
            "plain } {",
            "\\{{ inputs.x }} {{ index }}",
        ],
        expect![[r#"
            "<{{ inputs.odd }}>" → "<it's <b>&>"
            "{{ inputs.list }}!" → "[\"a\",\"b\"]!"
            "{{ inputs.ratio }} {{ inputs.flag }}" → "0.5 true"
            "x{{ inputs.none }}" → error: `x{{ inputs.none }}`: `inputs.none`: the value is null, which has no text; give another with `| default "…"`
            "x{{ inputs.nothing }}" → error: `x{{ inputs.nothing }}`: `inputs.nothing` is unknown: `inputs` has no `nothing`, only `ticket`, `count`, `ratio`, `list`, `none`, `flag`, `table`, `odd`
            "{{ nothing }}" → error: `{{ nothing }}`: there is no `nothing` here
            "{{ inputs.ticket.x }}" → error: `{{ inputs.ticket.x }}`: `inputs.ticket.x` is unknown: `inputs.ticket` is text
            "{{ inputs.list.[7] }}" → error: `{{ inputs.list.[7] }}`: `inputs.list[7]` is unknown: `inputs.list` has 2 elements, no [7]
            "{{ steps.skipped.output.x }}" → error: `{{ steps.skipped.output.x }}`: `steps.skipped.output.x` is unknown: `steps.skipped.output` is null (a skipped step's output is)
            "{{ item.group }}" → error: `{{ item.group }}`: `item.group` is unknown: `item` has no `group`, only `group_id`
            "plain } {" → "plain } {"
            "\\{{ inputs.x }} {{ index }}" → "{{ inputs.x }} 3"
        "#]],
    );
}

#[test]
fn helpers_and_pipes() {
    check(
        &[
            "{{ steps.freeze.items | size }}",
            "{{ size inputs.list }}",
            "{{ inputs.list | join \", \" }}",
            "{{ join inputs.list }}",
            "{{ inputs.list | join \"-\" | upper }}",
            "{{ upper (join inputs.list \"-\") }}",
            "{{ inputs.nothing | default \"other\" }}",
            "{{ default inputs.none 3 }}",
            "{{ inputs.count | default 9 }}",
            "{{ json inputs.table }}",
            "{{ inputs.ticket | lower }}",
            "{{ inputs.ticket | base64 }}",
            "{{ inputs.ticket | sha256 }}",
            "{{ '/a/b/c.tar' | basename }}",
            "echo {{ inputs.odd | shell }} {{ inputs.ticket | shell }} {{ '' | shell }}",
            "{{ inputs.ticket | join }}",
            "{{ inputs.count | size }}",
            "{{ inputs.none | upper }}",
        ],
        expect![[r#"
            "{{ steps.freeze.items | size }}" → 1
            "{{ size inputs.list }}" → 2
            "{{ inputs.list | join \", \" }}" → "a, b"
            "{{ join inputs.list }}" → "a,b"
            "{{ inputs.list | join \"-\" | upper }}" → "A-B"
            "{{ upper (join inputs.list \"-\") }}" → "A-B"
            "{{ inputs.nothing | default \"other\" }}" → "other"
            "{{ default inputs.none 3 }}" → 3
            "{{ inputs.count | default 9 }}" → 4
            "{{ json inputs.table }}" → "{\"k\":\"v\"}"
            "{{ inputs.ticket | lower }}" → "inc-1"
            "{{ inputs.ticket | base64 }}" → "SU5DLTE="
            "{{ inputs.ticket | sha256 }}" → "c1bcc96302fea81af130dc889eb49a46a9042435c0b14f5518c75079cdb51d66"
            "{{ '/a/b/c.tar' | basename }}" → "c.tar"
            "echo {{ inputs.odd | shell }} {{ inputs.ticket | shell }} {{ '' | shell }}" → "echo 'it'\\''s <b>&' INC-1 ''"
            "{{ inputs.ticket | join }}" → error: `{{ inputs.ticket | join }}`: `inputs.ticket`: `join` takes a list, not text
            "{{ inputs.count | size }}" → error: `{{ inputs.count | size }}`: `inputs.count`: `size` takes a list, a table or a text, not a number
            "{{ inputs.none | upper }}" → error: `{{ inputs.none | upper }}`: `inputs.none`: the value is null, which has no text; give another with `| default "…"`
        "#]],
    );
}

#[test]
fn blocks() {
    check(
        &[
            "{{#each target.partition_groups}}{{ group_id }}={{ replicas | size }}{{#unless @last}}, {{/unless}}{{/each}}",
            "{{#each inputs.list as |one at|}}{{ at }}:{{ one }}{{ @index }} {{/each}}",
            "{{#each inputs.table}}{{ @key }}={{ this }}{{/each}}",
            "{{#if inputs.flag}}yes{{else}}no{{/if}} {{#if inputs.none}}yes{{else if inputs.count}}{{ inputs.count }}{{else}}no{{/if}}",
            "{{#with target.partition_groups.[0]}}{{ group_id }} {{ inputs.ticket }}{{/with}}",
            "{{#each inputs.list}}{{#each ../target.partition_groups}}{{ group_id }}{{ .. }} {{/each}}{{/each}}",
            "a\n{{#each inputs.list}}\n- {{ this }}\n{{/each}}\nb",
            "{{! nothing }}a {{~ inputs.ticket ~}} b{{!-- }} --}}",
            "{{#each inputs.nothing}}x{{/each}}",
            "{{#each steps.freeze.none}}x{{/each}}",
            "{{#each inputs.count}}x{{/each}}",
        ],
        expect![[r#"
            "{{#each target.partition_groups}}{{ group_id }}={{ replicas | size }}{{#unless @last}}, {{/unless}}{{/each}}" → "pg-0=1, pg-1=0"
            "{{#each inputs.list as |one at|}}{{ at }}:{{ one }}{{ @index }} {{/each}}" → "0:a0 1:b1 "
            "{{#each inputs.table}}{{ @key }}={{ this }}{{/each}}" → "k=v"
            "{{#if inputs.flag}}yes{{else}}no{{/if}} {{#if inputs.none}}yes{{else if inputs.count}}{{ inputs.count }}{{else}}no{{/if}}" → "yes 4"
            "{{#with target.partition_groups.[0]}}{{ group_id }} {{ inputs.ticket }}{{/with}}" → "pg-0 INC-1"
            "{{#each inputs.list}}{{#each ../target.partition_groups}}{{ group_id }}{{ .. }} {{/each}}{{/each}}" → "pg-0a pg-1a pg-0b pg-1b "
            "a\n{{#each inputs.list}}\n- {{ this }}\n{{/each}}\nb" → "a\n- a\n- b\nb"
            "{{! nothing }}a {{~ inputs.ticket ~}} b{{!-- }} --}}" → "aINC-1b"
            "{{#each inputs.nothing}}x{{/each}}" → error: `{{#each inputs.nothing}}x{{/each}}`: `inputs.nothing` is unknown: `inputs` has no `nothing`, only `ticket`, `count`, `ratio`, `list`, `none`, `flag`, `table`, `odd`
            "{{#each steps.freeze.none}}x{{/each}}" → error: `{{#each steps.freeze.none}}x{{/each}}`: `steps.freeze.none` is unknown: `steps.freeze` has no `none`, only `output`, `items`
            "{{#each inputs.count}}x{{/each}}" → error: `{{#each inputs.count}}x{{/each}}`: `each` takes a list or a table, not a number
        "#]],
    );
}

#[test]
fn conditions_read_the_same_names() {
    let scope = scope();
    let holds = |text: &str| scope.check(text, Some(&json!({"n": 3})));
    assert_eq!(holds("output.n == inputs.count - 1 && item.group_id.startsWith('pg-') && index == 3"), Ok(true));
    assert_eq!(holds("steps.freeze.output.size() == 3 && size(steps.freeze.items) == 1"), Ok(true));
    assert_eq!(holds("steps.skipped.output == null"), Ok(true));
    assert_eq!(scope.check("output.n == 3", None).unwrap_err(), "`output.n == 3`: there is no `output` here");
    assert_eq!(scope.render_about("n is {{ output.n }}", Some(&json!({"n": 3}))), Ok("n is 3".into()));
    assert_eq!(scope.render("{{ inputs.list }}"), Ok("[\"a\",\"b\"]".into()));
}

#[test]
fn what_is_known_before_the_run() {
    let plan = plan_of(&around(
        r#"
[inputs.ticket]
type = "string"
default = "INC-1"
[inputs.token]
type = "string"
secret = true
from = { env = "T" }
[steps.a]
type = "exec"
with = { command = ["x", "{{ inputs.ticket }}", "{{ target.clusters.dr.id }}"], env = { T = "{{ inputs.token }}" } }
[steps.b]
type = "set"
needs = ["a"]
with = { x = "{{ inputs.ticket }}-{{ steps.a.output.stdout | lower }}", y = "{{ run.id }}", z = "{{ run.name }}" }
"#,
    ));
    assert_eq!((known(&plan, StepIx(0)), known(&plan, StepIx(1))), (Known::Now, Known::Later));
    let preview = Preview::new(&plan);
    assert_eq!(preview.with(StepIx(0)), json!({"command": ["x", "INC-1", "cluster-b"], "env": {"T": "***"}}));
    assert_eq!(
        render_known(&plan, StepIx(1)),
        json!({"x": "INC-1-{{ lower steps.a.output.stdout }}", "y": "{{ run.id }}", "z": "x"})
    );
}

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn scopes_and_evaluators_go_to_other_threads() {
    is_send_and_sync::<Scope>();
    is_send_and_sync::<Evaluator>();
    let plain = Json::of(&json!({"a": ["{ {"]}));
    assert_eq!(scope().render_with(&plain, None), Ok(json!({"a": ["{ {"]})));
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let mut scope = scope();
    Arc::get_mut(&mut scope.fixed).unwrap().inputs = json!({"token": "hunter2"});
    assert!(!format!("{scope:?}").contains("hunter2"));
}
