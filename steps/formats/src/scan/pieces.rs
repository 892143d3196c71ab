//! A log's bytes as runs of frames that verify and stretches that do not.

use alloc::format;
use alloc::vec::Vec;

use super::{Finding, LogFile};
use crate::frame::{FrameFault, Frames};

/// Frames that verify, lie back to back, count up by one and share a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Place of the file among the ordered segments.
    pub(super) file: usize,
    /// Offset in that file.
    pub(super) offset: usize,
    /// Where it begins and ends when all files are laid end to end.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) term: u64,
}

impl Run {
    pub(super) fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// Bytes that are no frame, up to the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) file: usize,
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) fault: FrameFault,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Piece {
    Run(Run),
    Fault(Fault),
}

/// The whole log in file order.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) pieces: Vec<Piece>,
    pub(super) frames: u64,
    /// For each file, how many segment numbers were skipped up to it.
    pub(super) skipped: Vec<u64>,
}

impl Log {
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Run(run) => Some(run),
            Piece::Fault(_) => None,
        })
    }

    pub(super) fn has_faults(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Fault(_)))
    }
}

/// The number in `segment-<digits>.log`; zero padding is only a habit.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Segments by number. Whatever has no number but `wal.bin` is a finding and is left out.
pub(super) fn in_order<'a>(files: &[LogFile<'a>], findings: &mut Vec<Finding>) -> Vec<LogFile<'a>> {
    let mut numbered: Vec<(u64, LogFile<'a>)> = Vec::new();
    for file in files {
        match segment_number(file.name) {
            Some(number) => numbered.push((number, *file)),
            None if file.name == "wal.bin" => numbered.push((0, *file)),
            None => findings.push(naming(file.name, "is not the name of a segment".into())),
        }
    }
    numbered.sort_by(|left, right| (left.0, left.1.name).cmp(&(right.0, right.1.name)));
    for pair in numbered.windows(2) {
        let ((before, _), (number, file)) = (pair[0], pair[1]);
        if number == before {
            findings.push(naming(file.name, format!("is the second segment with number {number}")));
        } else if number - before > 1 {
            let mut finding = naming(file.name, format!("follows segment {before}"));
            finding.kind = "missing_segment";
            findings.push(finding);
        }
    }
    numbered.into_iter().map(|(_, file)| file).collect()
}

fn naming(file: &str, message: alloc::string::String) -> Finding {
    Finding { kind: "bad_segment_name", file: file.into(), offset: None, index: None, message }
}

/// Reads every file to its end.
pub(super) fn read(segments: &[LogFile<'_>]) -> Log {
    let mut log = Log::default();
    let (mut start, mut skipped) = (0, 0);
    let mut before: Option<u64> = None;
    for (at, file) in segments.iter().enumerate() {
        let number = segment_number(file.name);
        if let (Some(before), Some(number)) = (before, number) {
            skipped += (number - before).saturating_sub(1);
        }
        before = number;
        log.skipped.push(skipped);
        read_file(&mut log, at, start, file.bytes);
        start += file.bytes.len() as u64;
    }
    log
}

fn read_file(log: &mut Log, file: usize, start: u64, bytes: &[u8]) {
    let mut frames = Frames::new(bytes);
    let mut run: Option<Run> = None;
    while let Some(next) = frames.next() {
        match next {
            Ok(located) => {
                log.frames += 1;
                let frame = located.frame;
                let end = start + (located.offset + located.len) as u64;
                match &mut run {
                    Some(run) if run.last.checked_add(1) == Some(frame.index) && run.term == frame.term => {
                        run.last = frame.index;
                        run.end = end;
                    }
                    _ => {
                        let begun = Run {
                            file,
                            offset: located.offset,
                            start: start + located.offset as u64,
                            end,
                            first: frame.index,
                            last: frame.index,
                            term: frame.term,
                        };
                        log.pieces.extend(run.replace(begun).map(Piece::Run));
                    }
                }
            }
            Err(fault) => {
                log.pieces.extend(run.take().map(Piece::Run));
                frames.resync();
                let len = frames.offset() - fault.offset;
                log.pieces.push(Piece::Fault(Fault { file, offset: fault.offset, len, fault: fault.fault }));
            }
        }
    }
    log.pieces.extend(run.map(Piece::Run));
}
