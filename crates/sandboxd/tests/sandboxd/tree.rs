//! Nothing that a run started outlives it, however it hid.

use rustix::process::Signal;
use sandbox_protocol::{Outcome, ProgramEnd};

use crate::harness::{Run, everywhere, runs_anywhere, unique_sleep};

/// Children that ignore SIGTERM, have their own session and are no one's children any more.
fn hide(sleep: &str) -> String {
    // Not equal to what it finds, or it would find the search itself.
    let pattern = sleep.replace('.', "[.]");
    format!(
        "trap '' TERM HUP
        for i in 1 2 3; do ( setsid bash -c 'setsid sleep {sleep} & exit' & ) ; done
        sleep {sleep} >/dev/null 2>&1 &
        until [ $(grep -lzx '{pattern}' /proc/[0-9]*/cmdline 2>/dev/null | wc -l) = 4 ]; do :; done
        echo hidden"
    )
}

#[test]
fn the_deadline_kills_what_ignores_it_and_what_ran_away() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let mut run = Run::bash(&format!("{}; read <> <(:)", hide(&sleep)))
            .at(place)
            .spec(|spec| (spec.timeout_seconds, spec.grace_seconds) = (5, 0))
            .start();
        run.wait_for_line("hidden");
        assert!(runs_anywhere(&sleep));
        let run = run.finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(124), &Outcome::DeadlineExceeded),
            "{place:?}"
        );
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn what_the_program_leaves_behind_ends_with_it() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let run = Run::bash(&format!("{}; exit 4", hide(&sleep))).at(place).finish();
        assert_eq!((run.code, run.outcome()), (Some(4), &Outcome::Exited(4)), "{place:?}");
        assert_eq!(run.text(), "hidden\n");
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn a_stop_kills_what_ran_away() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let mut run = Run::bash(&format!("{}; read <> <(:)", hide(&sleep))).at(place).start();
        run.wait_for_line("hidden");
        run.signal(Signal::TERM);
        let run = run.finish();
        assert_eq!(
            run.outcome(),
            &Outcome::Stopped(Some(ProgramEnd::Signaled(9))),
            "{place:?}"
        );
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn a_stopped_process_is_killed_too() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let script = format!("sleep {sleep} & kill -STOP $!; kill -STOP $$");
        let run = Run::bash(&script)
            .at(place)
            .spec(|spec| (spec.timeout_seconds, spec.grace_seconds) = (1, 0))
            .finish();
        assert_eq!(run.outcome(), &Outcome::DeadlineExceeded, "{place:?}");
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

#[test]
fn a_program_that_forks_on_and_on_is_killed() {
    everywhere(|place| {
        let sleep = unique_sleep();
        let script = format!(
            "trap '' TERM; n=0; spawn() {{ ( sleep {sleep} & read -t 0.02 <> <(:); ((n++ < 500)) && spawn ) & }}
            spawn; exec sleep {sleep}"
        );
        let run = Run::bash(&script)
            .at(place)
            .spec(|spec| (spec.timeout_seconds, spec.grace_seconds) = (1, 0))
            .finish();
        assert_eq!(run.outcome(), &Outcome::DeadlineExceeded, "{place:?}");
        assert!(!runs_anywhere(&sleep), "{place:?}");
    });
}

/// Each orphan tells that it was adopted, and then the program waits until no dead child of ours is left unreaped.
#[test]
fn orphans_are_adopted_and_reaped() {
    let script = r#"
        parent() { local stat; { stat=$(</proc/$1/stat); } 2>/dev/null || return; stat=${stat##*) }; set -- $stat; echo $2 $1; }
        for i in 1 2 3 4 5; do
            ( ( me=$BASHPID; until read p s < <(parent $me); [ "$p" = $PPID ]; do :; done; echo adopted ) & )
        done
        dead() { for f in /proc/[0-9]*; do [ "$(parent ${f#/proc/})" = "$PPID Z" ] && echo $f; done; }
        until [ -z "$(dead)" ] && [ "$(grep -c . "$FOLDER/adopted" 2>/dev/null)" = 5 ]; do :; done
        echo reaped"#
        .replace("echo adopted", "echo adopted >>\"$FOLDER/adopted\"");
    everywhere(|place| {
        let run = Run::bash(&script).at(place);
        let folder = run.folder().to_owned();
        let run = run.variable("FOLDER", folder).finish();
        assert_eq!(
            (run.outcome(), run.text().as_str()),
            (&Outcome::Exited(0), "reaped\n"),
            "{place:?} {run:?}"
        );
    });
}
