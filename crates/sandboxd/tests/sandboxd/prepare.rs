//! The service beside the program, and the wait for it.

use std::{
    fs,
    process::{Command, ExitStatus},
};

use rustix::process::Signal;
use sandbox_protocol::{Outcome, Phase, env::RESULT_FILE};

use crate::harness::{Run, Running, SANDBOXD, eventually, everywhere, runs_anywhere, unique_sleep};

fn bash(script: &str) -> Vec<String> {
    ["bash", "-c", script].map(String::from).into()
}

fn ready(run: &Running) -> ExitStatus {
    Command::new(SANDBOXD)
        .arg("ready")
        .env(RESULT_FILE, run.result_file())
        .status()
        .expect("sandboxd ready")
}

#[test]
fn the_program_begins_when_the_service_is_ready() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let run = Run::bash("cat \"$FOLDER/up\"").at(place);
        let folder = run.folder().to_owned();
        let run = run
            .variable("FOLDER", folder)
            .spec(|spec| {
                spec.start_command = Some(bash(&format!(
                    "echo service speaks; echo up >\"$FOLDER/up\"; exec sleep {sleep}"
                )));
                spec.ready_command = Some(bash("test -e \"$FOLDER/up\""));
            })
            .finish();
        assert_eq!(
            (run.outcome(), run.text().as_str()),
            (&Outcome::Exited(0), "up\n"),
            "{place:?}"
        );
        assert_eq!(run.stdout, b"up\n");
        assert_eq!(String::from_utf8_lossy(&run.stderr), "service speaks\n");
        assert_eq!(run.error_text(), "");
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn the_probe_follows_the_ready_command() {
    let run = Run::interactive();
    let folder = run.folder().to_owned();
    let run = run
        .variable("FOLDER", &folder)
        .spec(|spec| spec.ready_command = Some(bash("test -e \"$FOLDER/up\"")))
        .start();
    let preparing = run.wait_for_result(|result| result.phase == Phase::Preparing);
    assert_eq!(preparing.started_at_ms, None);
    assert!(!ready(&run).success());

    fs::write(run.folder().join("up"), "").expect("write");
    eventually(|| ready(&run).success().then_some(()));

    run.signal(Signal::TERM);
    assert_eq!(run.finish().outcome(), &Outcome::Stopped(None));
}

#[test]
fn a_service_that_dies_is_told() {
    let run = Run::bash("true")
        .spec(|spec| {
            spec.start_command = Some(bash("echo no luck >&2; exit 3"));
            spec.ready_command = Some(bash("false"));
        })
        .finish();
    assert_eq!(
        run.start_failure(),
        (125, "the start command exited with code 3 before the sandbox was ready")
    );
    assert!(run.stderr.starts_with(b"no luck\n"));
}

#[test]
fn a_service_that_is_never_ready_is_told() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let run = Run::bash("true")
            .at(place)
            .spec(|spec| {
                spec.start_timeout_seconds = 1;
                spec.start_command = Some(bash(&format!("trap '' TERM; sleep {sleep}; :")));
                spec.ready_command = Some(bash("exit 4"));
            })
            .finish();
        let words = "the ready command did not succeed within 1 s; at last it exited with code 4";
        assert_eq!(run.start_failure(), (125, words), "{place:?}");
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn a_ready_command_that_hangs_does_not_outlast_the_start_timeout() {
    let sleep = unique_sleep();
    let run = Run::bash("true")
        .spec(|spec| {
            spec.start_timeout_seconds = 1;
            spec.ready_command = Some(vec!["sleep".to_owned(), sleep.clone()]);
        })
        .finish();
    assert_eq!(run.start_failure().0, 125);
    assert!(!runs_anywhere(&sleep));
}

#[test]
fn helpers_that_cannot_start_are_named() {
    let missing = || Some(vec!["/no/such/service".to_owned()]);
    let run = Run::bash("true").spec(|spec| spec.start_command = missing()).finish();
    assert_eq!(run.start_failure(), (127, "/no/such/service does not exist"));

    let run = Run::bash("true")
        .spec(|spec| {
            spec.start_timeout_seconds = 1;
            spec.ready_command = missing();
        })
        .finish();
    let words =
        "the ready command did not succeed within 1 s; at last it failed to start: /no/such/service does not exist";
    assert_eq!(run.start_failure(), (125, words));
}

#[test]
fn a_stop_while_preparing_ends_it() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let run = Run::bash("echo never").at(place);
        let folder = run.folder().to_owned();
        let run = run
            .variable("FOLDER", &folder)
            .spec(|spec| {
                spec.start_command = Some(bash(&format!("echo >\"$FOLDER/begun\"; exec sleep {sleep}")));
                spec.ready_command = Some(bash("false"));
            })
            .start();
        eventually(|| (folder.join("begun").exists() && runs_anywhere(&sleep)).then_some(()));
        run.signal(Signal::TERM);
        let run = run.finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(143), &Outcome::Stopped(None)),
            "{place:?}"
        );
        assert_eq!((run.stdout.len(), run.result.started_at_ms), (0, None));
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}
