//! The table of a run's life, and what must hold for every run, pod and time.

use std::sync::Arc;

use crds::SandboxRun;
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use sandbox_protocol::{Outcome, Phase, ProgramEnd, RunResult, StreamTail};
use serde_json::{Value, json};

use super::*;
use crate::{
    sandbox_run::{build::Injected, refusal::Refusal},
    testing::{at, run, validated_run},
};

const SPEC: &str = "{image: x, command: [a]}";

fn fetched(run: SandboxRun, pod: PodState) -> Fetched {
    Fetched {
        run: Arc::new(run),
        pod,
        suspended: None,
        plan: validated_run(SPEC, None, "{}").map(Box::new),
        concurrent_runs: 1,
        injected: Some(Injected::ImageVolume),
        trouble: None,
        stop: false,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the callers write the value in place")]
fn pod(status: Value) -> PodState {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": "run-uid-of-answer", "namespace": "tenant-acme", "uid": "uid-of-pod",
            "creationTimestamp": at(0), "finalizers": [labels::RESULT_FINALIZER],
        },
        "spec": {"containers": [], "nodeName": "node"},
        "status": status,
    }))
    .unwrap();
    PodState::There(Arc::new(pod))
}

fn running() -> PodState {
    pod(json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [container(&json!({"running": {"startedAt": at(1)}}))],
    }))
}

fn container(state: &Value) -> Value {
    json!({"name": "sandbox", "image": "x", "imageID": "", "ready": true, "restartCount": 0, "state": state})
}

fn ended(outcome: Outcome, container_reason: &str) -> PodState {
    let code = outcome.exit_code();
    let message = RunResult {
        phase: Phase::Done,
        outcome: Some(outcome),
        started_at_ms: Some(1_800_000_001_000),
        finished_at_ms: Some(1_800_000_003_250),
        stdout: StreamTail {
            tail: b"42\n".to_vec(),
            total_bytes: 3,
        },
        stderr: StreamTail::default(),
    };
    terminated(i32::from(code), container_reason, &message.encode())
}

fn terminated(code: i32, reason: &str, message: &str) -> PodState {
    let state = json!({"terminated": {
        "exitCode": code, "reason": reason, "message": message, "startedAt": at(1), "finishedAt": at(4),
    }});
    pod(json!({"phase": "Failed", "containerStatuses": [container(&state)]}))
}

type Told = (&'static str, bool, bool, Option<i32>, Option<i32>);

/// What a report says of the end: reason, succeeded, started, exit code, signal.
fn end_of(decision: &Decision) -> (String, bool, bool, Option<i32>, Option<i32>) {
    let Step::WriteStatus(report) = &decision.step else {
        panic!("no report: {decision:?}")
    };
    let ending = report.ending.clone().expect("an end");
    (
        ending.reason,
        ending.succeeded,
        ending.started,
        ending.exit_code,
        ending.signal,
    )
}

fn report_of(decision: Decision) -> Report {
    let Step::WriteStatus(report) = decision.step else {
        panic!("no report: {decision:?}")
    };
    *report
}

/// The run after a report was stored.
fn after(run: &SandboxRun, report: &Report) -> SandboxRun {
    let mut run = run.clone();
    let status = run.status.get_or_insert_default();
    status.conditions = condition::merge(&status.conditions, &report.findings, Some(1), at(5));
    status.reason = Some(report.reason.clone());
    status.message = Some(report.message.clone());
    status.pod_name = report.pod.as_ref().map(|p| p.0.clone()).or(status.pod_name.take());
    status.finish_time = report.ending.as_ref().and_then(|e| e.finish_time);
    run
}

#[test]
fn an_ordinary_life_takes_three_reports() {
    let new = run(SPEC);
    assert_eq!(
        decide(&fetched(new.clone(), PodState::NotMade), at(0)).step,
        Step::CreatePod
    );

    let starting = report_of(decide(&fetched(new.clone(), pod(json!({"phase": "Pending"}))), at(0)));
    assert_eq!(starting.reason, reason::STARTING);
    let admitted = after(&new, &starting);
    assert_eq!(
        decide(&fetched(admitted.clone(), pod(json!({"phase": "Pending"}))), at(0)).step,
        Step::Nothing
    );

    let soon = decide(&fetched(admitted.clone(), running()), at(1));
    assert_eq!((soon.step, soon.again), (Step::Nothing, Some(Duration::from_secs(1))));
    let started = report_of(decide(&fetched(admitted.clone(), running()), at(2)));
    assert_eq!(
        (started.reason.as_str(), started.start_time),
        (reason::RUNNING, Some(at(1)))
    );
    let started = after(&admitted, &started);
    assert_eq!(
        decide(&fetched(started.clone(), running()), at(2)),
        Decision {
            step: Step::Nothing,
            again: None
        }
    );

    let finished = report_of(decide(
        &fetched(started.clone(), ended(Outcome::Exited(0), "Completed")),
        at(5),
    ));
    let ending = finished.ending.clone().unwrap();
    assert_eq!(
        (ending.reason.as_str(), ending.duration().as_deref()),
        (reason::COMPLETED, Some("2.250s"))
    );
    let finished = after(&started, &finished);
    let done = ended(Outcome::Exited(0), "Completed");
    assert_eq!(
        decide(&fetched(finished.clone(), done.clone()), at(5)),
        Decision {
            step: Step::Nothing,
            again: Some(Duration::from_secs(10))
        },
        "results come before tidiness"
    );
    assert_eq!(decide(&fetched(finished.clone(), done), at(15)).step, Step::ReleasePod);
    assert_eq!(
        decide(&fetched(finished, PodState::NotMade), at(5)),
        Decision {
            step: Step::Nothing,
            again: None
        }
    );
}

#[test]
fn how_each_end_is_told() {
    let no = None;
    let table: Vec<(PodState, Told)> = vec![
        (
            ended(Outcome::Exited(0), "Completed"),
            (reason::COMPLETED, true, true, Some(0), no),
        ),
        (
            ended(Outcome::Exited(7), "Error"),
            (reason::FAILED, false, true, Some(7), no),
        ),
        (
            ended(Outcome::Signaled(11), "Error"),
            (reason::FAILED, false, true, no, Some(11)),
        ),
        (
            ended(Outcome::Signaled(9), "OOMKilled"),
            (reason::OOM_KILLED, false, true, no, Some(9)),
        ),
        // The runtime tells it too late.
        (
            ended(Outcome::OutOfMemory, "Error"),
            (reason::OOM_KILLED, false, true, no, Some(9)),
        ),
        (
            ended(Outcome::Exited(0), "OOMKilled"),
            (reason::COMPLETED, true, true, Some(0), no),
        ),
        (
            ended(Outcome::DeadlineExceeded, "Error"),
            (reason::DEADLINE_EXCEEDED, false, true, no, no),
        ),
        (
            ended(Outcome::Completed, "Completed"),
            (reason::COMPLETED, true, true, no, no),
        ),
        (
            ended(Outcome::Stopped(Some(ProgramEnd::Exited(3))), "Error"),
            (reason::POD_DELETED, false, true, Some(3), no),
        ),
        (
            ended(
                Outcome::StartFailed {
                    exit_code: 127,
                    message: "not found".into(),
                },
                "Error",
            ),
            (reason::START_ERROR, false, false, Some(127), no),
        ),
        (
            terminated(137, "OOMKilled", ""),
            (reason::OOM_KILLED, false, false, no, no),
        ),
        (
            terminated(128, "StartError", "exec format error"),
            (reason::START_ERROR, false, false, no, no),
        ),
        (
            pod(json!({"phase": "Failed", "reason": "Evicted"})),
            (reason::EVICTED, false, false, no, no),
        ),
        (
            pod(json!({"phase": "Failed", "reason": "OutOfcpu"})),
            (reason::POD_REJECTED, false, false, no, no),
        ),
        // A runtime that has lost its container, as after the node was started anew.
        (
            terminated(255, "Unknown", &under_way_message()),
            (reason::FAILED, false, true, no, no),
        ),
        (
            terminated(255, "Error", &forged(Outcome::Exited(70_000))),
            (reason::FAILED, false, true, no, no),
        ),
        (
            terminated(200, "Error", &forged(Outcome::Signaled(72))),
            (reason::FAILED, false, true, no, no),
        ),
        (PodState::Gone, (reason::POD_LOST, false, false, no, no)),
    ];
    for (pod, (reason, succeeded, started, exit_code, signal)) in table {
        let shown = format!("{pod:?}");
        let wanted = (reason.to_owned(), succeeded, started, exit_code, signal);
        assert_eq!(end_of(&decide(&fetched(run(SPEC), pod), at(5))), wanted, "{shown}");
    }
}

/// What `sandboxd` has written while the program runs.
fn under_way_message() -> String {
    RunResult {
        phase: Phase::Running,
        outcome: None,
        started_at_ms: Some(1_800_000_001_000),
        finished_at_ms: None,
        stdout: StreamTail::default(),
        stderr: StreamTail::default(),
    }
    .encode()
}

/// What a program may have written in its place.
fn forged(outcome: Outcome) -> String {
    RunResult {
        phase: Phase::Done,
        outcome: Some(outcome),
        started_at_ms: Some(0),
        finished_at_ms: Some(253_402_200_000_000),
        stdout: StreamTail::default(),
        stderr: StreamTail::default(),
    }
    .encode()
}

/// The ninth millennium in a message must not end the operator, nor keep a run for ever.
#[test]
fn forged_times_are_kept_within_the_kubelets() {
    let pod = terminated(137, "OOMKilled", &forged(Outcome::Exited(0)));
    let spec = "{image: x, command: [a], ttlSecondsAfterFinished: 31536000}";
    let report = report_of(decide(&fetched(run(spec), pod.clone()), at(5)));
    let ending = report.ending.clone().unwrap();
    assert_eq!((ending.start_time, ending.finish_time), (Some(at(1)), Some(at(5))));

    let mut stored = after(&run(spec), &report);
    stored.status.as_mut().unwrap().finish_time = Some(jiff::Timestamp::MAX);
    assert_eq!(decide(&fetched(stored.clone(), pod), at(15)).step, Step::ReleasePod);
    let never = decide(&fetched(stored, PodState::NotMade), at(6));
    assert_eq!(never.step, Step::Nothing);
}

#[test]
fn a_pod_that_was_seen_too_late_is_ended() {
    let canceled = run("{image: x, command: [a], cancel: true}");
    let told = report_of(decide(&fetched(canceled.clone(), PodState::NotMade), at(0)));
    let over = after(&canceled, &told);
    assert_eq!(decide(&fetched(over.clone(), running()), at(1)).step, Step::DeletePod);
    let stopped = ended(Outcome::Stopped(None), "Error");
    assert_eq!(decide(&fetched(over, stopped), at(15)).step, Step::ReleasePod);
}

#[test]
fn what_has_started_stays_started() {
    let new = run(SPEC);
    let started = after(&new, &report_of(decide(&fetched(new.clone(), running()), at(2))));
    let unready = pod(json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [container(&json!({"running": {"startedAt": at(1)}}))],
    }));
    let report = report_of(decide(&fetched(started.clone(), unready.clone()), at(300)));
    let told = after(&started, &report).status.unwrap().conditions;
    assert!(condition::is_true(&told, condition_type::STARTED));
    assert!(!condition::is_true(&told, condition_type::POD_READY));
    assert_eq!(report.reason, reason::RUNNING);
}

#[test]
fn an_interactive_sandbox_is_reported_at_once() {
    let report = report_of(decide(&fetched(run("{image: x}"), running()), at(1)));
    assert_eq!(report.reason, reason::RUNNING);
}

#[test]
fn a_sandbox_that_is_never_ready_has_not_started() {
    let mut state = container(&json!({"running": {"startedAt": at(1)}}));
    state["started"] = json!(false);
    state["ready"] = json!(false);
    let waiting = pod(json!({"phase": "Running", "containerStatuses": [state]}));
    let new = run(SPEC);
    let known = after(&new, &report_of(decide(&fetched(new.clone(), waiting.clone()), at(2))));
    assert!(!condition::is_true(
        &known.status.as_ref().unwrap().conditions,
        condition_type::STARTED
    ));
    assert_eq!(
        decide(&fetched(known.clone(), waiting.clone()), at(119)).step,
        Step::Nothing
    );
    assert_eq!(decide(&fetched(known, waiting), at(120)).step, Step::DeletePod);
}

#[test]
fn a_forged_success_is_not_believed() {
    let PodState::There(honest) = ended(Outcome::Exited(0), "Error") else {
        panic!()
    };
    let mut forged = (*honest).clone();
    let status = forged.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
    status[0].state.as_mut().unwrap().terminated.as_mut().unwrap().exit_code = 137;
    let decision = decide(&fetched(run(SPEC), PodState::There(Arc::new(forged))), at(5));
    assert!(!end_of(&decision).1, "{decision:?}");
}

#[test]
fn cancel_and_suspension() {
    let canceled = run("{image: x, command: [a], cancel: true}");
    assert_eq!(
        end_of(&decide(&fetched(canceled.clone(), PodState::NotMade), at(0))).0,
        reason::CANCELED
    );
    let known = after(
        &canceled,
        &report_of(decide(&fetched(canceled.clone(), running()), at(2))),
    );
    assert_eq!(decide(&fetched(known.clone(), running()), at(1)).step, Step::DeletePod);
    let stopped = ended(Outcome::Stopped(Some(ProgramEnd::Signaled(15))), "Error");
    assert_eq!(
        end_of(&decide(&fetched(known, stopped), at(2))),
        (reason::CANCELED.into(), false, true, None, Some(15))
    );

    let mut suspended = fetched(run(SPEC), PodState::NotMade);
    suspended.suspended = Some("unpaid".into());
    assert_eq!(end_of(&decide(&suspended, at(0))).0, reason::TENANT_SUSPENDED);
}

#[test]
fn what_does_not_start_in_time_ends_with_what_kept_it() {
    let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
    let stuck = || pod(json!({"phase": "Pending", "containerStatuses": [container(&waiting)]}));
    let new = run(SPEC);
    let known = after(&new, &report_of(decide(&fetched(new.clone(), stuck()), at(1))));
    assert_eq!(
        known.status.as_ref().unwrap().reason.as_deref(),
        Some(reason::IMAGE_ERROR)
    );
    let before = decide(&fetched(known.clone(), stuck()), at(119));
    assert_eq!(
        (before.step, before.again),
        (Step::Nothing, Some(Duration::from_secs(1)))
    );
    assert_eq!(decide(&fetched(known.clone(), stuck()), at(120)).step, Step::DeletePod);
    let PodState::There(leaving) = stuck() else { panic!() };
    let mut leaving = (*leaving).clone();
    leaving.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(121)));
    leaving.spec.as_mut().unwrap().node_name = None;
    let decision = decide(&fetched(known, PodState::There(Arc::new(leaving))), at(122));
    assert_eq!(end_of(&decision).0, reason::IMAGE_ERROR);
}

/// As under an init container: the kubelet says of one that never began that it failed, once the pod is deleted.
#[test]
fn what_kept_it_outlives_the_deletion_of_its_pod() {
    let mut stuck = run(SPEC);
    stuck.status = Some(crds::SandboxRunStatus {
        reason: Some(reason::USER_NAMESPACE_UNSUPPORTED.into()),
        message: Some("no user namespaces".into()),
        pod_name: Some("run-uid-of-answer".into()),
        ..crds::SandboxRunStatus::default()
    });
    let over = pod(json!({
        "phase": "Failed",
        "initContainerStatuses": [container(&json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}))],
    }));
    assert_eq!(
        end_of(&decide(&fetched(stuck, over), at(121))).0,
        reason::USER_NAMESPACE_UNSUPPORTED
    );
}

#[test]
fn refusals_wait_or_end() {
    let with = |plan: Refusal| {
        let mut fetched = fetched(run(SPEC), PodState::NotMade);
        fetched.plan = Err(plan);
        report_of(decide(&fetched, at(0)))
    };
    let waits = with(Refusal::wait(reason::QUOTA_EXCEEDED, "full".into()));
    assert_eq!((waits.reason.as_str(), waits.ending), (reason::QUOTA_EXCEEDED, None));
    let ends = with(Refusal::invalid("spec.x: wrong".into()));
    assert_eq!(
        (ends.reason.as_str(), ends.ending.map(|e| e.started)),
        (reason::INVALID_SPEC, Some(false))
    );
}

/// Whoever deletes the pod or the run, or gave the run no life after its end, does not wait for our tidying.
#[test]
fn a_pod_that_is_to_go_is_let_go_at_once() {
    let finished = |spec: &str| {
        after(
            &run(spec),
            &report_of(decide(&fetched(run(spec), PodState::Gone), at(5))),
        )
    };
    let deleted = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(6)));
    let done = || ended(Outcome::Exited(0), "Completed");
    let step = |run: SandboxRun, pod: PodState, now: i64| decide(&fetched(run, pod), at(now)).step;
    assert_eq!(step(finished(SPEC), done(), 6), Step::Nothing);
    let PodState::There(pod) = done() else { panic!("a pod") };
    let mut going = (*pod).clone();
    going.metadata.deletion_timestamp.clone_from(&deleted);
    assert_eq!(step(finished(SPEC), PodState::There(going.into()), 6), Step::ReleasePod);
    let mut run = finished(SPEC);
    run.metadata.deletion_timestamp = deleted;
    assert_eq!(step(run, done(), 6), Step::ReleasePod);
    let short = "{image: x, command: [a], ttlSecondsAfterFinished: 2}";
    assert_eq!(step(finished(short), done(), 6), Step::Nothing);
    assert_eq!(step(finished(short), done(), 7), Step::ReleasePod);
}

#[test]
fn time_to_live() {
    let mut done = after(
        &run("{image: x, command: [a], ttlSecondsAfterFinished: 60}"),
        &report_of(decide(&fetched(run(SPEC), PodState::Gone), at(10))),
    );
    let look = decide(&fetched(done.clone(), PodState::NotMade), at(40));
    assert_eq!((look.step, look.again), (Step::Nothing, Some(Duration::from_secs(30))));
    assert_eq!(
        decide(&fetched(done.clone(), PodState::NotMade), at(70)).step,
        Step::DeleteRun
    );
    done.spec.ttl_seconds_after_finished = None;
    assert_eq!(decide(&fetched(done, PodState::NotMade), at(9999)).step, Step::Nothing);
}

fn any_pod() -> impl Strategy<Value = PodState> {
    let state = prop_oneof![
        Just(json!({})),
        Just(json!({"waiting": {"reason": "ContainerCreating"}})),
        Just(json!({"waiting": {"reason": "ImagePullBackOff"}})),
        Just(json!({"running": {}})),
        (0..256_i32, ".{0,30}")
            .prop_map(|(code, message)| json!({"terminated": {"exitCode": code, "message": message}})),
    ];
    let phase = prop_oneof![
        Just("Pending"),
        Just("Running"),
        Just("Succeeded"),
        Just("Failed"),
        Just("Unknown")
    ];
    let made =
        (phase, state, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(phase, state, ready, gone, placed)| {
            let PodState::There(made) = pod(json!({
                "phase": phase,
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
                "containerStatuses": [container(&state)],
            })) else {
                return PodState::Gone;
            };
            let mut made = (*made).clone();
            made.metadata.deletion_timestamp =
                gone.then(|| k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(20)));
            if !placed {
                made.spec.as_mut().unwrap().node_name = None;
            }
            PodState::There(Arc::new(made))
        });
    prop_oneof![Just(PodState::NotMade), Just(PodState::Gone), made]
}

proptest! {
    /// Carrying decisions out for ever never makes a second pod and never takes an end back; and once the pod tells
    /// nothing new, there is nothing to do.
    #[test]
    fn a_run_ends_once_and_never_runs_twice(pods in prop::collection::vec((any_pod(), 0_i64..400), 1..12), cancel in any::<bool>()) {
        let mut now = 0;
        let mut run = run(SPEC);
        run.spec.cancel = cancel;
        let mut made = false;
        let mut end: Option<String> = None;
        for (mut pod, later) in pods {
            now += later;
            // Once there was a pod, it is there or gone.
            if made && matches!(pod, PodState::NotMade) { pod = PodState::Gone; }
            made |= matches!(pod, PodState::There(_));
            for _ in 0..8 {
                let decision = decide(&fetched(run.clone(), pod.clone()), at(now));
                match decision.step {
                    Step::CreatePod => {
                        prop_assert!(!made && end.is_none());
                        made = true;
                        break;
                    }
                    Step::WriteStatus(report) => {
                        prop_assert!(end.is_none(), "an end is final");
                        let had = run.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, condition_type::STARTED));
                        let has = report.findings.iter().find(|f| f.type_ == condition_type::STARTED);
                        prop_assert!(!had || has.is_none_or(|f| f.status == ConditionStatus::True), "what has started stays started");
                        end = report.ending.as_ref().map(|e| e.reason.clone());
                        run = after(&run, &report);
                    }
                    Step::ReleasePod => { prop_assert!(end.is_some(), "the result is stored first"); break; }
                    Step::DeleteRun => prop_assert!(false, "no time to live was given"),
                    Step::DeletePod | Step::Nothing => break,
                }
            }
            let again = decide(&fetched(run.clone(), pod), at(now)).step;
            prop_assert!(!matches!(again, Step::WriteStatus(_)), "the same facts are reported once: {:?}", again);
        }
    }
}
