//! The Debian packages that the cluster and the images need; installed only when one is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};

use crate::command::Run;
use crate::stage::Ui;

const DPKG_JOURNAL: &str = "/var/lib/dpkg/updates";
const PACKAGES: &[&str] = &[
    "buildah",
    "ca-certificates",
    "conntrack",
    "curl",
    "containernetworking-plugins",
    "gcc",
    "iproute2",
    "iptables",
    "libc6-dev",
    "libseccomp-dev",
    "mmdebstrap",
    "nftables",
    "pkg-config",
    "redis-tools",
    "uidmap",
    "util-linux",
];

/// There is one apt-get at a time: whoever else wants packages waits, and finds them.
static TURN: Mutex<()> = Mutex::new(());

/// Before anything long begins whose packages are installed beside it.
pub(crate) fn require_installable() -> Result<()> {
    let missing = missing(PACKAGES);
    if missing.is_empty() {
        Ok(())
    } else {
        require_apt(&missing)
    }
}

pub(crate) fn ensure_installed(ui: &Ui) -> Result<()> {
    ensure_these(ui, PACKAGES)
}

pub(crate) fn ensure_these(ui: &Ui, names: &[&str]) -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = missing(names);
    if missing.is_empty() {
        return Ok(());
    }
    let mend = format!("install them by hand: apt-get install {}", missing.join(" "));
    ui.stage("packages", &mend, |stage| {
        require_apt(&missing)?;
        if was_interrupted(&paths_in(Path::new(DPKG_JOURNAL))) {
            stage.note("what dpkg left half done");
            // It also looks like this while somebody else's dpkg works; then this fails, and apt-get below waits.
            let _ = stage
                .run_unstoppable("dpkg")
                .args(["--configure", "-a"])
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run();
        }
        stage.note(missing.join(" "));
        stage.run("apt-get").args(["-q", "update"]).run()?;
        // A package that is stopped halfway breaks the machine's package manager for everything else, too.
        stage
            .run_unstoppable("apt-get")
            .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()
    })
}

fn missing<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| !installed(name)).collect()
}

fn require_apt(missing: &[&str]) -> Result<()> {
    ensure!(
        Run::new("apt-get").arg("--version").succeeds(),
        "this machine has no apt-get, and these Debian packages are missing: {}",
        missing.join(" ")
    );
    Ok(())
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// apt-get's own sign: steps that dpkg wrote down under numbers and never brought to an end.
fn was_interrupted(journal: &[PathBuf]) -> bool {
    journal
        .iter()
        .filter_map(|path| path.file_name())
        .any(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
}

fn installed(name: &str) -> bool {
    let status = Run::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", name])
        .output();
    status.is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_in_the_journal_mean_an_interruption() {
        assert!(was_interrupted(&["/var/lib/dpkg/updates/0003".into()]));
        assert!(!was_interrupted(&["/var/lib/dpkg/updates/tmp.i".into()]));
        assert!(!was_interrupted(&[]));
    }
}
