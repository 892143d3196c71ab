//! Damage of our own making, and the samples recorded from the real programs where they are.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use std::path::{Path, PathBuf};
use std::{eprintln, fs};

use proptest::prelude::*;

use super::{LogFile, LogFiles, Report, Verdict, scan};
use crate::durability::{IoMode, Record};
use crate::frame::Frame;

/// A log of `count` entries in segments of ten, terms rising every 25 entries.
fn segments(count: u64) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for from in (1..=count).step_by(10) {
        let mut bytes = Vec::new();
        for index in from..=count.min(from + 9) {
            frame(index, 1 + index / 25).encode_into(&mut bytes).unwrap();
        }
        files.push(bytes);
    }
    files
}

fn frame(index: u64, term: u64) -> Frame<'static> {
    const PAYLOAD: [u8; 64] = [0x5a; 64];
    let len = usize::try_from(index % 7 * 8).unwrap();
    Frame { term, index, timestamp_ms: 1000 + index, metadata: b"meta", payload: &PAYLOAD[..len] }
}

fn promises(upto: u64) -> String {
    let record =
        |index| Record { term: 1 + index / 25, index, segment: 1, io_mode: IoMode::Strict, timestamp_ms: index };
    (1..=upto).map(|index| record(index).to_line()).collect()
}

fn judge(files: &[Vec<u8>], durability: Option<&str>) -> Report {
    let names: Vec<String> = (1..=files.len()).map(|number| format!("segment-{number:010}.log")).collect();
    let segments = names.iter().zip(files).map(|(name, bytes)| LogFile { name, bytes }).collect();
    let durability = durability.map(|text| LogFile { name: "durability.log", bytes: text.as_bytes() });
    scan(&LogFiles { segments, durability, ..LogFiles::default() })
}

fn brief(report: &Report) -> String {
    let last = report.last_good.map_or("-".to_string(), |last| format!("{}:{}", last.term, last.index));
    format!("{:?} {last} {:?}", report.verdict, report.backfill)
}

#[test]
fn a_whole_log_is_healthy() {
    let report = judge(&segments(60), Some(&promises(60)));
    assert_eq!(brief(&report), "Healthy 3:60 []");
    assert_eq!((report.frames, report.promised, report.findings.len()), (60, Some(60), 0));
}

#[test]
fn a_tail_that_was_never_promised_is_torn_and_one_that_was_is_damage() {
    let mut files = segments(60);
    let cut = files[5].len() - 5;
    files[5].truncate(cut);
    assert_eq!(brief(&judge(&files, Some(&promises(59)))), "TornTail 3:59 []");
    assert_eq!(brief(&judge(&files, None)), "TornTail 3:59 []");
    assert_eq!(brief(&judge(&files, Some(&promises(60)))), "Damaged 3:59 [[60, 60]]");
}

#[test]
fn damage_in_the_middle_loses_what_it_covers() {
    let mut files = segments(60);
    files[1][40] ^= 1;
    let report = judge(&files, None);
    assert_eq!(brief(&report), "Damaged 1:10 [[11, 11]]");
    assert_eq!((report.findings[0].kind, report.findings[0].index), ("bad_crc", Some(11)));
    files.remove(3);
    assert_eq!(brief(&judge(&files, None)), "Damaged 1:10 [[11, 11], [31, 40]]");
}

#[test]
fn a_flipped_index_or_term_is_found_by_its_neighbours() {
    for (at, wanted) in
        [(8, "Damaged 1:20 [[21, 21]]"), (14, "Damaged 1:20 [[21, 21]]"), (1, "Damaged 1:20 [[21, 21]]")]
    {
        let mut files = segments(60);
        files[2][at] ^= 0x40;
        assert_eq!(brief(&judge(&files, None)), wanted, "byte {at}");
    }
    // The last frame: nothing behind it tells, but the jump does.
    let mut files = segments(60);
    let last = files[5].len() - frame(60, 3).encoded_len();
    files[5][last + 12] ^= 1;
    assert_eq!(brief(&judge(&files, None)), "Damaged 3:59 [[60, 60]]");
}

#[test]
fn missing_swapped_and_doubled_segments_are_not_clean() {
    let whole = segments(60);
    let without_first = whole[1..].to_vec();
    assert_eq!(brief(&judge(&without_first, None)), "Damaged - [[1, 10]]");
    let mut empty = whole.clone();
    empty[2].clear();
    assert_eq!(brief(&judge(&empty, None)), "Damaged 1:20 [[21, 30]]");
    let mut swapped = whole.clone();
    swapped.swap(1, 2);
    // Every entry is there, so nothing must come from elsewhere; the order must be mended.
    assert_eq!(brief(&judge(&swapped, Some(&promises(60)))), "Damaged 1:10 []");
    let mut doubled = whole.clone();
    doubled.push(whole[1].clone());
    assert_eq!(brief(&judge(&doubled, Some(&promises(60)))), "Damaged 3:60 []");
    assert_eq!(brief(&judge(&whole[..5], Some(&promises(60)))), "Damaged 3:50 [[51, 60]]");
    assert_eq!(brief(&judge(&[], Some(&promises(60)))), "Damaged - [[1, 60]]");
}

#[test]
fn a_log_starts_behind_its_snapshot() {
    let files = segments(60)[2..].to_vec();
    let names: Vec<String> = (1..=files.len()).map(|number| format!("segment-{number}.log")).collect();
    let segments = names.iter().zip(&files).map(|(name, bytes)| LogFile { name, bytes }).collect();
    let metadata = Some(LogFile { name: "metadata.json", bytes: br#"{"snapshot_base_index":20}"# });
    let report = scan(&LogFiles { segments, metadata, ..LogFiles::default() });
    assert_eq!(brief(&report), "Healthy 3:60 []");
}

#[test]
fn other_files_are_unreadable_and_strays_are_named() {
    let text = b"this is a letter, and not at all short".to_vec();
    assert_eq!(brief(&judge(&[text], None)), "Unreadable - []");
    let files = segments(10);
    let segments =
        Vec::from([LogFile { name: "segment-1.log", bytes: &files[0] }, LogFile { name: "old.log", bytes: b"" }]);
    let report = scan(&LogFiles { segments, strays: Vec::from(["notes.txt"]), ..LogFiles::default() });
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!(report.findings.len(), 2);
}

#[derive(Debug, Clone)]
enum Harm {
    Flip(usize, u8),
    Zero(usize, usize),
    Cut(usize),
    Swap(usize, usize),
    Drop(usize),
    Remove(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<usize>(), 0u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (any::<usize>(), 1usize..300).prop_map(|(at, len)| Harm::Zero(at, len)),
        any::<usize>().prop_map(Harm::Cut),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Harm::Swap(a, b)),
        any::<usize>().prop_map(Harm::Drop),
        (any::<usize>(), 1usize..300).prop_map(|(at, len)| Harm::Remove(at, len)),
    ]
}

fn apply(files: &mut Vec<Vec<u8>>, harm: &Harm) {
    let total = files.iter().map(Vec::len).sum::<usize>().max(1);
    let place = |files: &[Vec<u8>], at: usize| {
        let mut at = at % total;
        for (number, file) in files.iter().enumerate() {
            if at < file.len() {
                return Some((number, at));
            }
            at -= file.len();
        }
        None
    };
    let count = files.len().max(1);
    match *harm {
        Harm::Flip(at, bit) => {
            if let Some((file, at)) = place(files, at) {
                files[file][at] ^= 1 << bit;
            }
        }
        Harm::Zero(at, len) => {
            if let Some((file, at)) = place(files, at) {
                let end = (at + len).min(files[file].len());
                files[file][at..end].fill(0);
            }
        }
        Harm::Cut(at) => {
            if let Some((file, at)) = place(files, at) {
                files[file].truncate(at);
            }
        }
        Harm::Swap(a, b) if !files.is_empty() => files.swap(a % count, b % count),
        Harm::Drop(at) if !files.is_empty() => {
            files.remove(at % count);
        }
        Harm::Swap(..) | Harm::Drop(_) => {}
        Harm::Remove(at, len) => {
            if let Some((file, at)) = place(files, at) {
                let end = (at + len).min(files[file].len());
                files[file].drain(at..end);
            }
        }
    }
}

proptest! {
#![proptest_config(crate::seeded())]

    #[test]
    fn loss_is_never_healthy_and_backfill_covers_it(harms in proptest::collection::vec(harm(), 1..4)) {
        let whole = segments(60);
        let mut files = whole.clone();
        for harm in &harms {
            apply(&mut files, harm);
        }
        let report = judge(&files, Some(&promises(60)));
        // Entries that can still be read as they were written.
        let mut readable = std::collections::BTreeSet::new();
        for bytes in &files {
            let mut frames = crate::frame::Frames::new(bytes);
            loop {
                for located in frames.by_ref().flatten() {
                    // A removal from within one header into another's leaves a foreign payload, and a term that rose
                    // at the end of the log stays plausible; nothing in the format can tell. What counts here is
                    // that a frame claims the entry.
                    readable.insert(located.frame.index);
                }
                if !frames.resync() {
                    break;
                }
            }
        }
        let lost: Vec<u64> = (1..=60).filter(|index| !readable.contains(index)).collect();
        if !lost.is_empty() {
            prop_assert_eq!(report.verdict, Verdict::Damaged, "{:?}", lost);
        }
        for index in lost {
            let covered = report.backfill.iter().any(|[from, to]| *from <= index && index <= *to);
            prop_assert!(covered, "{index} is lost and not in {:?}", report.backfill);
        }
    }

    #[test]
    fn any_bytes_get_a_verdict(files in proptest::collection::vec(any::<Vec<u8>>(), 0..4), durability: Vec<u8>) {
        let segments: Vec<String> = (0..files.len()).map(|number| format!("segment-{number}.log")).collect();
        let segments = segments.iter().zip(&files).map(|(name, bytes)| LogFile { name, bytes }).collect();
        let durability = Some(LogFile { name: "durability.log", bytes: &durability });
        let report = scan(&LogFiles { segments, durability, ..LogFiles::default() });
        let bytes: usize = files.iter().map(Vec::len).sum();
        prop_assert!(bytes == 0 || report.verdict != Verdict::Healthy, "{:?}", report);
    }
}

fn samples(kind: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wal").join(kind);
    if !root.is_dir() {
        eprintln!("skipped: the recorded samples are not beside this workspace");
        return None;
    }
    Some(root)
}

fn read(path: PathBuf) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

fn judge_clustor(root: &Path) -> Report {
    let wal = root.join("wal");
    let mut names: Vec<String> =
        fs::read_dir(&wal).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let (segments, others): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.starts_with("segment-") && name.ends_with(".log"));
    let contents: Vec<Vec<u8>> = segments.iter().map(|name| fs::read(wal.join(name)).unwrap()).collect();
    let strays =
        others.iter().filter(|name| **name != "durability.log" && !name.ends_with(".idx")).map(|name| name.as_str());
    let (durability, metadata) = (read(wal.join("durability.log")), read(root.join("metadata.json")));
    scan(&LogFiles {
        segments: segments.iter().zip(&contents).map(|(name, bytes)| LogFile { name, bytes }).collect(),
        durability: durability.as_ref().map(|bytes| LogFile { name: "durability.log", bytes }),
        metadata: metadata.as_ref().map(|bytes| LogFile { name: "metadata.json", bytes }),
        strays: strays.collect(),
        ..LogFiles::default()
    })
}

#[test]
fn recorded_segment_logs_get_their_verdict() {
    let Some(root) = samples("layout") else {
        return;
    };
    let wanted = [
        ("duplicated_segment_new_seq", "Damaged 3:200 []"),
        ("durlog_bad_crc_mid", "Healthy 3:10 []"),
        ("durlog_behind_wal", "Healthy 3:10 []"),
        ("durlog_binary_bad_crc", "Healthy 3:10 []"),
        ("durlog_binary_bad_iomode", "Healthy 3:10 []"),
        ("durlog_binary_flip_term", "Healthy 3:10 []"),
        ("durlog_binary_healthy", "Healthy 3:10 []"),
        ("durlog_binary_torn", "Healthy 3:10 []"),
        ("durlog_binary_zero_tail", "Healthy 3:10 []"),
        ("durlog_duplicate_record", "Healthy 3:10 []"),
        ("durlog_no_final_newline", "Healthy 3:10 []"),
        ("durlog_nul_tail", "Healthy 3:10 []"),
        ("durlog_term_mismatch", "Healthy 3:10 []"),
        ("durlog_torn_last_line", "Healthy 3:10 []"),
        ("durlog_unknown_io_mode", "Healthy 3:10 []"),
        ("empty_segment_middle", "Damaged 2:98 [[99, 147]]"),
        ("flip_crc_mid", "Damaged 2:69 [[70, 70]]"),
        ("flip_header_term", "Damaged 2:69 [[70, 70]]"),
        ("flip_payload_1m", "Damaged 2:498 [[499, 499]]"),
        ("flip_payload_last_frame", "Damaged 3:199 [[200, 200]]"),
        ("flip_payload_len_huge", "Damaged 2:69 [[70, 70]]"),
        ("flip_payload_len_small", "Damaged 2:69 [[70, 70]]"),
        ("garbage_tail", "TornTail 3:200 []"),
        ("healthy_1m", "Healthy 3:1000 []"),
        ("healthy_tiny", "Healthy 3:10 []"),
        ("healthy_tiny_no_durlog", "Healthy 3:10 []"),
        // Entry 10 is there, behind the hole.
        ("hole_after_upstream_truncation", "Damaged 3:9 []"),
        ("idx_missing_one", "Healthy 3:200 []"),
        ("idx_present_dummy", "Healthy 3:200 []"),
        ("metadata_json_corrupt", "Healthy 3:200 []"),
        ("missing_segment_middle", "Damaged 2:98 [[99, 147]]"),
        ("stray_dir_and_file", "Healthy 3:200 []"),
        ("truncated_header_only_file", "Damaged - [[1, 49]]"),
        ("truncated_mid_segment", "Damaged 2:69 [[70, 98]]"),
        ("truncated_tail_at_boundary", "Damaged 3:197 [[198, 200]]"),
        ("truncated_tail_mid_crc", "Damaged 3:199 [[200, 200]]"),
        ("truncated_tail_mid_payload", "Damaged 3:199 [[200, 200]]"),
        ("zero_fill_last_frame", "Damaged 3:199 [[200, 200]]"),
        ("zero_hole_mid", "Damaged 2:69 [[70, 70]]"),
        ("zero_tail_40", "TornTail 3:200 []"),
        ("zero_tail_4096", "TornTail 3:200 []"),
    ];
    let found: Vec<String> =
        wanted.iter().map(|(name, _)| brief(&judge_clustor(&root.join(name).join("state/p-0001")))).collect();
    let wrong: Vec<String> = wanted
        .iter()
        .zip(&found)
        .filter(|((_, wanted), found)| wanted != found)
        .map(|((name, wanted), found)| format!("{name}: wanted {wanted}, found {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(wanted.len(), fs::read_dir(root).unwrap().count(), "every sample is judged");
}

#[test]
fn recorded_ceptra_logs_get_their_verdict() {
    let Some(root) = samples("ceptra") else {
        return;
    };
    let wanted = [
        ("bad_metadata_valid_crc", "Healthy 1:21 []"),
        ("flip_header_index", "Damaged 1:9 [[10, 10]]"),
        ("flip_payload_first", "Damaged - [[1, 1]]"),
        ("flip_payload_mid", "Damaged 1:9 [[10, 10]]"),
        ("healthy", "Healthy 1:20 []"),
        ("raft_state_corrupt", "Healthy 1:20 []"),
        ("raft_state_missing", "Healthy 1:20 []"),
        ("torn_tail", "Damaged 1:19 [[20, 20]]"),
        ("wal_deleted", "Damaged - [[1, 20]]"),
        ("wal_empty", "Damaged - [[1, 20]]"),
    ];
    for (name, wanted) in wanted {
        let partition = root.join(name).join("wal_root/p1");
        let (wal, state) = (read(partition.join("wal.bin")), read(partition.join("raft_state.json")));
        let report = scan(&LogFiles {
            segments: wal.iter().map(|bytes| LogFile { name: "wal.bin", bytes }).collect(),
            raft_state: state.as_ref().map(|bytes| LogFile { name: "raft_state.json", bytes }),
            ..LogFiles::default()
        });
        assert_eq!(brief(&report), wanted, "{name}: {:?}", report.findings);
    }
    assert_eq!(wanted.len(), fs::read_dir(root).unwrap().count(), "every sample is judged");
}

#[test]
fn recorded_snapshots_are_verified_or_refused() {
    use crate::hash;
    use crate::manifest::{BadManifest, Key, Manifest, chain};
    let Some(root) = samples("snapshot") else {
        return;
    };
    let keys: serde_json::Value = serde_json::from_slice(&fs::read(root.join("../keys.json")).unwrap()).unwrap();
    let secret = hash::unhex(keys["snapshot_manifest_hmac_sha256_key_hex"].as_str().unwrap()).unwrap();
    let open = |name: &str| {
        Manifest::parse(&fs::read(root.join(name).join("state/p-0001/snapshot/snap-3-200/manifest.json")).unwrap())
    };
    let good = open("good_small").unwrap();
    assert_eq!((good.base_index, good.chunks.len(), good.encrypted), (Some(200), 4, true));
    assert_eq!(good.verify_signature(&Key::Hmac(&secret)), Ok(()));
    assert_eq!(
        open("signed_with_other_key").unwrap().verify_signature(&Key::Hmac(&secret)),
        Err(BadManifest::Signature)
    );
    assert_eq!(open("no_signature").unwrap().verify_signature(&Key::Hmac(&secret)), Err(BadManifest::NotSigned));
    let relabelled = open("wrong_algorithm_label").unwrap().verify_signature(&Key::Hmac(&secret));
    assert!(matches!(relabelled, Err(BadManifest::Algorithm { .. })));
    for name in ["unknown_field_added", "base_index_tampered", "empty_manifest", "truncated_manifest"] {
        assert!(open(name).is_err(), "{name}");
    }
    let log = fs::read_to_string(root.join("good_small/state/p-0001/snapshot/manifest_authorizations.log")).unwrap();
    assert_eq!(chain(&log).unwrap()[0].manifest_hash, good.content_hash.prefixed());
}
