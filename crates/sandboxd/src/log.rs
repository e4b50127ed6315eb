//! `sandboxd`'s own words. They share the container's standard error with the program, so there are few of them.

use std::{
    error::Error,
    io::{Write as _, stderr},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Writes one line, or drops it when the reader of the log is behind: waiting here would stop the clock of the deadline.
pub(crate) fn error(message: &str) {
    let mut stderr = stderr().lock();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let writable = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    if matches!(writable, Ok(1..)) {
        // There is no one left to tell about a failure to tell.
        let _ = writeln!(stderr, "sandboxd: {message}");
    }
}

/// The message of an error and of all its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
