//! Our reader of templates beside the `handlebars` crate: one language, the same text (ADR 0008).

use crate::expr::render::{Names, render};
use crate::expr::template::Template;
use handlebars::Handlebars;
use serde_json::{Value, json};
use std::borrow::Cow;

struct World(Value);

impl Names for World {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.0.get(name).map(Cow::Borrowed)
    }
}

/// Renders with both; the text must be the same.
#[track_caller]
fn same(template: &str) {
    let world = json!({
        "inputs": { "ticket": "INC-7", "n": 4, "big": 18_446_744_073_709_551_615_u64, "ratio": 0.5, "yes": true, "no": false, "empty": "", "zero": 0 },
        "target": { "groups": [{ "id": "pg-0", "on": ["a", "b"] }, { "id": "pg-1", "on": [] }], "none": [], "markup": "<a & \"b\">" },
    });
    let mut theirs = Handlebars::new();
    theirs.register_escape_fn(handlebars::no_escape);
    theirs.set_strict_mode(true);
    let theirs = theirs.render_template(template, &world).expect("the crate renders it");
    let parsed = Template::parse(template).unwrap_or_else(|error| panic!("{template}: {error:?}"));
    let ours = match render(&parsed, &World(world)).unwrap_or_else(|error| panic!("{template}: {error}")) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    assert_eq!(ours, theirs, "{template}");
}

#[test]
fn both_readers_give_the_same_text() {
    for template in [
        "plain text",
        "a {{ inputs.ticket }} b",
        "{{inputs.ticket}}{{inputs.n}}",
        "{{ inputs.n }} {{ inputs.big }} {{ inputs.ratio }} {{ inputs.yes }} {{ inputs.no }}",
        "no escaping: {{ target.markup }} {{{ target.markup }}}",
        "{{ target.groups.[0].id }} and {{ target.groups.1.id }}",
        "{{#if inputs.yes}}yes{{else}}no{{/if}}",
        "{{#if inputs.no}}yes{{else}}no{{/if}}",
        "{{#if inputs.empty}}yes{{else}}no{{/if}}{{#if inputs.zero}}yes{{else}}no{{/if}}",
        "{{#if target.none}}some{{else}}none{{/if}}",
        "{{#unless inputs.no}}not{{/unless}}",
        "{{#each target.groups}}{{this.id}};{{/each}}",
        "{{#each target.groups}}{{id}}{{#unless @last}}, {{/unless}}{{/each}}",
        "{{#each target.groups}}{{@index}}:{{id}} {{/each}}",
        "{{#each target.groups}}{{#each on}}{{this}}{{/each}}|{{/each}}",
        "{{#each target.none}}x{{else}}nothing{{/each}}",
        "{{#with inputs}}{{ticket}}-{{n}}{{/with}}",
        "{{#each target.groups as |group|}}{{group.id}} {{/each}}",
        "a {{!-- left out --}} b {{! this too }} c",
        "trim   {{~ inputs.ticket ~}}   here",
        "an escaped \\{{ brace }}",
    ] {
        same(template);
    }
}

#[test]
fn both_refuse_an_unknown_name() {
    let mut theirs = Handlebars::new();
    theirs.set_strict_mode(true);
    let template = "a {{ inputs.absent }}";
    let world = json!({ "inputs": {} });
    assert!(theirs.render_template(template, &world).is_err());
    let parsed = Template::parse(template).expect("it reads");
    assert!(render(&parsed, &World(world)).is_err());
}
