//! One output stream of the program: copied to the container's log, its end kept.
//!
//! A thread per stream, because the log may block for as long as its reader likes, and the deadline must not.

use std::{
    fs::File,
    io::{self, ErrorKind, PipeReader, Read as _, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use sandbox_protocol::StreamTail;

use super::{events::Waker, tail::Tail};

/// The stacks of helper threads hold next to nothing.
pub(crate) const STACK_BYTES: usize = 64 * 1024;
const BUFFER_BYTES: usize = 32 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Capture(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tail: Mutex<Tail>,
    done: AtomicBool,
}

impl Capture {
    /// Reads until all writers are gone, then wakes the main thread.
    pub(crate) fn start(from: PipeReader, log: File, waker: Waker) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            tail: Mutex::new(Tail::new()),
            done: AtomicBool::new(false),
        });
        let capture = Self(Arc::clone(&shared));
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            copy(from, log, &shared);
            shared.done.store(true, Ordering::Release);
            waker.wake();
        })?;
        Ok(capture)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.done.load(Ordering::Acquire)
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.0.lock().total_bytes()
    }

    pub(crate) fn to_stream(&self) -> StreamTail {
        self.0.lock().to_stream()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(mut from: PipeReader, log: File, shared: &Shared) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut log = Some(log);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                shared.lock().push(&buffer[..count]);
                // A log that nobody takes any more must not stop the program.
                log = log.filter(|mut log| log.write_all(&buffer[..count]).is_ok());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
