//! The Debian packages that the cluster and the images need; installed only when one is missing.

use anyhow::{Result, ensure};

use crate::command::Run;
use crate::stage::Ui;

const PACKAGES: &[&str] = &[
    "buildah",
    "ca-certificates",
    "conntrack",
    "containernetworking-plugins",
    "gcc",
    "iproute2",
    "iptables",
    "libc6-dev",
    "libseccomp-dev",
    "mmdebstrap",
    "nftables",
    "pkg-config",
    "uidmap",
    "util-linux",
];

pub(crate) fn ensure_installed(ui: &Ui) -> Result<()> {
    let missing: Vec<&str> = PACKAGES.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mend = format!("install them by hand: apt-get install {}", missing.join(" "));
    ui.stage("packages", &mend, |stage| {
        ensure!(
            Run::new("apt-get").arg("--version").succeeds(),
            "this machine has no apt-get, and these Debian packages are missing: {}",
            missing.join(" ")
        );
        stage.note(missing.join(" "));
        stage.run("apt-get").args(["-q", "update"]).run()?;
        stage
            .run("apt-get")
            .args(["-q", "install", "-y", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()
    })
}

fn installed(name: &str) -> bool {
    let status = Run::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", name])
        .output();
    status.is_ok_and(|status| status == "installed")
}
