//! How a run ends, and what its exit code and result say then.

use std::{fs, time::Duration};

use rustix::process::Signal;
use sandbox_protocol::{Outcome, Phase, ProgramEnd};

use crate::harness::{Place, Run, everywhere};

#[test]
fn the_programs_own_exit_code_passes_through() {
    everywhere(|place| {
        for code in [0, 1, 7, 124, 255] {
            let run = Run::bash(&format!("exit {code}")).at(place).finish();
            assert_eq!(
                (run.code, run.outcome()),
                (Some(code), &Outcome::Exited(code)),
                "{place:?}"
            );
        }
    });
}

#[test]
fn a_signal_is_told_from_an_exit() {
    everywhere(|place| {
        let run = Run::bash("kill -KILL $$").at(place).finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(137), &Outcome::Signaled(9)),
            "{place:?}"
        );
        let run = Run::bash("exit 137").at(place).finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(137), &Outcome::Exited(137)),
            "{place:?}"
        );
    });
}

#[test]
fn times_are_in_order() {
    let run = Run::bash("true").finish();
    let (started, finished) = (
        run.result.started_at_ms.expect("started"),
        run.result.finished_at_ms.expect("finished"),
    );
    let year_2020 = 1_577_836_800_000;
    assert!(started > year_2020 && started <= finished);
}

#[test]
fn the_deadline_lets_a_program_clean_up() {
    everywhere(|place| {
        let script = "trap 'echo cleaned; exit 3' TERM; exec 3<> <(:); while :; do read -t 0.05 -u 3; done";
        let run = Run::bash(script)
            .at(place)
            .spec(|spec| (spec.timeout_seconds, spec.grace_seconds) = (1, 30))
            .finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(124), &Outcome::DeadlineExceeded),
            "{place:?}"
        );
        assert_eq!(run.text(), "cleaned\n");
    });
}

#[test]
fn the_deadline_counts_from_the_programs_start() {
    let run = Run::bash("read <> <(:)")
        .spec(|spec| {
            spec.timeout_seconds = 1;
            spec.ready_command = Some(["bash", "-c", "read -t 1.2 <> <(:); true"].map(String::from).into());
        })
        .finish();
    assert_eq!(run.outcome(), &Outcome::DeadlineExceeded);
    let took = run.result.finished_at_ms.expect("finished") - run.result.started_at_ms.expect("started");
    assert!(took >= 1_000, "{took} ms");
}

#[test]
fn the_deadline_holds_while_nobody_reads_the_log() {
    let mut run = Run::bash("yes")
        .spec(|spec| (spec.timeout_seconds, spec.grace_seconds) = (1, 1))
        .start();
    let held = run.hold_output();
    let run = run.finish();
    drop(held);
    assert_eq!((run.code, run.outcome()), (Some(124), &Outcome::DeadlineExceeded));
    assert!(run.result.stdout.total_bytes > 0);
    let took = run.result.finished_at_ms.expect("finished") - run.result.started_at_ms.expect("started");
    assert!(took < 10_000, "{took} ms");
}

#[test]
fn a_stop_reaches_the_program_and_its_end_is_told() {
    everywhere(|place| {
        let script =
            "trap 'echo stopping; exit 5' TERM; exec 3<> <(:); echo ready; while :; do read -t 0.05 -u 3; done";
        let mut run = Run::bash(script).at(place).spec(|spec| spec.grace_seconds = 30).start();
        run.wait_for_line("ready");
        run.signal(Signal::TERM);
        let run = run.finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(143), &Outcome::Stopped(Some(ProgramEnd::Exited(5)))),
            "{place:?}"
        );
        assert_eq!(run.text(), "ready\nstopping\n");
    });
}

#[test]
fn a_stop_kills_what_does_not_listen() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut run = Run::bash("trap '' TERM; exec 3<> <(:); echo ready; while :; do read -t 0.05 -u 3; done").start();
        run.wait_for_line("ready");
        run.signal(signal);
        let run = run.finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(143), &Outcome::Stopped(Some(ProgramEnd::Signaled(9))))
        );
    }
}

#[test]
fn other_signals_are_passed_on() {
    everywhere(|place| {
        let script = "for s in HUP USR1 USR2 WINCH QUIT CONT; do trap \"echo got $s\" $s; done
            trap 'exit 0' ALRM; exec 3<> <(:); echo ready; while :; do read -t 0.05 -u 3; done";
        let mut run = Run::bash(script).at(place).start();
        run.wait_for_line("ready");
        let signals = [
            Signal::HUP,
            Signal::USR1,
            Signal::USR2,
            Signal::WINCH,
            Signal::QUIT,
            Signal::CONT,
        ];
        for (signal, name) in signals
            .into_iter()
            .zip(["HUP", "USR1", "USR2", "WINCH", "QUIT", "CONT"])
        {
            run.signal(signal);
            run.wait_for_line(&format!("got {name}"));
        }
        run.signal(Signal::TERM);
        assert_eq!(
            run.finish().outcome(),
            &Outcome::Stopped(Some(ProgramEnd::Signaled(15))),
            "{place:?}"
        );
    });
}

#[test]
fn an_interactive_sandbox_stays_until_its_deadline() {
    everywhere(|place| {
        let run = Run::interactive()
            .at(place)
            .spec(|spec| spec.timeout_seconds = 1)
            .finish();
        assert_eq!((run.code, run.outcome()), (Some(0), &Outcome::Completed), "{place:?}");
        let took = run.result.finished_at_ms.expect("finished") - run.result.started_at_ms.expect("started");
        assert!(took >= 1_000, "{took} ms");
    });
}

#[test]
fn an_interactive_sandbox_can_be_stopped_at_once() {
    everywhere(|place| {
        let run = Run::interactive()
            .at(place)
            .spec(|spec| spec.grace_seconds = 30)
            .start();
        let before = run.wait_for_result(|result| result.phase == Phase::Running);
        run.signal(Signal::TERM);
        let run = run.finish();
        assert_eq!(
            (run.code, run.outcome()),
            (Some(143), &Outcome::Stopped(None)),
            "{place:?}"
        );
        assert_eq!(run.result.started_at_ms, before.started_at_ms);
    });
}

/// The shape of an out-of-memory kill that takes the whole container: the last state is what remains.
#[test]
fn a_result_is_there_when_sandboxd_itself_is_killed() {
    for place in [Place::First, Place::Restricted] {
        let mut run = Run::bash("printf 'before\\n'; printf 'trouble\\n' >&2; read <> <(:)")
            .at(place)
            .start();
        run.wait_for_line("before");
        run.wait_for_result(|result| result.stdout.tail == b"before\n" && result.stderr.tail == b"trouble\n");
        run.signal(Signal::KILL);
        let left = run.wait().expect("a result");
        assert_eq!((left.phase, left.outcome), (Phase::Running, None));
        assert!(left.started_at_ms.is_some() && left.finished_at_ms.is_none());
        assert_eq!(left.stdout.tail, b"before\n");
    }
}

#[test]
fn a_forged_result_is_overwritten() {
    everywhere(|place| {
        let run = Run::bash("cat >\"$FILE\"; exit 9").at(place);
        let forged = "x".repeat(8_000) + &Run::bash("true").finish().result.encode();
        let file = run.result_file();
        let run = run.stdin(forged.as_bytes()).variable("FILE", &file).finish();
        assert_eq!(run.outcome(), &Outcome::Exited(9), "{place:?}");
        assert_eq!(fs::read_to_string(file).expect("result file"), run.result.encode());
    });
}

/// The limits of the last steps are for trouble; without any, none of them is waited out.
#[test]
fn a_clean_end_waits_for_nothing() {
    let best = (0..10).map(|_| {
        let began = std::time::Instant::now();
        Run::command(&["true"]).finish();
        began.elapsed()
    });
    assert!(best.min().expect("ten") < Duration::from_secs(1));
}
