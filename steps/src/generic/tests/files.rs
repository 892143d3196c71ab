//! `file` and `template`.

use super::{SECRET, World, checked, mode};
use crate::error::Aftermath;
use crate::find;
use ceptra_flow_core::Effect;
use ceptra_flow_core::input::Left;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// SHA-256 of `abc`.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn told(world: &World, name: &str, size: u64, sha256: &str, changed: bool) -> Value {
    json!({ "path": world.path(name).display().to_string(), "sha256": sha256, "size": size, "changed": changed })
}

/// Nothing but these names is in the world's directory.
fn holds_only(world: &World, names: &[&str]) {
    let mut found: Vec<String> = fs::read_dir(world.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.retain(|name| name != "run");
    found.sort();
    assert_eq!(found, names);
}

#[tokio::test]
async fn writing_twice_changes_once() {
    let world = World::new();
    let with = json!({ "action": "write", "path": "a", "content": "abc", "mode": "0640" });
    assert_eq!(world.run("file", with.clone()).await, Ok(told(&world, "a", 3, ABC, true)));
    assert_eq!(world.run("file", with).await, Ok(told(&world, "a", 3, ABC, false)));
    assert_eq!((fs::read_to_string(world.path("a")).unwrap().as_str(), mode(&world.path("a"))), ("abc", 0o640));
    let stricter = world.run("file", json!({ "action": "write", "path": "a", "content": "abc", "mode": "0600" })).await;
    assert_eq!((stricter.unwrap()["changed"].clone(), mode(&world.path("a"))), (json!(true), 0o600));
    world.run("file", json!({ "action": "write", "path": "a", "content": { "x": 1 } })).await.unwrap();
    assert_eq!((fs::read_to_string(world.path("a")).unwrap().as_str(), mode(&world.path("a"))), (r#"{"x":1}"#, 0o600));
    world.run("file", json!({ "action": "write", "path": "new", "content": "" })).await.unwrap();
    assert_eq!(mode(&world.path("new")), 0o644);
    holds_only(&world, &["a", "new"]);
}

#[tokio::test]
async fn a_secret_may_be_written_but_is_not_told() {
    let world = World::new();
    let output = world.run("file", json!({ "action": "write", "path": SECRET, "content": SECRET })).await.unwrap();
    assert!(!output.to_string().contains(SECRET), "{output}");
    assert_eq!(fs::read_to_string(world.path(SECRET)).unwrap(), SECRET);
}

#[tokio::test]
async fn copying_takes_the_sources_mode_and_proves_the_digest() {
    let world = World::new();
    let source = world.write("source", "abc");
    fs::set_permissions(&source, fs::Permissions::from_mode(0o750)).unwrap();
    let with =
        json!({ "action": "copy", "path": "copy", "source": "source", "sha256": format!("0x{}", ABC.to_uppercase()) });
    assert_eq!(world.run("file", with.clone()).await, Ok(told(&world, "copy", 3, ABC, true)));
    assert_eq!(world.run("file", with.clone()).await, Ok(told(&world, "copy", 3, ABC, false)));
    assert_eq!(mode(&world.path("copy")), 0o750);

    world.write("source", "abd");
    let error = world.run("file", with).await.unwrap_err();
    assert_eq!((error.class, error.left), ("checksum", Aftermath::Left(Left::Nothing)));
    assert!(error.message.contains("expected ba7816bf"), "{error}");
    assert_eq!(fs::read_to_string(world.path("copy")).unwrap(), "abc", "what does not verify replaces nothing");
    holds_only(&world, &["copy", "source"]);
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let world = World::new();
    let real = world.write("real", "old");
    symlink(&real, world.path("link")).unwrap();
    world.run("file", json!({ "action": "write", "path": "link", "content": "new" })).await.unwrap();
    assert!(fs::symlink_metadata(world.path("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(real).unwrap(), "new");
}

#[tokio::test]
async fn removing_is_done_when_nothing_is_there() {
    let world = World::new();
    world.write("a", "abc");
    let gone = |changed: bool| json!({ "path": world.path("a").display().to_string(), "sha256": null, "size": null, "changed": changed });
    for changed in [true, false] {
        assert_eq!(world.run("file", json!({ "action": "remove", "path": "a" })).await, Ok(gone(changed)));
    }
    fs::create_dir(world.path("dir")).unwrap();
    let error = world.run("file", json!({ "action": "remove", "path": "dir" })).await.unwrap_err();
    assert!(error.message.ends_with("is a directory; `file` removes files only"), "{error}");
}

#[tokio::test]
async fn a_checksum_only_reads() {
    let world = World::new();
    world.write("a", "abc");
    assert_eq!(
        world.run("file", json!({ "action": "checksum", "path": "a", "sha256": ABC })).await,
        Ok(told(&world, "a", 3, ABC, false))
    );
    let error =
        world.run("file", json!({ "action": "checksum", "path": "a", "sha256": "0".repeat(64) })).await.unwrap_err();
    assert_eq!(error.class, "checksum");
    let error = world.run("file", json!({ "action": "checksum", "path": "b" })).await.unwrap_err();
    assert!(error.message.starts_with("cannot read ") && error.message.contains("No such file"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_written_says_why_and_leaves_nothing_behind() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    world.write("plain", "");
    for (path, why) in [("no/such/dir/a", "No such file"), ("dir", "directory"), ("plain/a", "Not a directory")] {
        let error = world.run("file", json!({ "action": "write", "path": path, "content": "x" })).await.unwrap_err();
        assert_eq!(error.class, "file");
        assert!(error.message.contains(why), "{path}: {error}");
    }
    let error = world.run("file", json!({ "action": "copy", "path": "copy", "source": "dir" })).await.unwrap_err();
    assert!(error.message.ends_with("is a directory; `file` copies files only"), "{error}");
    let error = world.run("file", json!({ "action": "copy", "path": "copy", "source": "nothing" })).await.unwrap_err();
    assert!(error.message.contains("No such file"), "{error}");
    for (with, what) in [
        (json!({ "action": "copy", "path": "a" }), "`source` is missing"),
        (json!({ "action": "write", "path": "a" }), "`content` is missing"),
        (json!({ "action": "write", "path": "a", "content": "x", "mode": "rw" }), "`rw` is no file mode"),
        (json!({ "action": "write", "path": "a", "content": "x", "sha256": "12" }), "`12` is no SHA-256"),
        (json!({ "action": "move", "path": "a" }), "`move`, but should be one of"),
    ] {
        let error = world.run("file", with).await.unwrap_err();
        assert!(error.class == "parameter" && error.message.contains(what), "{error}");
    }
    holds_only(&world, &["dir", "plain"]);
}

#[tokio::test]
async fn a_stopped_copy_leaves_the_destination_as_it_was() {
    let world = World::new();
    world.write("a", "old");
    world.cx.cancel.cancel();
    // Past the check before the start: the step itself notices.
    let file = find("file").unwrap();
    let error = file.run(json!({ "action": "write", "path": "a", "content": "new" }), &world.cx).await.unwrap_err();
    assert_eq!((error.class, error.left), ("cancelled", Aftermath::Left(Left::Nothing)));
    assert_eq!(fs::read_to_string(world.path("a")).unwrap(), "old");
    holds_only(&world, &["a"]);
}

#[test]
fn check_of_file_and_template() {
    let hex = "x".repeat(64);
    let cases = [
        ("file", json!({ "action": "copy", "path": "a" }), "source: `copy` needs `source`"),
        ("file", json!({ "action": "write", "path": "a" }), "content: `write` needs `content`"),
        ("file", json!({ "action": "remove", "path": "a", "mode": "0644" }), "mode: `remove` has no `mode`"),
        ("file", json!({ "action": "checksum", "path": "a", "content": "" }), "content: `checksum` has no `content`"),
        ("file", json!({ "action": "write", "path": "a", "content": "", "sha256": hex }), "sha256: `XX` is no SHA-256"),
        ("template", json!({ "dest": "a" }), "source: there is nothing to render"),
        (
            "template",
            json!({ "dest": "a", "source": "s", "content": "c" }),
            "content: both `source` and `content` are given",
        ),
        (
            "template",
            json!({ "dest": "a", "content": "c", "vars": {} }),
            "vars: `vars` are for a `source` file; `content` sees every name of the runbook",
        ),
    ];
    for (kind, with, expected) in cases {
        assert_eq!(checked(kind, &with), [expected.replace("XX", &hex)]);
    }
    assert_eq!(checked("file", &json!({ "action": "{{ item.action }}", "path": "a", "source": "b" })), [""; 0]);
    assert_eq!(checked("template", &json!({ "dest": "a", "content": "c", "mode": "rw" })).len(), 1);
}

#[test]
fn only_a_checksum_is_a_read() {
    let effect = find("file").unwrap().describe().effect;
    assert_eq!(effect(&json!({ "action": "checksum" })), Effect::Read);
    assert_eq!(effect(&json!({ "action": "{{ item }}" })), Effect::Idempotent);
}

#[tokio::test]
async fn a_template_file_sees_its_vars() {
    let world = World::new();
    world.write("standby.hbs", "region = {{region}}\n{{#each nodes}}{{upper this}} {{/each}}\n");
    let with = json!({ "source": "standby.hbs", "dest": "standby.conf", "mode": "0600", "vars": { "region": "eu <west>", "nodes": ["a", "b"] } });
    let first = world.run("template", with.clone()).await.unwrap();
    assert_eq!(fs::read_to_string(world.path("standby.conf")).unwrap(), "region = eu <west>\nA B \n");
    assert_eq!(
        (first["changed"].clone(), first["size"].clone(), mode(&world.path("standby.conf"))),
        (json!(true), json!(24), 0o600)
    );
    assert_eq!(world.run("template", with).await.unwrap()["changed"], false);
    holds_only(&world, &["standby.conf", "standby.hbs"]);
}

#[tokio::test]
async fn inline_content_is_not_rendered_a_second_time() {
    let world = World::new();
    world.run("template", json!({ "content": "as is: {{ x }}", "dest": "a" })).await.unwrap();
    assert_eq!(fs::read_to_string(world.path("a")).unwrap(), "as is: {{ x }}");
}

#[tokio::test]
async fn a_template_that_does_not_render_writes_nothing() {
    let world = World::new();
    world.write("unknown.hbs", "one\n{{nmae}}");
    world.write("broken.hbs", "{{#if a}}");
    fs::write(world.path("binary.hbs"), b"\xff\xfe").unwrap();
    for (source, why) in [
        ("unknown.hbs", "nmae"),
        ("broken.hbs", "cannot render"),
        ("binary.hbs", "cannot read"),
        ("missing.hbs", "No such file"),
    ] {
        let error =
            world.run("template", json!({ "source": source, "dest": "out", "vars": { "name": 1 } })).await.unwrap_err();
        assert_eq!((error.class, error.left), ("template", Aftermath::Left(Left::Nothing)));
        assert!(error.message.contains(why), "{error}");
    }
    assert!(!world.path("out").exists());
    assert_eq!(world.run("template", json!({ "dest": "out" })).await.unwrap_err().class, "parameter");
}
