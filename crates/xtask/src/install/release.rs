//! Frees a helm release that a killed run left in the middle of an operation: helm refuses every later one.

use anyhow::Result;

use super::NAMESPACE;
use crate::cluster::kubectl::Kubectl;
use crate::stage::{Stage, Ui};

/// Version, status and name of every Secret that holds a revision.
const REVISIONS: &str =
    r#"jsonpath={range .items[*]}{.metadata.labels.version} {.metadata.labels.status} {.metadata.name}{"\n"}{end}"#;

/// Takes back the last revision when it was never finished. The objects stay, and the next upgrade adopts them;
/// an uninstall would take the definitions and with them every object of their kinds.
pub(super) fn free(ui: &Ui, stage: &Stage, kubectl: &Kubectl, release: &str) -> Result<()> {
    let revisions = kubectl
        .silent()
        .args(["--namespace", NAMESPACE, "get", "secrets"])
        .args([
            "--selector",
            &format!("owner=helm,name={release}"),
            "--output",
            REVISIONS,
        ])
        .output()?;
    let Some(secret) = unfinished(&revisions) else {
        return Ok(());
    };
    ui.say(&format!(
        "a run that was killed left an unfinished revision of {release}: {secret} is removed"
    ));
    kubectl
        .run(stage)
        .args(["--namespace", NAMESPACE, "delete", "secret", secret])
        .run()
}

/// The Secret of the latest revision, when that one is pending.
fn unfinished(revisions: &str) -> Option<&str> {
    let (_, status, secret) = revisions
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let version: u32 = words.next()?.parse().ok()?;
            Some((version, words.next()?, words.next()?))
        })
        .max()?;
    status.starts_with("pending-").then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_revision_can_be_unfinished() {
        let pending = "9 superseded sh.helm.release.v1.x.v9\n10 pending-upgrade sh.helm.release.v1.x.v10\n";
        assert_eq!(unfinished(pending), Some("sh.helm.release.v1.x.v10"));
        let later = "9 pending-install sh.helm.release.v1.x.v9\n10 deployed sh.helm.release.v1.x.v10\n";
        assert_eq!(unfinished(later), None);
        assert_eq!(unfinished(""), None);
    }
}
