//! One replica of one partition group on one node: its log and the small files beside it.
//!
//! The log is CEPtra's `wal.bin`; the replica keeps no copy of it in memory, only where every
//! 64th entry begins. It knows nothing of clusters and quorums: that is [`crate::group`]. Start at
//! [`Replica::open`].

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ceptra_flow_formats::durability::{IoMode, Record};
use ceptra_flow_formats::frame::{self, Frame};
use ceptra_flow_formats::hash::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::disk::{self, Lines, make_dir, read_json_if_any, write_json};

/// Where every so many entries' offsets are kept.
const STRIDE: u64 = 64;

/// `raft_state.json`, as CEPtra writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RaftState {
    pub(crate) term: u64,
    pub(crate) leader_id: Option<String>,
    pub(crate) voted_for: Option<String>,
    pub(crate) commit_index: u64,
}

/// What a replica does in its cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Takes appends.
    Leader,
    /// Takes what the leader sends.
    Follower,
    /// Takes shipments only.
    #[default]
    Standby,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Standby => "standby",
        }
    }
}

/// `replica.json`: what the node was told about its replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) role: Role,
    pub(crate) epoch: u64,
    pub(crate) fence_epoch: Option<u64>,
}

/// Why a shipment's frames can't be appended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Damaged { offset: usize },
    Conflict { index: u64 },
    Gap { expected: u64 },
}

/// A replica. Its files are opened when they are used.
#[derive(Debug)]
pub(crate) struct Replica {
    dir: PathBuf,
    sync: bool,
    bytes: u64,
    first_index: u64,
    last_index: u64,
    last_term: u64,
    /// Offset of the first entry and of each `STRIDE`th after it.
    marks: Vec<u64>,
    raft: RaftState,
    standing: Standing,
}

impl Replica {
    /// Makes the files of a replica, given its history.
    pub(crate) fn create(dir: &Path, wal: &[u8], raft: &RaftState, standing: &Standing) -> Result<(), LabError> {
        make_dir(dir)?;
        fs::write(dir.join("wal.bin"), wal).map_err(|source| LabError::file(dir, source))?;
        write_json(&dir.join("raft_state.json"), raft, false)?;
        write_json(&dir.join("replica.json"), standing, false)
    }

    /// Opens a replica, and cuts a frame that a kill left unfinished at the end of its log.
    pub(crate) fn open(dir: &Path, sync: bool) -> Result<Self, LabError> {
        let mut replica = Self {
            dir: dir.to_owned(),
            sync,
            bytes: 0,
            first_index: 1,
            last_index: 0,
            last_term: 0,
            marks: Vec::new(),
            raft: read_json_if_any(&dir.join("raft_state.json"))?.unwrap_or_default(),
            standing: read_json_if_any(&dir.join("replica.json"))?.unwrap_or_default(),
        };
        // Cuts an unfinished line.
        Lines::open(&dir.join("durability.log"), false)?;
        let path = replica.wal_path();
        let content = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(LabError::file(&path, source)),
        };
        if content > 0 {
            replica.walk(content)?;
        }
        if replica.bytes < content {
            replica.cut_torn_tail()?;
        }
        Ok(replica)
    }

    fn wal_path(&self) -> PathBuf {
        self.dir.join("wal.bin")
    }

    /// Notes every frame that fits, by the headers alone: hashing a long log takes seconds.
    fn walk(&mut self, content: u64) -> Result<(), LabError> {
        let path = self.wal_path();
        let failed = |source| LabError::file(&path, source);
        let file = File::open(&path).map_err(failed)?;
        let mut bytes = [0; frame::HEADER_LEN];
        while self.bytes + bytes.len() as u64 <= content {
            file.read_exact_at(&mut bytes, self.bytes).map_err(failed)?;
            let header = frame::Header::read(&bytes).expect("a whole header was read");
            let follows = self.last_index == 0 || header.index == self.last_index + 1;
            if !follows || self.bytes + header.frame_len() > content {
                break;
            }
            self.note(&header);
        }
        Ok(())
    }

    /// Cuts what follows the last sound frame, unless sound frames follow it: damage is kept for whoever repairs it.
    fn cut_torn_tail(&mut self) -> Result<(), LabError> {
        let path = self.wal_path();
        let content = fs::read(&path).map_err(|source| LabError::file(&path, source))?;
        (self.bytes, self.last_index, self.last_term) = (0, 0, 0);
        self.marks.clear();
        let mut frames = frame::Frames::new(&content);
        for found in frames.by_ref().map_while(Result::ok) {
            self.note(&frame::Header::read(&content[found.offset..]).expect("a frame begins with its header"));
        }
        if frame::resync(&content, frames.offset()).is_none() {
            self.cut_at(self.bytes)?;
        }
        Ok(())
    }

    fn cut_at(&self, end: u64) -> Result<(), LabError> {
        let path = self.wal_path();
        let cut = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(end));
        cut.map_err(|source| LabError::file(&path, source))
    }

    fn note(&mut self, header: &frame::Header) {
        if self.last_index == 0 {
            self.first_index = header.index;
        }
        if header.index.saturating_sub(self.first_index).is_multiple_of(STRIDE) {
            self.marks.push(self.bytes);
        }
        self.bytes += header.frame_len();
        self.last_index = header.index;
        self.last_term = header.term;
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn first_index(&self) -> u64 {
        self.first_index
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.last_index
    }

    pub(crate) fn last_term(&self) -> u64 {
        self.last_term
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn raft(&self) -> &RaftState {
        &self.raft
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(crate) fn set_standing(&mut self, standing: Standing) -> Result<(), LabError> {
        if self.standing != standing {
            write_json(&self.dir.join("replica.json"), &standing, self.sync)?;
            self.standing = standing;
        }
        Ok(())
    }

    pub(crate) fn set_raft(&mut self, raft: RaftState) -> Result<(), LabError> {
        if self.raft != raft {
            write_json(&self.dir.join("raft_state.json"), &raft, false)?;
            self.raft = raft;
        }
        Ok(())
    }

    /// Appends whole frames that follow the log's end; they are durable on return.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), LabError> {
        disk::append(&self.wal_path(), bytes, self.sync)?;
        let mut rest = bytes;
        while let Some(header) = frame::Header::read(rest) {
            self.note(&header);
            rest = usize::try_from(header.frame_len()).ok().and_then(|len| rest.get(len..)).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that everything up to `index` is on a quorum's disks.
    pub(crate) fn commit(&mut self, index: u64, at_ms: u64) -> Result<(), LabError> {
        if index <= self.raft.commit_index {
            return Ok(());
        }
        let record = Record { term: self.last_term, index, segment: 1, io_mode: IoMode::Strict, timestamp_ms: at_ms };
        disk::append(&self.dir.join("durability.log"), record.to_line().as_bytes(), false)?;
        let raft = RaftState { commit_index: index, ..self.raft.clone() };
        self.set_raft(raft)
    }

    /// Cuts the log behind `index`, as Raft does to what was never committed.
    pub(crate) fn cut_after(&mut self, index: u64) -> Result<(), LabError> {
        let end = if index < self.first_index { 0 } else { self.offset_after(index)? };
        self.cut_at(end)?;
        *self = Self::open(&self.dir, self.sync)?;
        Ok(())
    }

    fn offset_after(&self, index: u64) -> Result<u64, LabError> {
        if index >= self.last_index {
            return Ok(self.bytes);
        }
        self.offset_of(index + 1)
    }

    /// Offset of an entry the log has.
    fn offset_of(&self, index: u64) -> Result<u64, LabError> {
        let steps = index - self.first_index;
        let mark = usize::try_from(steps / STRIDE).ok().and_then(|mark| self.marks.get(mark));
        let mut offset = *mark.expect("every stride up to the last entry has its mark");
        for _ in 0..steps % STRIDE {
            let header = self.read(offset, frame::HEADER_LEN)?;
            offset += frame::Header::read(&header).expect("a whole header was read").frame_len();
        }
        Ok(offset)
    }

    /// Raw frames of an inclusive range, if the log has all of it.
    pub(crate) fn frames(&self, from: u64, to: u64) -> Result<Option<Vec<u8>>, LabError> {
        if from < self.first_index || to > self.last_index || from > to {
            return Ok(None);
        }
        let (start, end) = (self.offset_of(from)?, self.offset_after(to)?);
        let len = usize::try_from(end - start).expect("a log fits the address space");
        self.read(start, len).map(Some)
    }

    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, LabError> {
        let path = self.wal_path();
        let mut bytes = vec![0; len];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, offset));
        read.map_err(|source| LabError::file(&path, source))?;
        Ok(bytes)
    }

    /// Appends the frames of a shipment that the log does not have; gives their number.
    pub(crate) fn apply(&mut self, shipment: &[u8]) -> Result<Result<u64, Unfit>, LabError> {
        let mut fresh = None;
        let mut expected = None;
        let mut applied = 0;
        for found in frame::Frames::new(shipment) {
            let Ok(found) = found else {
                return Ok(Err(Unfit::Damaged { offset: found.expect_err("it is no frame").offset }));
            };
            let index = found.frame.index;
            if expected.is_some_and(|expected| expected != index) {
                return Ok(Err(Unfit::Gap { expected: expected.unwrap_or_default() }));
            }
            expected = Some(index + 1);
            if index > self.last_index {
                if index != self.last_index + 1 + applied {
                    return Ok(Err(Unfit::Gap { expected: self.last_index + 1 }));
                }
                fresh.get_or_insert(found.offset);
                applied += 1;
            } else {
                let known = self.frames(index, index)?;
                if known.as_deref() != Some(&shipment[found.offset..found.offset + found.len]) {
                    return Ok(Err(Unfit::Conflict { index }));
                }
            }
        }
        if let Some(fresh) = fresh {
            self.append(&shipment[fresh..])?;
        }
        Ok(Ok(applied))
    }
}

/// Payload hash of each entry in raw frames, as ledgers hold it.
pub(crate) fn payload_hashes(frames: &[u8]) -> Vec<(Frame<'_>, String)> {
    let sound = frame::Frames::new(frames).map_while(Result::ok);
    sound.map(|found| (found.frame, hash_text(found.frame.payload))).collect()
}

/// A payload's hash, as ledgers hold it.
pub(crate) fn hash_text(payload: &[u8]) -> String {
    Sha256Digest::of(payload).bare()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(from: u64, to: u64, text: &str) -> Vec<u8> {
        let encode = |index| {
            let payload = format!("{text} {index}");
            Frame { term: 7, index, timestamp_ms: 1, metadata: b"", payload: payload.as_bytes() }.encode().unwrap()
        };
        (from..=to).flat_map(encode).collect()
    }

    fn replica(history: &[u8]) -> (tempfile::TempDir, Replica) {
        let dir = tempfile::tempdir().unwrap();
        Replica::create(dir.path(), history, &RaftState::default(), &Standing::default()).unwrap();
        let replica = Replica::open(dir.path(), false).unwrap();
        (dir, replica)
    }

    #[test]
    fn a_range_is_read_as_it_was_written() {
        let log = frames(1, 200, "entry");
        let (_dir, replica) = replica(&log);
        assert_eq!((replica.first_index(), replica.last_index()), (1, 200));
        assert_eq!(replica.frames(1, 200).unwrap().unwrap(), log);
        assert_eq!(replica.frames(63, 130).unwrap().unwrap(), frames(63, 130, "entry"));
        assert_eq!(replica.frames(190, 201).unwrap(), None);
    }

    #[test]
    fn an_unfinished_frame_is_cut_and_damage_in_the_middle_is_not() {
        let mut log = frames(1, 3, "entry");
        log.truncate(log.len() - 5);
        let (dir, torn) = replica(&log);
        assert_eq!(torn.last_index(), 2);
        assert_eq!(fs::metadata(dir.path().join("wal.bin")).unwrap().len(), torn.bytes());

        let mut log = frames(1, 3, "entry");
        log[frame::HEADER_LEN] ^= 1;
        let (_dir, changed) = replica(&log);
        assert_eq!((changed.last_index(), changed.bytes()), (3, log.len() as u64));

        // The length of the second entry: nothing after it is found by headers.
        log[frame::HEADER_LEN] ^= 1;
        let second = frames(1, 1, "entry").len();
        log[second + 26] ^= 0x40;
        let (dir, damaged) = replica(&log);
        assert_eq!(damaged.last_index(), 1);
        assert_eq!(fs::read(dir.path().join("wal.bin")).unwrap(), log);
    }

    #[test]
    fn a_shipment_is_applied_once_and_only_where_it_fits() {
        let (_dir, mut replica) = replica(&frames(1, 4, "entry"));
        assert_eq!(replica.apply(&frames(3, 8, "entry")).unwrap(), Ok(4));
        assert_eq!(replica.apply(&frames(3, 8, "entry")).unwrap(), Ok(0));
        assert_eq!(replica.apply(&frames(8, 9, "other")).unwrap(), Err(Unfit::Conflict { index: 8 }));
        assert_eq!(replica.apply(&frames(10, 11, "entry")).unwrap(), Err(Unfit::Gap { expected: 9 }));
        assert_eq!(replica.apply(b"no frame").unwrap(), Err(Unfit::Damaged { offset: 0 }));
        assert_eq!(replica.last_index(), 8);
        replica.cut_after(5).unwrap();
        assert_eq!((replica.last_index(), replica.frames(5, 6).unwrap()), (5, None));
    }
}
