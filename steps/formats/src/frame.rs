//! One WAL entry, framed: what every byte of a log means and whether it still holds.
//!
//! ```text
//! term u64 | index u64 | timestamp_ms u64 | metadata_len u16 | payload_len u32 | metadata | payload | crc32 u32 | sha256[32]
//! ```
//!
//! Little-endian, no file header, frames back to back. The CRC covers metadata and payload, the
//! SHA-256 the payload only, the header nothing: a flipped term or index is seen by continuity
//! alone, which is [`crate::scan`]'s business. Start at [`decode`] and [`Frames`].

use alloc::vec::Vec;

use crate::hash::Sha256Digest;

/// Bytes before the metadata.
pub const HEADER_LEN: usize = 30;
/// Bytes after the payload: CRC and SHA-256.
pub const TRAILER_LEN: usize = 36;
/// What a frame without metadata and payload weighs.
pub const OVERHEAD: usize = HEADER_LEN + TRAILER_LEN;

/// An entry whose bytes were checked, or that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Raft term under which the entry was appended.
    pub term: u64,
    /// Its place in the log.
    pub index: u64,
    /// When the leader took it, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The system's own part.
    pub metadata: &'a [u8],
    /// The client's part.
    pub payload: &'a [u8],
}

/// The part of a frame that nothing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Raft term.
    pub term: u64,
    /// Place in the log.
    pub index: u64,
    /// Milliseconds since 1970.
    pub timestamp_ms: u64,
    /// Bytes of metadata that follow.
    pub metadata_len: u16,
    /// Bytes of payload after the metadata.
    pub payload_len: u32,
}

impl Header {
    /// Reads the first [`HEADER_LEN`] bytes; nothing if there are fewer.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        Some(Self {
            term: u64_at(header, 0),
            index: u64_at(header, 8),
            timestamp_ms: u64_at(header, 16),
            metadata_len: u16::from_le_bytes([header[24], header[25]]),
            payload_len: u32::from_le_bytes([header[26], header[27], header[28], header[29]]),
        })
    }

    /// Length of the whole frame as the header claims it. At most 4 GiB and a little: a claim, not a promise.
    pub fn frame_len(&self) -> u64 {
        OVERHEAD as u64 + u64::from(self.metadata_len) + u64::from(self.payload_len)
    }
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Fewer bytes are left than a header has.
    #[error("{have} bytes are left, a header has {HEADER_LEN}")]
    ShortHeader {
        /// Bytes that are left.
        have: usize,
    },
    /// The header claims more bytes than are left.
    #[error("the header claims {need} bytes, {have} are left")]
    Truncated {
        /// What the header claims.
        need: u64,
        /// Bytes that are left.
        have: usize,
    },
    /// The CRC over metadata and payload does not hold.
    #[error("crc32 is {found:#010x}, the bytes give {computed:#010x}")]
    BadCrc {
        /// What the frame says.
        found: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// The CRC holds and the SHA-256 over the payload does not.
    #[error("sha256 of the payload does not hold")]
    BadSha256,
}

impl FrameFault {
    /// The fault's name in findings.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ShortHeader { .. } => "short_header",
            Self::Truncated { .. } => "truncated_frame",
            Self::BadCrc { .. } => "bad_crc",
            Self::BadSha256 => "bad_sha256",
        }
    }
}

/// An entry that the format has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// More than a `u16` can count.
    #[error("metadata has {0} bytes, a frame holds 65535")]
    Metadata(usize),
    /// More than a `u32` can count.
    #[error("payload has {0} bytes, a frame holds 4294967295")]
    Payload(usize),
}

impl<'a> Frame<'a> {
    /// Length of the encoded frame.
    pub fn encoded_len(&self) -> usize {
        OVERHEAD + self.metadata.len() + self.payload.len()
    }

    /// Appends the frame's bytes to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let metadata_len = u16::try_from(self.metadata.len()).map_err(|_| TooLong::Metadata(self.metadata.len()))?;
        let payload_len = u32::try_from(self.payload.len()).map_err(|_| TooLong::Payload(self.payload.len()))?;
        out.reserve(self.encoded_len());
        out.extend_from_slice(&self.term.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.timestamp_ms.to_le_bytes());
        out.extend_from_slice(&metadata_len.to_le_bytes());
        out.extend_from_slice(&payload_len.to_le_bytes());
        let body = out.len();
        out.extend_from_slice(self.metadata);
        out.extend_from_slice(self.payload);
        let crc = crc32fast::hash(&out[body..]);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&Sha256Digest::of(self.payload).0);
        Ok(())
    }

    /// The frame's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut out = Vec::new();
        self.encode_into(&mut out)?;
        Ok(out)
    }
}

/// Reads and checks the frame at the start of `bytes`; also gives its length.
pub fn decode(bytes: &[u8]) -> Result<(Frame<'_>, usize), FrameFault> {
    let header = Header::read(bytes).ok_or(FrameFault::ShortHeader { have: bytes.len() })?;
    let need = header.frame_len();
    let len = usize::try_from(need).ok().filter(|len| *len <= bytes.len());
    let len = len.ok_or(FrameFault::Truncated { need, have: bytes.len() })?;
    let body = &bytes[HEADER_LEN..len - TRAILER_LEN];
    let trailer = &bytes[len - TRAILER_LEN..len];
    let found = u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]);
    let computed = crc32fast::hash(body);
    if found != computed {
        return Err(FrameFault::BadCrc { found, computed });
    }
    let (metadata, payload) = body.split_at(usize::from(header.metadata_len));
    if payload_digest(payload) != trailer[4..] {
        return Err(FrameFault::BadSha256);
    }
    Ok((Frame { term: header.term, index: header.index, timestamp_ms: header.timestamp_ms, metadata, payload }, len))
}

/// A frame and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<'a> {
    /// Offset of its first byte.
    pub offset: usize,
    /// Its length in bytes.
    pub len: usize,
    /// The entry.
    pub frame: Frame<'a>,
}

/// Bytes that are no frame, and where they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {fault}")]
pub struct LocatedFault {
    /// Offset of the first bad byte's frame.
    pub offset: usize,
    /// What is wrong.
    pub fault: FrameFault,
}

/// Frames from the start of a slice up to its end or the first fault, which comes last.
///
/// Call [`Frames::resync`] after a fault to go on behind the damage.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    stopped: bool,
}

impl<'a> Frames<'a> {
    /// Frames of `bytes`, from its start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, stopped: false }
    }

    /// Offset of what comes next: the end of the last good frame.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Goes to the next good frame after a fault. False, and at the end, if there is none.
    pub fn resync(&mut self) -> bool {
        let next = crate::frame::resync(self.bytes, self.at);
        self.at = next.unwrap_or(self.bytes.len());
        self.stopped = next.is_none();
        next.is_some()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Located<'a>, LocatedFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty() && !self.stopped)?;
        let offset = self.at;
        Some(match decode(rest) {
            Ok((frame, len)) => {
                self.at += len;
                Ok(Located { offset, len, frame })
            }
            Err(fault) => {
                self.stopped = true;
                Err(LocatedFault { offset, fault })
            }
        })
    }
}

/// Offset of the next frame whose CRC and SHA-256 both hold, behind a fault at `from`.
///
/// Tries where the damaged frame says it ends first: a payload may itself contain frames, and those
/// are not this log's. Then every byte.
pub fn resync(bytes: &[u8], from: usize) -> Option<usize> {
    let damaged = bytes.get(from..)?;
    if let Some(len) = Header::read(damaged).and_then(|header| usize::try_from(header.frame_len()).ok())
        && let Some(next) = damaged.get(len..)
        && decode(next).is_ok()
    {
        return Some(from + len);
    }
    let mut sums = PrefixSums::new(bytes);
    let last = bytes.len().checked_sub(OVERHEAD)?;
    (from + 1..=last).find(|offset| sums.could_start_at(*offset) && decode(&bytes[*offset..]).is_ok())
}

/// Tells whether a CRC holds without reading the body again for every candidate offset.
///
/// A damaged region may claim a long body at each of its bytes; checking each from scratch would
/// be quadratic. The CRC of a range follows from the CRCs of two prefixes.
struct PrefixSums<'a> {
    bytes: &'a [u8],
    /// CRC of the first `i * STRIDE` bytes; built when first asked for a long body.
    prefixes: Vec<u32>,
}

/// Bodies up to this length are simply read: cheaper than arithmetic on prefixes.
const STRIDE: usize = 4096;

impl<'a> PrefixSums<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, prefixes: Vec::new() }
    }

    fn could_start_at(&mut self, offset: usize) -> bool {
        let rest = &self.bytes[offset..];
        let Some(header) = Header::read(rest) else {
            return false;
        };
        let Some(len) = usize::try_from(header.frame_len()).ok().filter(|len| *len <= rest.len()) else {
            return false;
        };
        let crc_at = len - TRAILER_LEN;
        let found = u32::from_le_bytes([rest[crc_at], rest[crc_at + 1], rest[crc_at + 2], rest[crc_at + 3]]);
        let body_len = crc_at - HEADER_LEN;
        if body_len <= STRIDE {
            return crc32fast::hash(&rest[HEADER_LEN..crc_at]) == found;
        }
        let (start, end) = (offset + HEADER_LEN, offset + crc_at);
        self.prefix(end) ^ crc_shift(self.prefix(start), body_len as u64) == found
    }

    fn prefix(&mut self, end: usize) -> u32 {
        if self.prefixes.is_empty() {
            let mut hasher = crc32fast::Hasher::new();
            self.prefixes.push(0);
            for block in self.bytes.chunks_exact(STRIDE) {
                hasher.update(block);
                self.prefixes.push(hasher.clone().finalize());
            }
        }
        let known = end / STRIDE;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.prefixes[known]);
        hasher.update(&self.bytes[known * STRIDE..end]);
        hasher.finalize()
    }
}

/// CRC-32/ISO-HDLC, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What a prefix's CRC contributes to the CRC of the prefix followed by `len` more bytes.
fn crc_shift(crc: u32, mut len: u64) -> u32 {
    // x^(8 * len) mod P by squaring, starting with x^8.
    let (mut power, mut factor) = (1u32 << 31, 1u32 << 23);
    while len > 0 {
        if len & 1 == 1 {
            power = multiply(power, factor);
        }
        factor = multiply(factor, factor);
        len >>= 1;
    }
    multiply(power, crc)
}

/// Product of two polynomials modulo [`POLYNOMIAL`], bit 31 being x^0.
fn multiply(left: u32, mut right: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if left >> bit & 1 == 1 {
            product ^= right;
        }
        right = if right & 1 == 1 { right >> 1 ^ POLYNOMIAL } else { right >> 1 };
    }
    product
}

/// SHA-256 of a payload; that of the empty one is known, which keeps runs of zeros cheap to search.
fn payload_digest(payload: &[u8]) -> [u8; 32] {
    const OF_NOTHING: [u8; 32] = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
        0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ];
    if payload.is_empty() { OF_NOTHING } else { Sha256Digest::of(payload).0 }
}

fn u64_at(header: &[u8; HEADER_LEN], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(index: u64, payload: &[u8]) -> Vec<u8> {
        Frame { term: 1, index, timestamp_ms: 5, metadata: b"m", payload }.encode().unwrap()
    }

    #[test]
    fn the_bytes_are_where_the_format_says() {
        let bytes = Frame { term: 3, index: 9, timestamp_ms: 7, metadata: b"ab", payload: b"xyz" }.encode().unwrap();
        assert_eq!(bytes.len(), 66 + 2 + 3);
        assert_eq!(bytes[..8], 3u64.to_le_bytes());
        assert_eq!(bytes[8..16], 9u64.to_le_bytes());
        assert_eq!(bytes[24..30], [2, 0, 3, 0, 0, 0]);
        assert_eq!(bytes[30..35], *b"abxyz");
        assert_eq!(bytes[35..39], crc32fast::hash(b"abxyz").to_le_bytes());
        assert_eq!(bytes[39..], Sha256Digest::of(b"xyz").0);
    }

    #[test]
    fn damage_is_named_and_left_behind() {
        let mut log = frame(1, b"one");
        let second = log.len();
        log.extend(frame(2, b"two"));
        let third = log.len();
        log.extend(frame(3, b"three"));
        log[second + HEADER_LEN + 1] ^= 1;
        let mut frames = Frames::new(&log);
        assert_eq!(frames.next().unwrap().unwrap().frame.index, 1);
        let fault = frames.next().unwrap().unwrap_err();
        assert_eq!((fault.offset, fault.fault.kind()), (second, "bad_crc"));
        assert!(frames.next().is_none());
        assert!(frames.resync());
        assert_eq!(frames.next().unwrap().unwrap().offset, third);
        assert!(frames.next().is_none());
    }

    #[test]
    fn a_frame_inside_a_damaged_payload_is_not_the_logs_own() {
        let inner = frame(77, b"inner");
        let mut log = frame(1, &inner);
        let second = log.len();
        log.extend(frame(2, b"two"));
        log[HEADER_LEN] ^= 1; // Metadata of the outer frame.
        assert_eq!(resync(&log, 0), Some(second));
    }

    #[test]
    fn a_search_through_claims_of_long_bodies_finds_a_long_frame() {
        let mut log = alloc::vec![1u8; 9000];
        let at = log.len();
        log.extend(frame(1, &[7; 20_000]));
        log.extend(frame(2, b"next"));
        assert_eq!(resync(&log, 0), Some(at));
    }

    #[test]
    fn a_huge_length_is_refused_by_what_is_there() {
        let mut bytes = frame(1, b"x");
        bytes[26..30].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode(&bytes).unwrap_err().kind(), "truncated_frame");
        assert_eq!(decode(&bytes[..29]).unwrap_err(), FrameFault::ShortHeader { have: 29 });
    }

    proptest! {
    #![proptest_config(crate::seeded())]

            #[test]
            fn what_is_encoded_is_decoded(term: u64, index: u64, timestamp_ms: u64, metadata: Vec<u8>, payload: Vec<u8>) {
                let frame = Frame { term, index, timestamp_ms, metadata: &metadata, payload: &payload };
                let bytes = frame.encode().unwrap();
                prop_assert_eq!(decode(&bytes), Ok((frame, bytes.len())));
            }

            #[test]
            fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
                let _ = decode(&bytes);
                let mut frames = Frames::new(&bytes);
                while frames.by_ref().count() > 0 && frames.resync() {}
            }

            #[test]
            fn a_flipped_bit_behind_the_header_is_seen(payload in proptest::collection::vec(any::<u8>(), 0..40), bit: usize) {
                let mut bytes = frame(4, &payload);
                let bits = (bytes.len() - HEADER_LEN) * 8;
                let bit = HEADER_LEN * 8 + bit % bits;
                bytes[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(decode(&bytes).is_err());
            }

            #[test]
            fn prefix_sums_agree_with_reading(bytes in proptest::collection::vec(any::<u8>(), 0..20_000), cut: usize) {
                let cut = cut % (bytes.len() + 1);
                let mut sums = PrefixSums::new(&bytes);
                let range = sums.prefix(bytes.len()) ^ crc_shift(sums.prefix(cut), (bytes.len() - cut) as u64);
                prop_assert_eq!(range, crc32fast::hash(&bytes[cut..]));
            }
        }
}
