//! Lines of a run on their way to a terminal, a pipe or a file, without holding the run up.
//!
//! The run only appends to a buffer; a thread of its own writes it out. A reader that is slow for long makes the run wait
//! rather than the buffer grow; one that went away costs nothing. Start at [`Lines::start`].

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that may wait to be written: some 100,000 lines. More would hide that nobody reads.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Where lines are put. Clones put them at the same place.
#[derive(Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    ending: bool,
    /// The other end went away, or its disk is full.
    broken: Option<std::io::Error>,
}

/// The thread that writes; [`Writer::finish`] ends it.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// Starts writing to `out`. `linger` is how long lines may gather before they are written.
    pub(crate) fn start(out: impl Write + Send + 'static, linger: Duration) -> (Self, Writer) {
        let shared = Arc::new(Shared { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("lines".into()).spawn(move || theirs.write_out(out, linger));
        if thread.is_err() {
            // Without a thread nothing can be shown; the run itself does not depend on it.
            shared.lock().broken = Some(std::io::Error::other("no thread to write with"));
        }
        (Self { shared: Arc::clone(&shared) }, Writer { shared, thread: thread.ok() })
    }

    /// Adds what `write` puts into the buffer.
    pub(crate) fn put(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.shared.lock();
        while state.waiting.len() > WAITING_BYTES_MAX && state.broken.is_none() {
            state = self.shared.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.broken.is_some() {
            return;
        }
        let was_empty = state.waiting.is_empty();
        write(&mut state.waiting);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The buffer is whole after every statement, so a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self, mut out: impl Write, linger: Duration) {
        let mut taken = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.ending {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if !state.ending && !linger.is_zero() {
                let ending = |state: &mut State| !state.ending && state.waiting.len() < WAITING_BYTES_MAX;
                state = self.filled.wait_timeout_while(state, linger, ending).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.waiting.is_empty() {
                return;
            }
            std::mem::swap(&mut taken, &mut state.waiting);
            drop(state);
            let written = out.write_all(&taken).and_then(|()| out.flush());
            taken.clear();
            if let Err(error) = written {
                let mut state = self.lock();
                state.waiting = Vec::new();
                state.broken = Some(error);
            }
            self.emptied.notify_all();
        }
    }
}

impl Writer {
    /// Waits until everything is written; an error if not everything was.
    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        self.end();
        match self.shared.lock().broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        self.shared.lock().ending = true;
        self.shared.filled.notify_all();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_arrives_in_order() {
        for linger in [Duration::ZERO, Duration::from_secs(60)] {
            let sink = Sink::default();
            let (lines, writer) = Lines::start(sink.clone(), linger);
            let mut expected = Vec::new();
            for number in 0..5_000 {
                let line = format!("line {number}\n");
                expected.extend_from_slice(line.as_bytes());
                lines.put(|buffer| buffer.extend_from_slice(line.as_bytes()));
            }
            writer.finish().unwrap();
            assert_eq!(*sink.0.lock().unwrap(), expected);
        }
    }

    #[test]
    fn a_reader_that_went_away_stops_nothing() {
        let (lines, writer) = Lines::start(Closed, Duration::ZERO);
        for _ in 0..3 {
            lines.put(|buffer| buffer.resize(buffer.len() + WAITING_BYTES_MAX + 1, b'x'));
        }
        assert_eq!(writer.finish().unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
