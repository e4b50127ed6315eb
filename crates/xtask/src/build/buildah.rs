//! Builds images with buildah, without a daemon and without a registry, into archives that containerd imports.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::Run;
use crate::paths;
use crate::stage::Stage;

/// One image to build.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    pub(crate) name: &'a str,
    /// The folder with the Dockerfile and what it copies.
    pub(crate) context: &'a Path,
    pub(crate) base: Option<&'a str>,
    pub(crate) archive: &'a Path,
}

pub(crate) fn build(stage: &Stage, image: &Image<'_>) -> Result<()> {
    stage.note(image.name);
    // chroot isolation runs in places where containers cannot, and uses the machine's own network.
    let mut build = buildah(stage)?
        .args([
            "build",
            "--isolation",
            "chroot",
            "--pull-never",
            "--format",
            "oci",
            "--tag",
            image.name,
        ])
        .args(["--network", "host"]);
    if let Some(base) = image.base {
        build = build.arg("--build-arg").arg(format!("BASE={base}"));
    }
    build.arg(image.context).run()?;
    let _ = std::fs::remove_file(image.archive);
    let target = format!("oci-archive:{}:{}", image.archive.display(), image.name);
    buildah(stage)?.args(["push", "--quiet", image.name, &target]).run()
}

/// Puts a base image into buildah's storage when only its archive is left of an earlier build.
pub(crate) fn ensure_known(stage: &Stage, name: &str, archive: &Path) -> Result<()> {
    let images = buildah(stage)?
        .args(["images", "--format", "{{.Name}}:{{.Tag}}"])
        .output()?;
    if images.lines().any(|known| known == name) {
        return Ok(());
    }
    buildah(stage)?
        .args(["pull", "--quiet"])
        .arg(format!("oci-archive:{}", archive.display()))
        .run()
}

fn buildah(stage: &Stage) -> Result<Run> {
    let storage: PathBuf = paths::cache()?.join("buildah");
    Ok(stage
        .run("buildah")
        .args(["--storage-driver", "vfs"])
        .arg("--root")
        .arg(storage.join("root"))
        .arg("--runroot")
        .arg(storage.join("run")))
}
