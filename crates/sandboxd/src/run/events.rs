//! Everything that wakes the main thread: signals, the ends of helper threads, and time.

use std::{
    fmt,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};
use signal_hook::iterator::{backend::SignalDelivery, exfiltrator::SignalOnly};

/// Signals that mean more than their default: to reap, to stop, or to be passed to the program.
pub(crate) const HANDLED: [Signal; 9] = [
    Signal::CHILD,
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
    Signal::CONT,
];

pub(crate) struct Events {
    signals: SignalDelivery<UnixStream, SignalOnly>,
    waker: UnixStream,
}

/// Wakes the main thread from another one.
#[derive(Debug)]
pub(crate) struct Waker(UnixStream);

impl Events {
    pub(crate) fn listen() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        let waker = write.try_clone()?;
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, HANDLED.map(Signal::as_raw))?;
        Ok(Self { signals, waker })
    }

    pub(crate) fn waker(&self) -> io::Result<Waker> {
        self.waker.try_clone().map(Waker)
    }

    /// Returns at `until` at the latest, sooner for a signal or a [`Waker`], and without need now and then.
    pub(crate) fn wait(&mut self, until: Option<Instant>) -> Vec<Signal> {
        let timeout = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
        let mut fds = [PollFd::new(self.signals.get_read(), PollFlags::IN)];
        // An interruption is a signal, and every other error is answered by looking at the state of things.
        let _ = poll(&mut fds, timeout.as_ref());
        self.signals.pending().filter_map(Signal::from_named_raw).collect()
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        // Full means that the main thread is about to wake anyway.
        let _ = (&self.0).write(&[0]);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
