//! What somebody sees who has never seen the project, through kubectl.

use std::{env, process::Command};

use serde_json::json;
use support::cluster;

use crate::world::World;

fn kubectl(user: &str, arguments: &[&str]) -> String {
    let program = env::var("PINFOLD_KUBE_BIN").expect("PINFOLD_KUBE_BIN: run cargo xtask test e2e");
    let out = Command::new(program)
        .arg("kubectl")
        .env("KUBECONFIG", cluster::kubeconfig(user))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "kubectl {arguments:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn columns(table: &str) -> Vec<&str> {
    table.lines().next().unwrap().split_whitespace().collect()
}

#[tokio::test]
async fn columns_short_names_and_categories() {
    let world = World::new().await;
    world
        .start("answer", json!({"template": "base", "command": ["echo", "42"]}))
        .await;
    world.finished("answer").await;
    let namespace = world.namespace();
    let tenants = kubectl("admin", &["get", "tenants", &world.tenant]);
    assert_eq!(
        columns(&tenants),
        ["NAME", "NAMESPACE", "PLAN", "READY", "REASON", "AGE"]
    );
    let row: Vec<&str> = tenants.lines().nth(1).unwrap().split_whitespace().take(5).collect();
    assert_eq!(row, [world.tenant.as_str(), &namespace, "standard", "True", "Ready"]);

    let runs = kubectl("carol", &["get", "pfr", "-n", &namespace]);
    assert_eq!(
        columns(&runs),
        ["NAME", "TEMPLATE", "READY", "REASON", "EXIT", "DURATION", "AGE"]
    );
    let row: Vec<&str> = runs.lines().nth(1).unwrap().split_whitespace().take(5).collect();
    assert_eq!(row, ["answer", "base", "True", "Completed", "0"]);

    let all = kubectl("admin", &["get", "pinfold", "-n", &namespace, "-o", "name"]);
    assert_eq!(
        all.lines().filter(|l| l.starts_with("sandboxrun")).collect::<Vec<_>>(),
        ["sandboxrun.pinfold.dev/answer"]
    );
    let describe = kubectl("carol", &["describe", "sandboxrun", "answer", "-n", &namespace]);
    assert!(describe.contains("the program exited with 0"), "{describe}");
}

#[tokio::test]
async fn every_field_explains_itself() {
    for kind in ["tenants", "agents", "sandboxtemplates", "sandboxruns"] {
        let text = kubectl("mallory", &["explain", &format!("{kind}.spec")]);
        assert!(!text.contains("<no description>"), "{text}");
    }
    let text = kubectl("mallory", &["explain", "sandboxrun.spec.timeoutSeconds"]);
    assert!(text.contains("in seconds") && text.contains("Default: 300"), "{text}");
}
