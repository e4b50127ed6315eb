//! What a program may not exceed: time, memory, room in the status.

use serde_json::json;

use crate::world::{World, end, ended};

#[tokio::test]
async fn the_deadline_ends_the_whole_tree() {
    let world = World::new().await;
    let code =
        "trap '' TERM; (trap '' TERM; setsid sleep 1000 & sleep 1000) & echo started; while :; do sleep 1000; done";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code, "timeoutSeconds": 2}))
        .await;
    assert_eq!(end(&run), ended("DeadlineExceeded", None, None, "started\n", ""));
    let status = run.status.unwrap();
    let took = status
        .finish_time
        .unwrap()
        .duration_since(status.start_time.unwrap())
        .as_secs_f64();
    // SB-13: two seconds and the grace of ten; a program that ignores SIGTERM gets no more than five beyond.
    assert!((12.0..17.0).contains(&took), "{took}");
}

#[tokio::test]
async fn a_program_that_listens_ends_at_its_deadline() {
    let world = World::new().await;
    let code = "trap 'echo bye; exit 3' TERM; echo started; sleep 1000 & wait";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code, "timeoutSeconds": 1}))
        .await;
    assert_eq!(end(&run), ended("DeadlineExceeded", None, None, "started\nbye\n", ""));
}

#[tokio::test]
async fn an_interactive_sandbox_stays_until_its_deadline() {
    let world = World::new().await;
    world
        .start("shell", json!({"template": "base", "timeoutSeconds": 4}))
        .await;
    let run = world.reason_is("shell", "Running").await;
    assert!(run.status.unwrap().address.unwrap().parse::<std::net::IpAddr>().is_ok());
    assert_eq!(
        end(&world.finished("shell").await),
        ended("Completed", None, None, "", "")
    );
}

#[tokio::test]
async fn memory() {
    let world = World::new().await;
    let resources = json!({"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}});
    let code = "print('before', flush=True)\nx = bytearray(512 * 1024 * 1024)\nprint('after')";
    let run = world
        .run(json!({"template": "python", "language": "python", "code": code, "resources": resources}))
        .await;
    let end = end(&run);
    assert_eq!((end.reason.as_str(), end.stdout.as_str()), ("OOMKilled", "before\n"));
}

#[tokio::test]
async fn a_hundred_megabytes_of_output() {
    let world = World::new().await;
    // In lines of a usual length: the node's log keeper works line by line.
    let code = "yes \"$(printf '%0119d')\" | head -c 100000000; echo; echo the end";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code}))
        .await;
    let out = run.status.unwrap().stdout.unwrap();
    assert_eq!((out.truncated, out.total_bytes), (true, 100_000_009));
    assert!(
        out.text.ends_with("\nthe end\n") && out.text.len() >= 1024,
        "{}",
        out.text.len()
    );
}

#[tokio::test]
async fn output_that_is_not_text() {
    let world = World::new().await;
    let code = r"printf 'a\xff\xfeb\x00c\x1b[1m'; head -c 5000 /dev/urandom >&2";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code}))
        .await;
    let status = run.status.unwrap();
    assert_eq!(status.stdout.unwrap().text, "a\u{fffd}\u{fffd}b\u{fffd}c\u{1b}[1m");
    let err = status.stderr.unwrap();
    assert_eq!((err.truncated, err.total_bytes), (true, 5000));
}

#[tokio::test]
async fn both_ends_of_the_output_have_room() {
    let world = World::new().await;
    let code = "head -c 50000 /dev/zero | tr '\\0' o; head -c 50000 /dev/zero | tr '\\0' e >&2";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code}))
        .await;
    let end = end(&run);
    assert!(
        end.stdout.len() >= 1024 && end.stdout.bytes().all(|b| b == b'o'),
        "{}",
        end.stdout.len()
    );
    assert!(
        end.stderr.len() >= 1024 && end.stderr.bytes().all(|b| b == b'e'),
        "{}",
        end.stderr.len()
    );
}
