use proptest::prelude::*;

use super::*;
use crate::ProgramEnd;

/// The kubelet's rule for the file.
fn last_4096(file: &str) -> &str {
    &file[file.len().saturating_sub(4_096)..]
}

fn stream(tail: Vec<u8>) -> StreamTail {
    StreamTail {
        total_bytes: tail.len() as u64,
        tail,
    }
}

fn done(outcome: Outcome, stdout: Vec<u8>, stderr: Vec<u8>) -> RunResult {
    RunResult {
        phase: Phase::Done,
        outcome: Some(outcome),
        started_at_ms: Some(1_795_392_000_000),
        finished_at_ms: Some(1_795_392_001_500),
        stdout: stream(stdout),
        stderr: stream(stderr),
    }
}

fn widest() -> RunResult {
    let message = "\u{1}".repeat(MAX_ERROR_BYTES);
    let mut result = done(
        Outcome::StartFailed {
            exit_code: 255,
            message,
        },
        vec![0; TAIL_CAPACITY],
        vec![255; TAIL_CAPACITY],
    );
    result.started_at_ms = Some(u64::MAX);
    result.finished_at_ms = Some(u64::MAX);
    result.stdout.total_bytes = u64::MAX;
    result.stderr.total_bytes = u64::MAX;
    result
}

#[test]
fn the_form_is_a_marker_line_and_compact_json() {
    assert_eq!(
        done(Outcome::Exited(3), b"hi\n".to_vec(), vec![]).encode(),
        concat!(
            "#pinfold-run-result\n",
            r#"{"version":1,"phase":"Done","outcome":{"Exited":3},"startedAtMs":1795392000000,"#,
            r#""finishedAtMs":1795392001500,"stdout":{"tail":"aGkK","totalBytes":3},"stderr":{"tail":"","totalBytes":0}}"#
        )
    );
}

#[test]
fn both_streams_full_keep_their_guarantee_even_in_the_widest_result() {
    let text = widest().encode();
    assert!(text.len() <= MAX_MESSAGE_BYTES, "{}", text.len());
    let parsed = RunResult::parse(&text).expect("parse");
    assert!(
        parsed.stdout.tail.len() >= GUARANTEED_TAIL_BYTES,
        "{}",
        parsed.stdout.tail.len()
    );
    assert!(
        parsed.stderr.tail.len() >= GUARANTEED_TAIL_BYTES,
        "{}",
        parsed.stderr.tail.len()
    );
    assert_eq!(parsed.stdout.total_bytes, u64::MAX);
}

#[test]
fn unused_room_goes_to_the_other_stream() {
    let full: Vec<u8> = (0..TAIL_CAPACITY)
        .map(|i| u8::try_from(i % 251).expect("below 251"))
        .collect();
    let both = RunResult::parse(&done(Outcome::Exited(0), full.clone(), full.clone()).encode()).expect("parse");
    let alone = RunResult::parse(&done(Outcome::Exited(0), full.clone(), b"err".to_vec()).encode()).expect("parse");
    assert!(both.stdout.tail.len() > 1_300 && both.stdout.tail.len() == both.stderr.tail.len());
    assert!(alone.stdout.tail.len() > 2_700, "{}", alone.stdout.tail.len());
    assert_eq!(alone.stderr.tail, b"err");
    assert!(full.ends_with(&alone.stdout.tail));

    let other = RunResult::parse(&done(Outcome::Exited(0), vec![], full.clone()).encode()).expect("parse");
    assert!(other.stderr.tail.len() > 2_700 && full.ends_with(&other.stderr.tail));
}

#[test]
fn a_message_of_a_start_failure_is_cut_between_characters() {
    let message = "ü".repeat(4_000);
    let text = done(
        Outcome::StartFailed {
            exit_code: 125,
            message,
        },
        vec![],
        vec![],
    )
    .encode();
    let Some(Outcome::StartFailed { message, .. }) = RunResult::parse(&text).expect("parse").outcome else {
        panic!("not a start failure: {text}");
    };
    assert_eq!(message, "ü".repeat(MAX_ERROR_BYTES / 2));
}

#[test]
fn every_outcome_survives() {
    for outcome in [
        Outcome::Exited(0),
        Outcome::Signaled(9),
        Outcome::OutOfMemory,
        Outcome::DeadlineExceeded,
        Outcome::Stopped(Some(ProgramEnd::Signaled(15))),
        Outcome::Stopped(Some(ProgramEnd::Exited(0))),
        Outcome::Stopped(None),
        Outcome::StartFailed {
            exit_code: 127,
            message: "python3 was not found".to_owned(),
        },
        Outcome::Completed,
    ] {
        let result = done(outcome, vec![], vec![]);
        assert_eq!(RunResult::parse(&result.encode()), Some(result));
    }
}

#[test]
fn a_prefix_of_the_runtime_is_skipped() {
    let result = done(Outcome::Exited(0), b"\0\x1b[31m\xff".to_vec(), vec![]);
    let message = format!("OCI runtime: something broke: {}", result.encode());
    assert_eq!(RunResult::parse(&message), Some(result));
}

#[test]
fn the_last_4096_bytes_hold_the_last_result() {
    let result = widest();
    let file = format!("{}{MARKER}{{}}{}", "junk ".repeat(1_000), result.encode());
    assert_eq!(RunResult::parse(last_4096(&file)), RunResult::parse(&result.encode()));
    assert!(RunResult::parse(last_4096(&file)).is_some());
}

#[test]
fn a_result_that_lost_its_front_is_none() {
    let text = widest().encode();
    assert_eq!(RunResult::parse(&text[1..]), None);
    assert_eq!(RunResult::parse(&text[100..]), None);
    assert_eq!(RunResult::parse(&text[..text.len() - 1]), None);
}

#[test]
fn an_overwritten_longer_result_leaves_a_harmless_rest() {
    let long = done(Outcome::Exited(0), vec![b'x'; 2_000], vec![]).encode();
    let short = RunResult::preparing();
    let text = short.encode();
    let file = format!("{text}{}", &long[text.len()..]);
    assert_eq!(RunResult::parse(&file), Some(short));
}

#[test]
fn text_of_a_user_cannot_pose_as_a_marker() {
    let message = format!("{MARKER}{}", done(Outcome::Exited(0), vec![], vec![]).encode());
    let result = done(
        Outcome::StartFailed {
            exit_code: 127,
            message,
        },
        vec![],
        vec![],
    );
    let parsed = RunResult::parse(&result.encode()).expect("parse");
    assert!(matches!(
        parsed.outcome,
        Some(Outcome::StartFailed { exit_code: 127, .. })
    ));
}

#[test]
fn contradictions_are_none() {
    let text = done(Outcome::Exited(0), b"abc".to_vec(), vec![]).encode();
    for (from, to) in [
        (r#""version":1"#, r#""version":2"#),
        (r#""phase":"Done""#, r#""phase":"Running""#),
        (r#""outcome":{"Exited":0},"#, ""),
        (r#""totalBytes":3"#, r#""totalBytes":2"#),
        (r#""tail":"YWJj""#, r#""tail":"YWJ?""#),
        (r#""Exited""#, r#""Vanished""#),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        assert_eq!(RunResult::parse(&changed), None, "{from}");
    }
}

fn tail() -> impl Strategy<Value = StreamTail> {
    (
        prop::collection::vec(any::<u8>(), 0..TAIL_CAPACITY),
        0..u64::from(u32::MAX),
    )
        .prop_map(|(tail, before)| StreamTail {
            total_bytes: tail.len() as u64 + before,
            tail,
        })
}

proptest! {
    #[test]
    fn any_text_parses_or_not_but_never_panics(text in ".*", body in ".*") {
        let _ = RunResult::parse(&text);
        let _ = RunResult::parse(&format!("{text}{MARKER}{body}"));
    }

    #[test]
    fn any_damage_parses_or_not_but_never_panics(at in 0..3_900_usize, with in "\\PC") {
        let mut text = widest().encode();
        if text.is_char_boundary(at) {
            text.insert_str(at, &with);
        }
        let _ = RunResult::parse(&text);
    }

    #[test]
    fn what_is_written_is_read(stdout in tail(), stderr in tail(), prefix in "\\PC{0,96}") {
        let mut result = done(Outcome::Exited(1), vec![], vec![]);
        result.stdout = stdout;
        result.stderr = stderr;
        let text = result.encode();
        prop_assert!(text.len() <= MAX_MESSAGE_BYTES);
        let parsed = RunResult::parse(&format!("{prefix}: {text}")).expect("parse");
        for (read, written) in [(&parsed.stdout, &result.stdout), (&parsed.stderr, &result.stderr)] {
            prop_assert!(written.tail.ends_with(&read.tail));
            prop_assert!(read.tail.len() >= written.tail.len().min(GUARANTEED_TAIL_BYTES));
            prop_assert_eq!(read.total_bytes, written.total_bytes);
        }
    }
}
