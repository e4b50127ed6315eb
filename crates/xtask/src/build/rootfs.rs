//! The Debian base of the images: made from packages on this machine, since no registry may be at hand.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::archive::{self, Archive};
use super::cache;
use crate::stage::Ui;
use crate::{paths, preflight};

const NAME: &str = "pinfold.dev/debian:dev";
const SUITE: &str = "bookworm";
/// What a slim Debian base has, so that the Dockerfiles of a release build on it unchanged.
const PACKAGES: &str = "apt,bash,ca-certificates,coreutils";
const ROOTFS_GIB: u64 = 1;
const KEPT: usize = 2;

pub(crate) fn ensure(ui: &Ui) -> Result<Archive> {
    let folder = paths::cache()?.join("rootfs");
    let tar = folder.join(format!(
        "{SUITE}-{}.tar",
        super::key::Key::default().text(SUITE).text(PACKAGES).finish()
    ));
    if !tar.exists() {
        cache::remove_dead_parts(&folder);
        preflight::disk(&folder, ROOTFS_GIB)?;
        let mend = "check that a Debian mirror can be reached (apt-get update), then run the command again";
        ui.stage("base root file system", mend, |stage| {
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let part = cache::part_of(&tar);
            // Maintainer scripts run: users, /bin/sh and the certificate bundle exist as in a public base image.
            stage
                .run("mmdebstrap")
                .args(["--mode=root", "--variant=essential", "--format=tar"])
                .arg(format!("--include={PACKAGES}"))
                .args([
                    "--dpkgopt=path-exclude=/usr/share/doc/*",
                    "--dpkgopt=path-exclude=/usr/share/man/*",
                ])
                .args(["--dpkgopt=path-exclude=/usr/share/locale/*"])
                // A machine that loses power builds it again: waiting for the disk after each file took most of the time.
                .arg("--dpkgopt=force-unsafe-io")
                .arg(SUITE)
                .arg(&part)
                .run()?;
            fs::rename(&part, &tar).with_context(|| format!("cannot create {}", tar.display()))
        })?;
        cache::keep_newest(&folder, SUITE, KEPT);
    }
    let context = dockerfile(&tar)?;
    let name = tar.file_name().unwrap_or_default().to_string_lossy().into_owned();
    archive::ensure(ui, NAME, &context, &[(&name, &tar)], None)
}

fn dockerfile(tar: &Path) -> Result<std::path::PathBuf> {
    let folder = paths::work().join("image-sources/debian");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let name = tar.file_name().unwrap_or_default().to_string_lossy();
    fs::write(
        folder.join("Dockerfile"),
        format!("FROM scratch\nADD {name} /\nCMD [\"bash\"]\n"),
    )?;
    Ok(folder)
}
