//! The subcommands that run nothing, and input that says nothing.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use sandbox_protocol::{CANARY_LINE, Outcome, RunResult, env::RESULT_FILE};

use crate::harness::{Run, SANDBOXD};

#[test]
fn the_canary_prints_its_line() {
    let output = Command::new(SANDBOXD).arg("canary").output().expect("sandboxd canary");
    assert!(output.status.success());
    assert_eq!(output.stdout, format!("{CANARY_LINE}\n").into_bytes());
}

#[test]
fn install_copies_the_binary() {
    let run = Run::interactive();
    let path = run.folder().join("below/sandboxd");
    for _ in ["new", "over itself"] {
        assert!(
            Command::new(SANDBOXD)
                .arg("install")
                .arg(&path)
                .status()
                .expect("install")
                .success()
        );
        assert_eq!(
            fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(fs::read(&path).expect("copy"), fs::read(SANDBOXD).expect("original"));
        assert_eq!(fs::read_dir(run.folder().join("below")).expect("folder").count(), 1);
    }
}

#[test]
fn install_says_where_it_failed() {
    let output = Command::new(SANDBOXD)
        .args(["install", "/dev/null/x"])
        .output()
        .expect("install");
    assert!(!output.status.success());
    let words = String::from_utf8(output.stderr).expect("utf-8");
    assert!(
        words.starts_with("sandboxd: could not install to /dev/null/x: "),
        "{words}"
    );
}

#[test]
fn anything_else_is_answered_with_the_usage() {
    for arguments in [vec![], vec!["walk"], vec!["install"], vec!["run", "more"]] {
        let output = Command::new(SANDBOXD).args(arguments).output().expect("sandboxd");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stderr.starts_with(b"sandboxd: usage: "));
    }
}

#[test]
fn without_a_result_there_is_no_readiness() {
    let status = Command::new(SANDBOXD)
        .arg("ready")
        .env(RESULT_FILE, "/dev/null")
        .status()
        .expect("sandboxd ready");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_missing_input_is_a_start_failure() {
    let run = Run::interactive();
    let file = run.result_file();
    let output = Command::new(SANDBOXD)
        .arg("run")
        .env_clear()
        .env(RESULT_FILE, &file)
        .output()
        .expect("sandboxd run");
    assert_eq!(output.status.code(), Some(125));
    let result = RunResult::parse(&fs::read_to_string(&file).expect("result file")).expect("a result");
    let message = "could not read the run's input: PINFOLD_RUN is not set".to_owned();
    assert_eq!(
        result.outcome,
        Some(Outcome::StartFailed {
            exit_code: 125,
            message
        })
    );
}

#[test]
fn a_run_without_a_result_file_still_tells_its_exit_code() {
    let run = Run::bash("exit 6");
    let output = Command::new(SANDBOXD)
        .arg("run")
        .envs(run.input.encode().expect("encode"))
        .env(RESULT_FILE, "/no/such/folder/file")
        .output()
        .expect("sandboxd run");
    assert_eq!(output.status.code(), Some(6));
    assert!(
        output
            .stderr
            .starts_with(b"sandboxd: could not open the result file /no/such/folder/file: ")
    );
}
