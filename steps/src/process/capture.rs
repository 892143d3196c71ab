//! The end of a stream, in bounded memory.

use crate::redact::Redactor;

/// How much of each stream is kept for the output. The log has all of it.
pub const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Kept before that, and cut off last: a secret that a cut goes through lies within it and not in what is shown.
const SLACK_BYTES: usize = 512 * 1024;

const HELD_BYTES_MAX: usize = KEPT_BYTES_MAX + SLACK_BYTES;

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
        if self.bytes.len() > 2 * HELD_BYTES_MAX {
            self.cut(HELD_BYTES_MAX);
        }
    }

    /// What is kept, and how many bytes before it were not. Without secrets if it was cut; else as it was printed,
    /// so that a program's JSON is still what the program wrote.
    #[must_use]
    pub fn end(mut self, secrets: &Redactor) -> (Vec<u8>, u64) {
        if self.dropped > 0 || self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = secrets.bytes(&self.bytes).into_owned();
            self.cut(KEPT_BYTES_MAX);
        }
        (self.bytes, self.dropped)
    }

    fn cut(&mut self, keep: usize) {
        let excess = self.bytes.len().saturating_sub(keep);
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
        let (bytes, dropped) = captured.end(&Redactor::default());
        assert_eq!((bytes.len(), dropped), (KEPT_BYTES_MAX, 4 * KEPT_BYTES_MAX as u64 + 3));
        assert!(bytes.ends_with(b"aend"));
    }

    #[test]
    fn little_is_kept_whole() {
        let mut captured = Captured::default();
        captured.push(b"all of it");
        assert_eq!(captured.end(&Redactor::default()), (b"all of it".to_vec(), 0));
    }

    #[test]
    fn a_secret_that_the_cut_goes_through_is_not_shown_in_part() {
        let secrets = Redactor::new(["hunter2-and-more".to_owned()]);
        for beyond in 0..20 {
            let mut captured = Captured::default();
            captured.push(&vec![b'a'; KEPT_BYTES_MAX]);
            captured.push(b"hunter2-and-more");
            captured.push(&vec![b'b'; KEPT_BYTES_MAX - beyond]);
            let (bytes, _) = captured.end(&secrets);
            let begin = String::from_utf8_lossy(&bytes[..40]).into_owned();
            assert!(begin.trim_start_matches(['a', '*']).chars().all(|at| at == 'b'), "{begin}");
        }
    }
}
