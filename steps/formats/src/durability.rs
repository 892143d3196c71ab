//! `durability.log`: what a replica promised to keep, record by record.
//!
//! Two codecs for the same record: a JSON line, and 37 little-endian bytes (`term u64, index u64,
//! segment u64, io_mode u8, timestamp u64, crc32 u32`). In both the CRC covers the first 33 bytes of
//! the binary form; JSON calls it `record_crc32c`, though it is CRC-32/ISO-HDLC. Only records before
//! the first bad one count as evidence. Start at [`read`].

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Length of a binary record.
pub const RECORD_LEN: usize = 37;

/// How the entry reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IoMode {
    /// Synced on its own.
    Strict,
    /// Synced together with others.
    Group,
}

impl IoMode {
    fn byte(self) -> u8 {
        match self {
            Self::Strict => 0,
            Self::Group => 1,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Strict),
            1 => Some(Self::Group),
            _ => None,
        }
    }
}

/// One promise: the log is on stable storage up to `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Term of the entry.
    pub term: u64,
    /// Index of the entry.
    pub index: u64,
    /// Number of the segment that holds it.
    pub segment: u64,
    /// How it was synced.
    pub io_mode: IoMode,
    /// Milliseconds since 1970.
    pub timestamp_ms: u64,
}

/// Which of the two forms a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// One JSON object a line.
    Json,
    /// [`RECORD_LEN`] bytes a record.
    Binary,
}

/// The first record that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {number} at offset {offset}: {why}")]
pub struct BadRecord {
    /// Counted from 1.
    pub number: usize,
    /// Offset of its first byte.
    pub offset: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A file's records up to the first bad one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurabilityLog {
    /// Form of the file.
    pub codec: Codec,
    /// Records whose CRC holds.
    pub records: Vec<Record>,
    /// What ended the reading early.
    pub bad: Option<BadRecord>,
}

impl DurabilityLog {
    /// Highest index that was promised.
    pub fn promised(&self) -> Option<u64> {
        self.records.iter().map(|record| record.index).max()
    }
}

/// A line of the JSON form, in the order in which it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    term: u64,
    index: u64,
    segment_seq: u64,
    io_mode: IoMode,
    timestamp_ms: u64,
    record_crc32c: u32,
}

impl Record {
    fn covered(&self) -> [u8; RECORD_LEN - 4] {
        let mut bytes = [0; RECORD_LEN - 4];
        bytes[..8].copy_from_slice(&self.term.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.index.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24] = self.io_mode.byte();
        bytes[25..].copy_from_slice(&self.timestamp_ms.to_le_bytes());
        bytes
    }

    /// CRC over the binary form.
    pub fn crc(&self) -> u32 {
        crc32fast::hash(&self.covered())
    }

    /// The binary form.
    pub fn to_bytes(&self) -> [u8; RECORD_LEN] {
        let mut bytes = [0; RECORD_LEN];
        bytes[..RECORD_LEN - 4].copy_from_slice(&self.covered());
        bytes[RECORD_LEN - 4..].copy_from_slice(&self.crc().to_le_bytes());
        bytes
    }

    /// The JSON form, newline included.
    pub fn to_line(&self) -> String {
        let line = Line {
            term: self.term,
            index: self.index,
            segment_seq: self.segment,
            io_mode: self.io_mode,
            timestamp_ms: self.timestamp_ms,
            record_crc32c: self.crc(),
        };
        let mut text = serde_json::to_string(&line).expect("numbers and a name are always JSON");
        text.push('\n');
        text
    }

    /// Reads one binary record.
    pub fn from_bytes(bytes: &[u8; RECORD_LEN]) -> Result<Self, String> {
        let u64_at = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let found = u32::from_le_bytes([bytes[33], bytes[34], bytes[35], bytes[36]]);
        let computed = crc32fast::hash(&bytes[..33]);
        if found != computed {
            return Err(crc_mismatch(found, computed));
        }
        let io_mode = IoMode::from_byte(bytes[24]).ok_or_else(|| alloc::format!("io_mode {} is unknown", bytes[24]))?;
        Ok(Self { term: u64_at(0), index: u64_at(8), segment: u64_at(16), io_mode, timestamp_ms: u64_at(25) })
    }

    /// Reads one JSON line, without its newline.
    pub fn from_line(line: &[u8]) -> Result<Self, String> {
        let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let record = Self {
            term: line.term,
            index: line.index,
            segment: line.segment_seq,
            io_mode: line.io_mode,
            timestamp_ms: line.timestamp_ms,
        };
        let computed = record.crc();
        if line.record_crc32c == computed { Ok(record) } else { Err(crc_mismatch(line.record_crc32c, computed)) }
    }
}

/// Reads a whole file of either form, up to its first bad record.
pub fn read(bytes: &[u8]) -> DurabilityLog {
    match codec_of(bytes) {
        Codec::Json => read_lines(bytes),
        Codec::Binary => read_records(bytes),
    }
}

/// A binary record may begin with `{` (its term's lowest byte), so a record that holds decides first.
fn codec_of(bytes: &[u8]) -> Codec {
    let holds_as_binary = bytes.first_chunk::<RECORD_LEN>().is_some_and(|first| Record::from_bytes(first).is_ok());
    let starts_as_json = bytes.trim_ascii_start().first().is_none_or(|byte| *byte == b'{');
    if starts_as_json && !holds_as_binary { Codec::Json } else { Codec::Binary }
}

fn read_lines(bytes: &[u8]) -> DurabilityLog {
    let mut log = DurabilityLog { codec: Codec::Json, records: Vec::new(), bad: None };
    let mut offset = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match Record::from_line(line.trim_ascii()) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(record) => log.records.push(record),
            Err(why) => {
                log.bad = Some(BadRecord { number: log.records.len() + 1, offset, why });
                break;
            }
        }
        offset += line.len();
    }
    log
}

fn read_records(bytes: &[u8]) -> DurabilityLog {
    let mut log = DurabilityLog { codec: Codec::Binary, records: Vec::new(), bad: None };
    for chunk in bytes.chunks(RECORD_LEN) {
        let record = match chunk.first_chunk::<RECORD_LEN>() {
            Some(whole) => Record::from_bytes(whole),
            None => Err(alloc::format!("{} bytes are left, a record has {RECORD_LEN}", chunk.len())),
        };
        match record {
            Ok(record) => log.records.push(record),
            Err(why) => {
                let number = log.records.len() + 1;
                log.bad = Some(BadRecord { number, offset: (number - 1) * RECORD_LEN, why });
                break;
            }
        }
    }
    log
}

fn crc_mismatch(found: u32, computed: u32) -> String {
    alloc::format!("crc is {found:#010x}, the record gives {computed:#010x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(index: u64) -> Record {
        Record { term: 1, index, segment: 1, io_mode: IoMode::Strict, timestamp_ms: 1_760_000_000_000 + index }
    }

    #[test]
    fn a_line_has_the_bytes_that_clustor_writes() {
        let line = r#"{"term":1,"index":1,"segment_seq":1,"io_mode":"Strict","timestamp_ms":1760000000001,"record_crc32c":110480488}"#;
        assert_eq!(record(1).to_line(), alloc::format!("{line}\n"));
        assert_eq!(Record::from_line(line.as_bytes()), Ok(record(1)));
    }

    #[test]
    fn reading_ends_at_the_first_bad_record() {
        let lines: String = (1..=5).map(|index| record(index).to_line()).collect();
        let log = read(lines.replace("\"index\":3", "\"index\":9").as_bytes());
        assert_eq!((log.codec, log.promised()), (Codec::Json, Some(2)));
        assert_eq!(log.bad.unwrap().number, 3);

        let mut bytes: Vec<u8> = (1..=5).flat_map(|index| record(index).to_bytes()).collect();
        bytes[3 * RECORD_LEN + 24] = 7;
        let log = read(&bytes);
        assert_eq!((log.codec, log.promised()), (Codec::Binary, Some(3)));
        assert_eq!(log.bad.unwrap().offset, 3 * RECORD_LEN);
    }

    #[test]
    fn a_torn_or_zeroed_tail_is_bad_and_a_missing_last_newline_is_not() {
        let lines: String = (1..=3).map(|index| record(index).to_line()).collect();
        assert_eq!(read(lines.trim_end().as_bytes()), read(lines.as_bytes()));
        assert_eq!(read(&lines.as_bytes()[..lines.len() - 20]).promised(), Some(2));
        let mut bytes: Vec<u8> = (1..=3).flat_map(|index| record(index).to_bytes()).collect();
        bytes.resize(5 * RECORD_LEN, 0);
        let log = read(&bytes);
        assert_eq!((log.promised(), log.bad.unwrap().number), (Some(3), 4));
        assert_eq!(read(b"").promised(), None);
    }

    proptest! {
    #![proptest_config(crate::seeded())]

            #[test]
            fn both_forms_keep_the_record(term: u64, index: u64, segment: u64, group: bool, timestamp_ms: u64) {
                let io_mode = if group { IoMode::Group } else { IoMode::Strict };
                let record = Record { term, index, segment, io_mode, timestamp_ms };
                prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
                prop_assert_eq!(read(record.to_line().as_bytes()).records, alloc::vec![record]);
                prop_assert_eq!(read(&record.to_bytes()).records, alloc::vec![record]);
            }

            #[test]
            fn any_bytes_are_read_up_to_somewhere(bytes: Vec<u8>) {
                let log = read(&bytes);
                prop_assert!(log.records.len() * RECORD_LEN <= bytes.len() || log.codec == Codec::Json);
            }
        }
}
