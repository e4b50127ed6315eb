//! What goes in and what comes out, byte for byte.

use std::{path::PathBuf, process::Command};

use rustix::process::Signal;
use sandbox_protocol::{GUARANTEED_TAIL_BYTES, MAX_STDIN_BYTES, Outcome, Phase};

use crate::harness::{Run, everywhere};

#[test]
fn both_streams_reach_the_log_and_the_tail() {
    everywhere(|place| {
        let run = Run::bash("printf out; printf err >&2").at(place).finish();
        assert_eq!(
            (run.stdout.as_slice(), run.stderr.as_slice()),
            (b"out".as_slice(), b"err".as_slice()),
            "{place:?}"
        );
        assert_eq!(
            (run.text().as_str(), run.error_text().as_str()),
            ("out", "err"),
            "{place:?}"
        );
    });
}

#[test]
fn bytes_are_not_touched() {
    let run = Run::bash(r"printf '\0\x1b[1m\xff\xfe\r\n\xe2\x82'").finish();
    assert_eq!(run.stdout, b"\0\x1b[1m\xff\xfe\r\n\xe2\x82");
    assert_eq!(run.result.stdout.tail, run.stdout);
    assert_eq!(run.text(), "\u{fffd}\x1b[1m\u{fffd}\u{fffd}\r\n\u{fffd}");
}

#[test]
fn standard_input_arrives_whole() {
    everywhere(|place| {
        let bytes: Vec<u8> = (0..MAX_STDIN_BYTES)
            .map(|i| u8::try_from(i % 256).expect("a byte"))
            .collect();
        let run = Run::command(&["cat"]).at(place).stdin(&bytes).finish();
        assert_eq!((run.outcome(), &run.stdout), (&Outcome::Exited(0), &bytes), "{place:?}");
    });
}

#[test]
fn standard_input_may_be_left_unread() {
    let run = Run::bash("exec <&-; echo done")
        .stdin(&vec![b'x'; MAX_STDIN_BYTES])
        .finish();
    assert_eq!((run.outcome(), run.text().as_str()), (&Outcome::Exited(0), "done\n"));
}

#[test]
fn without_input_there_is_an_end_of_file() {
    let run = Run::bash("cat; readlink /proc/self/fd/0").finish();
    assert_eq!(run.text(), "/dev/null\n");
    assert_eq!(Run::command(&["wc", "-c"]).stdin(b"").finish().text(), "0\n");
}

/// The program reads its guardian's high-water mark when it has written everything.
#[test]
fn a_hundred_megabytes_take_constant_memory() {
    everywhere(|place| {
        let script = "head -c 100000000 /dev/zero; printf end; grep VmHWM /proc/$PPID/status >&2";
        let run = Run::bash(script).at(place).finish();
        assert_eq!(
            (run.outcome(), run.stdout.len()),
            (&Outcome::Exited(0), 100_000_003),
            "{place:?}"
        );
        assert_eq!(run.result.stdout.total_bytes, 100_000_003);
        assert!(run.result.stdout.tail.ends_with(b"\0end") && run.result.stdout.tail.len() > 2_000);
        let kib: u32 = run
            .error_text()
            .split_whitespace()
            .nth(1)
            .expect("VmHWM: n kB")
            .parse()
            .expect("a number");
        assert!(kib < 10 * 1_024, "{kib} KiB");
    });
}

#[test]
fn both_tails_keep_their_share() {
    let run = Run::bash("head -c 50000 /dev/zero | tr '\\0' o; head -c 50000 /dev/zero | tr '\\0' e >&2").finish();
    for (stream, byte) in [(&run.result.stdout, b'o'), (&run.result.stderr, b'e')] {
        assert!(stream.tail.len() >= GUARANTEED_TAIL_BYTES && stream.tail.iter().all(|b| *b == byte));
        assert_eq!(stream.total_bytes, 50_000);
    }
}

#[test]
fn output_of_orphans_counts_until_the_program_ends() {
    let run = Run::bash("( ( echo orphan; echo >\"$FIFO\" ) & ); cat \"$FIFO\" >/dev/null; echo program");
    let fifo = run.folder().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo")
            .success()
    );
    let run = run.variable("FIFO", fifo).finish();
    assert_eq!(run.text(), "orphan\nprogram\n");
}

#[test]
fn a_log_that_nobody_takes_does_not_stop_the_program() {
    let mut run = Run::bash("head -c 1000000 /dev/zero && printf end").start();
    drop(run.hold_output());
    let run = run.finish();
    assert_eq!(run.outcome(), &Outcome::Exited(0));
    assert_eq!(run.result.stdout.total_bytes, 1_000_003);
    assert!(run.result.stdout.tail.ends_with(b"\0end"));
}

#[test]
fn the_result_follows_the_output_while_the_program_runs() {
    let run = Run::bash("echo first; cat \"$FIFO\"; read <> <(:)");
    let fifo = make_fifo(&run);
    let run = run.variable("FIFO", &fifo).start();
    run.wait_for_result(|result| result.stdout.tail == b"first\n");
    std::fs::write(fifo, "second\n").expect("write");
    let later = run.wait_for_result(|result| result.stdout.tail == b"first\nsecond\n");
    assert_eq!((later.phase, later.outcome), (Phase::Running, None));
    run.signal(Signal::TERM);
    run.finish();
}

fn make_fifo(run: &Run) -> PathBuf {
    let fifo = run.folder().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    fifo
}
