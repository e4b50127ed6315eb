//! Programs answer: in three languages, by argv, on images with little or nothing in them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::json;

use crate::world::{World, end, ended};

#[tokio::test]
async fn code_in_three_languages() {
    let world = World::new().await;
    let (python, bash, node) = tokio::join!(
        world.run(json!({"template": "python", "language": "python", "code": "import sys\nprint(6 * 7)\nprint('oops', file=sys.stderr)"})),
        world.run(json!({"template": "base", "language": "bash", "code": "echo $((6 * 7)); echo oops >&2"})),
        world.run(json!({"template": "node", "language": "javascript", "code": "console.log(6 * 7); console.error('oops')"})),
    );
    for run in [python, bash, node] {
        assert_eq!(end(&run), ended("Completed", Some(0), None, "42\n", "oops\n"));
        let status = run.status.unwrap();
        // A list that is a map by type: who ends before it was seen to begin has them in another order.
        let holds: BTreeMap<String, String> = status
            .conditions
            .iter()
            .map(|c| (c.type_.clone(), format!("{:?}", c.status)))
            .collect();
        let wanted = [
            ("Admitted", "True"),
            ("PodReady", "False"),
            ("Started", "True"),
            ("Finished", "True"),
            ("Succeeded", "True"),
        ];
        assert_eq!(holds, wanted.map(|(t, s)| (t.to_owned(), s.to_owned())).into());
        assert!(status.duration.unwrap().ends_with('s'));
        assert!(status.start_time.unwrap() <= status.finish_time.unwrap());
    }
}

#[tokio::test]
async fn a_command_with_stdin() {
    let world = World::new().await;
    let run = world
        .run(json!({"template": "base", "command": ["wc", "-w"], "stdin": "one two three"}))
        .await;
    assert_eq!(end(&run), ended("Completed", Some(0), None, "3\n", ""));
}

#[tokio::test]
async fn without_stdin_the_input_is_empty() {
    let world = World::new().await;
    let run = world.run(json!({"template": "base", "command": ["cat"]})).await;
    assert_eq!(end(&run), ended("Completed", Some(0), None, "", ""));
}

#[tokio::test]
async fn the_environment_reaches_the_program_verbatim() {
    let world = World::new().await;
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "keys"}, "stringData": {"api": "s3cret$$"}})).unwrap();
    world
        .api::<Secret>()
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let run = world
        .run(json!({
            "template": "base",
            "command": ["bash", "-c", "printf '%s|%s|' \"$A\" \"$KEY\"; echo $$ '$(HOME)'; env | grep -c ^PINFOLD_; pwd; id -u"],
            "env": [
                {"name": "A", "value": "$$ $(B) $(A) $X"},
                {"name": "B", "value": "never"},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "api"}}},
            ],
        }))
        .await;
    let end = end(&run);
    let pid = end
        .stdout
        .split('|')
        .nth(2)
        .and_then(|rest| rest.split(' ').next())
        .unwrap()
        .to_owned();
    assert!(pid.parse::<u32>().unwrap() > 1, "{end:?}");
    assert_eq!(
        end.stdout,
        format!("$$ $(B) $(A) $X|s3cret$$|{pid} $(HOME)\n0\n/home/user\n1000\n")
    );
}

#[tokio::test]
async fn no_credential_is_in_the_sandbox() {
    let world = World::new().await;
    let code = "ls /var/run/secrets /run/secrets 2>/dev/null; env | grep -i -E 'token|secret'; grep -c secret /proc/mounts; cat /proc/1/environ 2>&1 | head -c 60";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code}))
        .await;
    assert_eq!(end(&run).stdout, "0\ncat: /proc/1/environ: Permission denied\n");
}

#[tokio::test]
async fn exit_codes_and_signals() {
    let world = World::new().await;
    let bash = |code: &str| json!({"template": "base", "language": "bash", "code": code});
    let (seven, killed, missing, folder) = tokio::join!(
        world.run(bash("echo out; exit 7")),
        world.run(bash("echo out; kill -SEGV $$")),
        world.run(json!({"template": "base", "command": ["no-such-program"]})),
        world.run(json!({"template": "base", "command": ["/home"]})),
    );
    assert_eq!(end(&seven), ended("Failed", Some(7), None, "out\n", ""));
    assert_eq!(end(&killed), ended("Failed", None, Some(11), "out\n", ""));
    assert_eq!(
        (end(&missing).reason.as_str(), end(&missing).exit_code),
        ("StartError", Some(127))
    );
    assert!(missing.status.unwrap().message.unwrap().contains("no-such-program"));
    assert_eq!(
        (end(&folder).reason.as_str(), end(&folder).exit_code),
        ("StartError", Some(126))
    );
}

#[tokio::test]
async fn an_image_with_nothing_in_it() {
    let world = World::new().await;
    let run = world
        .run(json!({"image": "pinfold.dev/sandboxd:dev", "command": ["/sandboxd", "canary"]}))
        .await;
    assert_eq!(
        end(&run),
        ended("Completed", Some(0), None, "sandboxd canary: executed\n", "")
    );
}

#[tokio::test]
async fn an_image_with_little_more_than_a_shell_runs_as_nobody_known() {
    let world = World::new().await;
    let run = world.run(json!({"image": "pinfold.dev/debian:dev", "command": ["sh", "-c", "id -u; pwd; touch /tmp/x && echo wrote"]})).await;
    assert_eq!(end(&run).stdout, "65532\n/\nwrote\n");
}
