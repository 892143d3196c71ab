//! Recoveries got wrong: each one ends, each one has its consequence, each one is judged bad.

use ceptra_flow_lab::{Verdict, Word};

use crate::driver::{Lab, Recovery, region_loss};

/// Carries out a recovery gone wrong and gives the verdict, which must be bad and name `problem`.
async fn check(sabotage: impl FnOnce(&mut Recovery), problem: &str) -> Verdict {
    let config = region_loss();
    let lab = Lab::start(&config).await;
    let mut recovery = Recovery::of(&config);
    sabotage(&mut recovery);
    recovery.run(&lab.operator()).await;
    let verdict = lab.verdict().await;
    assert_eq!(verdict.verdict, Word::Bad);
    assert!(verdict.problems.iter().any(|found| found.contains(problem)), "{problem}: {verdict:#?}");
    verdict
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_freeze_the_zombie_is_heard() {
    let verdict = check(|recovery| recovery.freeze = false, "under epoch 7, which was fenced off").await;
    assert!(verdict.stale_epoch_appends > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_group_not_frozen_is_enough() {
    let verdict =
        check(|recovery| recovery.groups.retain(|group| group != "pg-3"), "appends to pg-3 under epoch 7").await;
    assert!(verdict.stale_epoch_appends > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unverified_shipments_lose_entries() {
    let verdict =
        check(|recovery| recovery.verify = false, "pg-1: 1 acknowledged entries can't be read from cluster-b: 160")
            .await;
    assert!(verdict.problems.iter().any(|found| found.starts_with("pg-2: ")), "{verdict:#?}");
    assert!(verdict.lost_entries > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_switched_before_the_cutover_serves_nobody() {
    let verdict = check(|recovery| recovery.switch_early = true, "was published under epoch 7").await;
    assert!(verdict.problems.iter().any(|found| found.contains("still fail: PERMANENT_EPOCH")), "{verdict:#?}");
    assert_eq!(verdict.outage, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_is_kept_fences_out_everybody() {
    let verdict = check(|recovery| recovery.target_epoch = 7, "still fail: PERMANENT_EPOCH").await;
    assert_eq!(verdict.outage, None);
    assert!(verdict.lost_entries > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_is_never_switched_leads_nowhere() {
    check(|recovery| recovery.routes.truncate(1), "route `lb:edge-1` leads to cluster-a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_forgotten_loses_its_entries() {
    let verdict = check(|recovery| recovery.apply_to.retain(|group| group != "pg-0"), "pg-0: ").await;
    assert!(verdict.problems.iter().any(|found| found.contains("given to two different entries")), "{verdict:#?}");
    assert!(verdict.lost_entries >= 100);
}
