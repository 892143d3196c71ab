//! The end of a stream, in bounded memory.

/// How much of each stream is kept for the output. The log has all of it.
pub const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The last bytes of a stream.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    bytes: Vec<u8>,
    dropped: u64,
}

impl Captured {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Cut only at twice the bound, so that cutting costs each byte one copy at most.
        if self.bytes.len() > 2 * KEPT_BYTES_MAX {
            self.cut();
        }
    }

    /// What is kept, and how many bytes before it were not.
    #[must_use]
    pub fn end(mut self) -> (Vec<u8>, u64) {
        self.cut();
        (self.bytes, self.dropped)
    }

    fn cut(&mut self) {
        let excess = self.bytes.len().saturating_sub(KEPT_BYTES_MAX);
        self.bytes.drain(..excess);
        self.dropped += excess as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_counted() {
        let mut captured = Captured::default();
        for _ in 0..5 {
            captured.push(&vec![b'a'; KEPT_BYTES_MAX]);
        }
        captured.push(b"end");
        let (bytes, dropped) = captured.end();
        assert_eq!((bytes.len(), dropped), (KEPT_BYTES_MAX, 4 * KEPT_BYTES_MAX as u64 + 3));
        assert!(bytes.ends_with(b"aend"));
    }

    #[test]
    fn little_is_kept_whole() {
        let mut captured = Captured::default();
        captured.push(b"all of it");
        assert_eq!(captured.end(), (b"all of it".to_vec(), 0));
    }
}
