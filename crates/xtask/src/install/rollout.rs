//! Restarts the operator when its image has new content under the same tag. What it was last started with is written
//! on its Deployment, where every kind of cluster keeps it.

use anyhow::Result;

use super::NAMESPACE;
use crate::cluster::kubectl::Kubectl;
use crate::command::Run;
use crate::stage::Stage;

const DEPLOYMENT: &str = "deployment/pinfold-operator";
const MARK: &str = "pinfold.dev/operator-image";
/// The letter tells a Deployment without the mark from none.
const QUESTION: &str = r"jsonpath=x{.metadata.annotations.pinfold\.dev/operator-image}";

/// The content that runs; nothing when no operator is installed, and empty when nobody wrote it down.
pub(super) fn recorded(kubectl: &Kubectl) -> Result<Option<String>> {
    let answer = within(kubectl.silent())
        .args(["get", DEPLOYMENT, "--ignore-not-found", "--output", QUESTION])
        .output()?;
    Ok(answer.trim().strip_prefix('x').map(str::to_owned))
}

/// `before` is what was recorded before the chart was applied.
pub(super) fn follow(stage: &Stage, kubectl: &Kubectl, before: Option<&str>, content: &str) -> Result<()> {
    if must_restart(before, content) {
        stage.note("restart the operator");
        within(kubectl.run(stage))
            .args(["rollout", "restart", DEPLOYMENT])
            .run()?;
        within(kubectl.run(stage))
            .args(["rollout", "status", DEPLOYMENT, "--timeout=120s"])
            .run()?;
    }
    // Last: a run that is killed before it restarts once too often, and never once too seldom.
    within(kubectl.run(stage))
        .args(["annotate", DEPLOYMENT, "--overwrite", &format!("{MARK}={content}")])
        .run()
}

fn must_restart(before: Option<&str>, content: &str) -> bool {
    before.is_some_and(|known| known != content)
}

fn within(kubectl: Run) -> Run {
    kubectl.args(["--namespace", NAMESPACE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_operator_needs_no_restart_and_an_unknown_one_does() {
        assert!(!must_restart(None, "a"));
        assert!(!must_restart(Some("a"), "a"));
        assert!(must_restart(Some(""), "a"));
        assert!(must_restart(Some("b"), "a"));
        assert!(QUESTION.contains(&MARK.replace('.', r"\.")));
    }
}
