//! What programs see of their surroundings, and what they must not see.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    process::Command,
};

use crate::harness::{Place, Run, everywhere};

#[test]
fn variables_arrive_verbatim() {
    let value = OsStr::from_bytes(b"$(HOME) $$ 'quoted' \"too\"\nsecond line \xff=");
    everywhere(|place| {
        let run = Run::bash("printf %s \"$VALUE\"")
            .at(place)
            .variable("VALUE", value)
            .finish();
        assert_eq!(run.stdout, value.as_bytes(), "{place:?}");
    });
}

#[test]
fn nothing_reserved_reaches_a_program() {
    everywhere(|place| {
        let run = Run::bash("env; cat /proc/self/environ")
            .at(place)
            .stdin(b"secret")
            .variable("PINFOLD_OTHER", "x")
            .variable("MY_PINFOLD_", "mine")
            .finish();
        let seen = String::from_utf8_lossy(&run.stdout).replace("MY_PINFOLD_=mine", "found");
        assert_eq!(seen.matches("found").count(), 2, "{place:?}: {seen}");
        assert!(!seen.contains("PINFOLD_"), "{place:?}: {seen}");
    });
}

/// Reading its own environment works, so it is not the tool that fails.
#[test]
fn the_guardians_memory_is_closed_to_programs_of_the_same_user() {
    let script = "cat /proc/$$/environ >/dev/null && echo own
        for f in environ maps mem; do cat /proc/$PPID/$f >/dev/null 2>&1 || echo no $f; done
        ls /proc/$PPID/fd >/dev/null 2>&1 || echo no fd";
    let run = Run::bash(script).at(Place::Restricted).stdin(b"secret").finish();
    assert_eq!(run.text(), "own\nno environ\nno maps\nno mem\nno fd\n");
}

#[test]
fn no_descriptor_of_ours_is_inherited() {
    everywhere(|place| {
        let run = Run::command(&["ls", "/proc/self/fd"]).at(place).stdin(b"x").finish();
        // Whatever these tests were started with is not ours to answer for.
        let plain = Command::new("ls").arg("/proc/self/fd").output().expect("ls");
        assert_eq!(run.stdout, plain.stdout, "{place:?}");
    });
}

#[test]
fn signals_have_their_defaults_in_a_program() {
    // Whoever runs this suite may ignore some, as nohup does; the numbers from 32 on belong to the C library.
    let run = Run::bash("sed -nE 's/^Sig(Blk|Ign):\\s*//p' /proc/self/status").finish();
    let text = run.text();
    let masks: Vec<u64> = text
        .lines()
        .map(|mask| u64::from_str_radix(mask, 16).expect("a mask") & 0x7fff_ffff)
        .collect();
    assert_eq!(masks, [0, 0], "{text}");
}

#[test]
fn a_program_leads_a_process_group() {
    let run = Run::bash("set -- $(cut -d' ' -f1,5 /proc/$$/stat); [ $1 = $2 ] && echo leader").finish();
    assert_eq!(run.text(), "leader\n");
}

#[test]
fn path_and_home_have_defaults() {
    let run = Run::command(&["/bin/sh", "-c", "echo $PATH $HOME; pwd"])
        .without_variable("PATH")
        .start()
        .finish();
    let text = run.text();
    assert!(
        text.starts_with("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /tmp\n"),
        "{text}"
    );

    let run = Run::bash("echo $HOME; pwd")
        .spec(|spec| spec.workdir = Some("/usr".to_owned()))
        .finish();
    assert_eq!(run.text(), "/usr\n/usr\n");
    let run = Run::bash("echo $HOME").variable("HOME", "/home/me").finish();
    assert_eq!(run.text(), "/home/me\n");
}

#[test]
fn a_missing_workdir_is_made() {
    everywhere(|place| {
        let run = Run::bash("pwd").at(place);
        let workdir = run.folder().join("a/b").to_str().expect("utf-8").to_owned();
        let run = run.spec(|spec| spec.workdir = Some(workdir.clone())).finish();
        assert_eq!(run.text().trim_end(), workdir, "{place:?}");
    });
}

#[test]
fn an_impossible_workdir_is_named() {
    let run = Run::bash("true")
        .spec(|spec| spec.workdir = Some("/dev/null/work".to_owned()))
        .finish();
    let (code, message) = run.start_failure();
    assert_eq!(code, 125);
    assert!(
        message.starts_with("could not make the workdir /dev/null/work: "),
        "{message}"
    );

    let run = Run::bash("true").at(Place::Restricted);
    let closed = run.folder().join("closed");
    fs::create_dir(&closed).expect("folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).expect("permissions");
    let path = closed.to_str().expect("utf-8").to_owned();
    let run = run.spec(|spec| spec.workdir = Some(path.clone())).finish();
    let (code, message) = run.start_failure();
    assert_eq!(code, 125);
    assert!(
        message.starts_with(&format!("could not enter the workdir {path}: ")),
        "{message}"
    );
    assert_eq!(run.result.started_at_ms, None);
}
