//! What people and programs see of a run.

use crate::testing::*;
use crate::*;
use ceptra_flow_core::input::{Operation, Result as Ended};
use ceptra_flow_core::{RunState, Timestamp};
use expect_test::{Expect, expect, expect_file};

fn check_lines(story: &Story, wanted: Expect) {
    let mut state = RunState::default();
    let mut text = String::new();
    let mut lines: Option<Lines> = None;
    for record in &story.records {
        state.apply(record).unwrap();
        let lines = lines.get_or_insert_with(|| Lines::new(state.plan(), clock(), commands()));
        if let Some(line) = lines.line(record, &state) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    wanted.assert_eq(&text.replace(RUN, "RUN"));
}

fn check_ending(story: &Story, wanted: Expect) {
    let mut text = String::new();
    let (state, commands) = (story.state(), commands());
    let ending = Ending {
        state,
        liveness: Liveness::Idle,
        now: story.now.plus_ms(1000),
        commands: &commands,
        report: None,
        blobs: &no_blobs,
    };
    ending.write(&mut text).unwrap();
    wanted.assert_eq(&text.replace(RUN, "RUN"));
}

fn check_show(story: &Story, liveness: Liveness, wanted: Expect) {
    let mut text = String::new();
    let (state, commands, clock) = (story.state(), commands(), clock());
    let head = Head { hash: "HASH".to_owned(), ..head(state) };
    Show { state, liveness, head: &head, clock: &clock, now: story.now, commands: &commands }.write(&mut text).unwrap();
    wanted.assert_eq(&text.replace(RUN, "RUN"));
}

#[test]
fn lines_are_a_log_of_a_good_run() {
    check_lines(
        &recovered(),
        expect![[r#"
        23:57:34+01:00  run        region-loss on lab (LAB), run RUN, started by ada
        23:57:34+01:00  preflight  starts
        23:57:34+01:00  preflight  done in 400ms
        23:57:34+01:00  declare    ASKS: Is cluster-a lost?
                                   stands for another 30m
                                   steps.preflight.output = {"ready":true}
                                   $ ceptra-flow approve RUN declare
                                   $ ceptra-flow reject RUN declare --reason WHY
        23:58:34+01:00  declare    approved by ada: region | is dark
        23:58:34+01:00  freeze        2 instances: pg-1, pg-2
        23:58:34+01:00  freeze[pg-1]  starts
        23:58:34+01:00  freeze[pg-2]  starts
        23:58:35+01:00  freeze[pg-1]  failed after 1.5s: 503 from cluster-a; again in 2.0s
        23:58:36+01:00  freeze[pg-2]  IN DOUBT after 2.0s: no answer in 10m
        23:58:36+01:00  freeze[pg-2]  done, as a check shows
        23:58:37+01:00  freeze[pg-1]  starts again (attempt 2)
        23:58:38+01:00  freeze[pg-1]  done in 900ms
        23:58:38+01:00  ship          starts
        23:59:08+01:00  run           taken up by ada on ops-1, process 77 (epoch 2)
        23:59:08+01:00  ship          IN DOUBT after 30s: the engine stopped while the step was running
                                      $ ceptra-flow resolve RUN ship --done --reason WHY
                                      $ ceptra-flow resolve RUN ship --not-done --reason WHY
                                      $ ceptra-flow resolve RUN ship --skip --reason WHY
        23:59:13+01:00  ship          ada says it is done: seen in the bucket
        23:59:13+01:00  cutover       ASKS: Cut over to cluster-b? / Clients lose a minute.
                                      stands for another 30m
                                      steps.preflight.output = {"ready":true}
                                      $ ceptra-flow approve RUN cutover
                                      $ ceptra-flow reject RUN cutover --reason WHY
        00:00:13+01:00  cutover       approved by ada (with --yes)
        00:00:13+01:00  cutover       starts
        00:00:16+01:00  cutover       done in 3.0s
        00:00:16+01:00  tidy          starts
        00:00:17+01:00  tidy          done in 200ms
        00:00:17+01:00  run           the main steps ended: done; the last steps run
        00:00:17+01:00  tell          starts
        00:00:17+01:00  tell          done in 50ms
        00:00:17+01:00  run           DONE in 2m 43s
    "#]],
    );
}

#[test]
fn a_failed_run_ends_with_the_command_that_goes_on() {
    check_lines(
        &failed(),
        expect![[r#"
        23:57:34+01:00  run        region-loss on lab (LAB), run RUN, started by ada
        23:57:34+01:00  preflight  starts
        23:57:34+01:00  preflight  FAILED after 400ms: no certificate / at all (exit code 3)
                                   $ ceptra-flow logs RUN preflight
        23:57:34+01:00  run        the main steps ended: failed; the last steps run
        23:57:34+01:00  tell       starts
        23:57:34+01:00  tell       done in 50ms
        23:57:34+01:00  run        FAILED after 450ms: `preflight` failed: no certificate / at all
    "#]],
    );
    check_ending(
        &failed(),
        expect![[r#"
        FAILED: region-loss on lab (LAB), run RUN
        steps      1 of 7
        time       450ms; objective 30m: NOT MET
        not well   `preflight` failed: no certificate / at all
        next       ceptra-flow resume RUN --retry preflight
    "#]],
    );
}

#[test]
fn a_good_run_ends_with_what_was_recovered() {
    check_ending(
        &recovered(),
        expect![[r#"
        DONE: region-loss on lab (LAB), run RUN
        recovered  cluster-a → cluster-b, epoch 18446744073709551615
                   2 groups fenced: pg-1, pg-2
                   2 WAL shipments verified: pg-2, pg-1
                   1 route to cluster-b: dns:ingest.example.com
        steps      7 of 7 (2 instances, 1 tried more than once)
        time       2m 43s; objective 30m: OK
        evidence   ceptra-flow report RUN
    "#]],
    );
}

#[test]
fn a_parked_run_ends_with_the_question_and_its_answers() {
    check_ending(
        &in_doubt(),
        expect![[r#"
        PARKED: region-loss on lab (LAB), run RUN
        steps      3 of 7 (2 instances, 1 tried more than once)
        time       1m 35s so far; objective 30m
        waits for you: ship
          nobody knows how it ended: the engine stopped while the step was running
          $ ceptra-flow resolve RUN ship --done --reason WHY
          $ ceptra-flow resolve RUN ship --not-done --reason WHY
          $ ceptra-flow resolve RUN ship --skip --reason WHY

        next       find out how it ended (ceptra-flow logs RUN ship), say so as above, then
                   ceptra-flow resume RUN
    "#]],
    );
}

#[test]
fn an_objective_that_was_missed_is_said() {
    let mut story = in_doubt();
    story.asks(2_000_000, ada("command"), Some("too late"), Operation::Cancel);
    story.done(50, "tell", serde_json::Value::Null);
    check_ending(
        &story,
        expect![[r#"
        CANCELLED: region-loss on lab (LAB), run RUN
        steps      4 of 7 (2 instances, 1 tried more than once)
        time       34m 54s; objective 30m: EXCEEDED by 4m 54s
        not well   cancelled by ada: too late
        not well   `ship` is in doubt: the engine stopped while the step was running
        evidence   ceptra-flow report RUN
    "#]],
    );
}

#[test]
fn show_tells_every_step_and_what_waits() {
    check_show(
        &in_doubt(),
        Liveness::Idle,
        expect![[r#"
        PARKED: region-loss on lab (LAB)
        run        RUN
        started    2026-11-22 23:57:34 +01:00 by ada
        time       1m 34s, objective 30m
        progress   3 of 7 steps, epoch 2
        head       19 HASH

          done      preflight     400ms
          done      declare
          done      freeze[pg-1]  4.4s · 2 attempts
          done      freeze[pg-2]  2.1s · 2 attempts
          UNKNOWN   ship          30s · engine_lost: the engine stopped while the step was running
          pending   cutover
          pending   tidy
          pending   tell

        waits for you: ship
          nobody knows how it ended: the engine stopped while the step was running
          $ ceptra-flow resolve RUN ship --done --reason WHY
          $ ceptra-flow resolve RUN ship --not-done --reason WHY
          $ ceptra-flow resolve RUN ship --skip --reason WHY

        next       find out how it ended (ceptra-flow logs RUN ship), say so as above, then
                   ceptra-flow resume RUN
    "#]],
    );
    check_show(
        &failed(),
        Liveness::Idle,
        expect![[r#"
        FAILED: region-loss on lab (LAB)
        run        RUN
        started    2026-11-22 23:57:34 +01:00 by ada
        time       450ms, objective 30m
        progress   1 of 7 steps, epoch 1
        head       8 HASH

          FAILED    preflight  400ms · exit: no certificate / at all
          blocked   declare    needs preflight
          blocked   freeze     needs declare
          blocked   ship       needs freeze
          blocked   cutover    needs ship
          blocked   tidy       needs cutover
          done      tell       50ms

        not well   `preflight` failed: no certificate / at all
        next       ceptra-flow resume RUN --retry preflight
    "#]],
    );
    check_show(
        &Story::of(&region_loss()),
        Liveness::Driven,
        expect![[r#"
        RUNNING: region-loss on lab (LAB)
        run        RUN
        started    2026-11-22 23:57:34 +01:00 by ada
        time       0ms, objective 30m
        progress   0 of 7 steps, epoch 1
        driven by  0.1.0 on ops-1, process 77
        head       3 HASH

          running   preflight  0ms
          pending   declare
          pending   freeze
          pending   ship
          pending   cutover
          pending   tidy
          pending   tell

        next       nothing: a process drives it
    "#]],
    );
}

#[test]
fn show_json_has_the_promised_fields() {
    let story = in_doubt();
    let view = RunView::new(story.state(), Liveness::Idle, head(story.state()));
    let text = serde_json::to_string_pretty(&view).unwrap();
    expect![[r#"
        {
          "run": "RUN",
          "runbook": "region-loss",
          "target": "lab",
          "outcome": "parked",
          "epoch": 2,
          "digest": "DIGEST",
          "head": {
            "seq": 19,
            "hash": "abababababababababababababababababababababababababababababababab"
          },
          "steps": [
            {
              "id": "preflight",
              "key": null,
              "type": "ceptra.preflight",
              "effect": "read",
              "status": "done",
              "attempts": 1,
              "started_at": "2026-11-22T22:57:34.000Z",
              "ended_at": "2026-11-22T22:57:34.400Z",
              "output": {"ready":true},
              "error": null
            },
            {
              "id": "declare",
              "key": null,
              "type": "approval",
              "effect": "read",
              "status": "done",
              "attempts": 1,
              "started_at": null,
              "ended_at": "2026-11-22T22:58:34.400Z",
              "output": {"approved":true,"by":["ada"],"choice":null},
              "error": null
            },
            {
              "id": "freeze",
              "key": "pg-1",
              "type": "ceptra.freeze",
              "effect": "probe",
              "status": "done",
              "attempts": 2,
              "started_at": "2026-11-22T22:58:34.400Z",
              "ended_at": "2026-11-22T22:58:38.800Z",
              "output": {"frozen":true,"epoch":7},
              "error": null
            },
            {
              "id": "freeze",
              "key": "pg-2",
              "type": "ceptra.freeze",
              "effect": "probe",
              "status": "done",
              "attempts": 2,
              "started_at": "2026-11-22T22:58:34.400Z",
              "ended_at": "2026-11-22T22:58:36.500Z",
              "output": {"frozen":true,"epoch":7},
              "error": null
            },
            {
              "id": "ship",
              "key": null,
              "type": "exec",
              "effect": "once",
              "status": "unknown",
              "attempts": 1,
              "started_at": "2026-11-22T22:58:38.800Z",
              "ended_at": null,
              "output": null,
              "error": {
                "class": "engine_lost",
                "message": "the engine stopped while the step was running",
                "exit_code": null,
                "left": "partial"
              }
            },
            {
              "id": "cutover",
              "key": null,
              "type": "ceptra.cutover",
              "effect": "probe",
              "status": "pending",
              "attempts": 0,
              "started_at": null,
              "ended_at": null,
              "output": null,
              "error": null
            },
            {
              "id": "tidy",
              "key": null,
              "type": "http",
              "effect": "idempotent",
              "status": "pending",
              "attempts": 0,
              "started_at": null,
              "ended_at": null,
              "output": null,
              "error": null
            },
            {
              "id": "tell",
              "key": null,
              "type": "exec",
              "effect": "once",
              "status": "pending",
              "attempts": 0,
              "started_at": null,
              "ended_at": null,
              "output": null,
              "error": null
            }
          ],
          "questions": [
            {
              "kind": "verdict",
              "step": "ship",
              "key": null,
              "prompt": "nobody knows how it ended: the engine stopped while the step was running"
            }
          ]
        }"#]]
    .assert_eq(&text.replace(story.state().digest(), "DIGEST").replace(RUN, "RUN"));
    let summary = serde_json::to_value(RunView::summary(story.state(), Liveness::Idle, head(story.state()))).unwrap();
    let fields: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["run", "runbook", "target", "outcome", "epoch", "digest", "head", "questions"]);
}

#[test]
fn where_a_run_stands_depends_on_who_drives_it() {
    let check = |story: &Story, driven: RunOutcome, idle: RunOutcome| {
        assert_eq!((outcome(story.state(), Liveness::Driven), outcome(story.state(), Liveness::Idle)), (driven, idle));
    };
    check(&recovered(), RunOutcome::Done, RunOutcome::Done);
    check(&failed(), RunOutcome::Failed, RunOutcome::Failed);
    check(&in_doubt(), RunOutcome::Running, RunOutcome::Parked);
    check(&Story::of(&region_loss()), RunOutcome::Running, RunOutcome::Interrupted);
    let mut paused = Story::of(&region_loss());
    paused.asks(0, ada("command"), None, Operation::Pause);
    check(&paused, RunOutcome::Running, RunOutcome::Parked);
}

#[test]
fn a_missing_output_file_is_named_and_not_read() {
    use ceptra_flow_core::{BlobRef, Output};
    let mut story = Story::of(&region_loss());
    let blob = BlobRef { sha256: name("c0ffee"), size: 70_000 };
    story.ends(1, "preflight", Ended::Done(Output::Blob(blob)));
    let view = serde_json::to_value(RunView::new(story.state(), Liveness::Idle, head(story.state()))).unwrap();
    assert_eq!(view["steps"][0]["output"], serde_json::json!({"blob": "c0ffee", "size": 70_000}));
}

#[test]
fn runs_are_a_table() {
    let mut text = String::new();
    write_runs(&mut text, &[], &clock(), START).unwrap();
    let views: Vec<RunView> = [recovered(), in_doubt(), failed()]
        .iter()
        .map(|story| RunView::summary(story.state(), Liveness::Idle, head(story.state())))
        .collect();
    write_runs(&mut text, &views, &clock(), START).unwrap();
    expect![[r#"
        no runs yet
        run                                   outcome      runbook      target  started                         time          steps  waits for
        019aad2f-0c50-7000-8000-000000000001  done         region-loss  lab     2026-11-22 23:57:34 +01:00    2m 43s            7/7
        019aad2f-0c50-7000-8000-000000000001  parked       region-loss  lab     2026-11-22 23:57:34 +01:00    1m 34s            3/7  ship
        019aad2f-0c50-7000-8000-000000000001  failed       region-loss  lab     2026-11-22 23:57:34 +01:00     450ms            1/7
    "#]].assert_eq(&text);
}

#[test]
fn events_are_one_line_of_json_each() {
    let story = recovered();
    let text: Vec<String> = story.records.iter().map(event_json).collect();
    for line in &text {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields: Vec<&str> = value.as_object().unwrap().keys().take(7).map(String::as_str).collect();
        assert_eq!(fields, ["seq", "at", "epoch", "kind", "step", "key", "attempt"]);
    }
    let text = text.join("\n").replace(story.state().digest(), "DIGEST").replace(RUN, "RUN");
    expect_file!["snapshots/events.jsonl"].assert_eq(&format!("{text}\n"));
}

#[test]
fn durations_are_short() {
    let check = |ms, wanted: &str| assert_eq!(duration(ms), wanted);
    check(0, "0ms");
    check(999, "999ms");
    check(1_400, "1.4s");
    check(59_999, "59s");
    check(72_000, "1m 12s");
    check(1_800_999, "30m");
    check(7_380_000, "2h 03m");
    check(100_800_000, "1d 4h");
    check(u64::MAX, "213503982334d 14h");
}

#[test]
fn times_are_utc_in_files_and_local_in_views() {
    assert_eq!(utc(Timestamp(START.0 + 7)), "2026-11-22T22:57:34.007Z");
    assert_eq!(clock().date_time(START), "2026-11-22 23:57:34 +01:00");
    assert_eq!(Clock::utc().time_of_day(START), "22:57:34+00:00");
    assert!(!utc(Timestamp(u64::MAX)).is_empty());
}

#[test]
fn commands_can_be_pasted() {
    let commands = Commands::new(RUN, Some("/var/my state"));
    assert_eq!(
        commands.retry(&name("freeze"), Some(&name("pg 1"))),
        format!("ceptra-flow resume {RUN} --state '/var/my state' --retry 'freeze[pg 1]'")
    );
}

#[test]
fn choices_are_spelled_out_and_an_instance_is_quoted() {
    use ceptra_flow_core::event::{ApprovalRequested, Event};
    use ceptra_flow_core::state::QuestionKind;
    let story = in_doubt();
    let asked = story.records.iter().find_map(|record| match &record.event {
        Event::ApprovalRequested(asked) => Some(asked.clone()),
        _ => None,
    });
    let fields = serde_json::json!({"ticket": {"type": "string"}, "note": {"type": "string", "default": ""}});
    let choices = vec!["eu-west".to_owned(), "eu north".to_owned()];
    let asked = ApprovalRequested { choices, fields: Some(fields.into()), ..asked.unwrap() };
    let answers = commands().answers_to(QuestionKind::Approval, &name("go"), Some(&name("pg-1")), Some(&asked));
    expect![[r#"
        ceptra-flow approve RUN 'go[pg-1]' --choice eu-west --field ticket=VALUE
        ceptra-flow approve RUN 'go[pg-1]' --choice 'eu north' --field ticket=VALUE
        ceptra-flow reject RUN 'go[pg-1]' --reason WHY"#]]
    .assert_eq(&answers.join("\n").replace(RUN, "RUN"));
}

#[test]
fn a_paused_run_says_how_to_go_on() {
    let mut story = Story::of(&region_loss());
    story.asks(0, ada("command"), Some("wait for the network team"), Operation::Pause);
    story.done(10, "preflight", serde_json::json!({}));
    check_ending(
        &story,
        expect![[r#"
            PARKED: region-loss on lab (LAB), run RUN
            steps      1 of 7
            time       1.0s so far; objective 30m
            paused     nothing new starts before it is resumed
            next       ceptra-flow resume RUN
        "#]],
    );
}

#[test]
fn what_others_wrote_cannot_steer_the_terminal() {
    let mut story = Story::of(&region_loss());
    let error = failure("exit", "\u{1b}[2Jall \u{7}fine\r\nreally", Some(1));
    story.ends(1, "preflight", Ended::Failed(error));
    story.done(1, "tell", serde_json::Value::Null);
    let mut state = RunState::default();
    for record in &story.records {
        state.apply(record).unwrap();
        let line = Lines::new(state.plan(), clock(), commands()).line(record, &state).unwrap_or_default();
        assert!(!line.contains(['\u{1b}', '\u{7}', '\r']), "{line:?}");
    }
    let mut text = String::new();
    let (commands, clock, head) = (commands(), clock(), head(&state));
    let show = Show {
        state: &state,
        liveness: Liveness::Idle,
        head: &head,
        clock: &clock,
        now: story.now,
        commands: &commands,
    };
    show.write(&mut text).unwrap();
    assert!(text.contains("[2Jall  fine / really") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_big_run_shows_what_is_not_simply_done_or_waiting() {
    let steps =
        (0..1000).map(|at| step(&format!("s{at}"), "set", ceptra_flow_core::Effect::Read, &[], serde_json::json!({})));
    let mut story = Story::of(&plan_of(steps.collect(), Vec::new()));
    story.done(1, "s1", serde_json::Value::Null);
    let mut text = String::new();
    let (state, commands, clock) = (story.state(), commands(), clock());
    let head = head(state);
    Show { state, liveness: Liveness::Driven, head: &head, clock: &clock, now: story.now, commands: &commands }
        .write(&mut text)
        .unwrap();
    assert!(text.lines().count() < 90, "{text}");
    assert!(text.contains("  in all: 935 pending, 64 running, 1 done\n"), "{text}");
}
