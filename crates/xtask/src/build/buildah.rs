//! Builds images with buildah, without a daemon and without a registry, into archives that containerd imports.
//!
//! The archives are what lasts; buildah's own storage only holds what a build needs. A base gets there from its
//! archive, under a tag that names the archive's content, and everything else is removed when nobody builds.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::archive::Archive;
use crate::command::Run;
use crate::paths;
use crate::stage::Stage;

/// The fastest compression that containerd reads: nobody keeps these archives for long, or sends them far.
const COMPRESSION: [&str; 4] = ["--compression-format", "zstd", "--compression-level", "1"];

/// One image to build.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    pub(crate) name: &'a str,
    /// The folder with the Dockerfile and what it copies.
    pub(crate) context: &'a Path,
    pub(crate) base: Option<&'a Archive>,
    pub(crate) archive: &'a Path,
}

pub(crate) fn build(stage: &Stage, image: &Image<'_>) -> Result<()> {
    stage.note(image.name);
    let use_of_storage = Use::begin()?;
    let base = image.base.map(|base| ensure_base(stage, base)).transpose()?;
    // Another checkout may build an image of this name at the same time.
    let (repository, _) = split(image.name);
    let tag = format!("{repository}:build-{}", std::process::id());
    // chroot isolation runs in places where containers cannot, and uses the machine's own network.
    let mut build = buildah(stage)?
        .args(["build", "--isolation", "chroot", "--pull-never", "--format", "oci"])
        .args(["--tag", &tag, "--network", "host"]);
    if let Some(base) = base {
        build = build.arg("--build-arg").arg(format!("BASE={base}"));
    }
    build.arg(image.context).run()?;
    let _ = fs::remove_file(image.archive);
    let target = format!("oci-archive:{}:{}", image.archive.display(), image.name);
    buildah(stage)?
        .args(["push", "--quiet"])
        .args(COMPRESSION)
        .args([&tag, &target])
        .run()?;
    // Whoever builds on it takes the archive, which is known to be complete.
    buildah(stage)?.args(["rmi", &tag]).run()?;
    drop(use_of_storage);
    tidy(stage);
    Ok(())
}

/// Copies an archive into a registry.
pub(crate) fn push(stage: &Stage, archive: &Archive, name: &str) -> Result<()> {
    stage.note(name);
    let use_of_storage = Use::begin()?;
    let id = pull(stage, archive)?;
    buildah(stage)?
        .args(["push", "--quiet", &id])
        .arg(format!("docker://{name}"))
        .run()?;
    drop(use_of_storage);
    tidy(stage);
    Ok(())
}

/// Answers the tag under which buildah has exactly this archive.
fn ensure_base(stage: &Stage, archive: &Archive) -> Result<String> {
    let tag = format!("{}:{}", split(&archive.name).0, archive.key());
    if names(stage)?.contains(&tag) {
        return Ok(tag);
    }
    let id = pull(stage, archive)?;
    buildah(stage)?.args(["tag", &id, &tag]).run()?;
    Ok(tag)
}

fn pull(stage: &Stage, archive: &Archive) -> Result<String> {
    let id = buildah(stage)?
        .args(["pull", "--quiet"])
        .arg(format!("oci-archive:{}", archive.path.display()))
        .output()?;
    Ok(id.trim().to_owned())
}

fn names(stage: &Stage) -> Result<Vec<String>> {
    let images = buildah(stage)?
        .args(["images", "--format", "{{.Name}}:{{.Tag}}"])
        .output()?;
    Ok(images.lines().map(str::to_owned).collect())
}

/// The image is made, whatever becomes of this; the log says why something could not be removed.
fn tidy(stage: &Stage) {
    let _ = prune(stage);
}

/// Removes what killed builds left and every image that is no base with an archive. When another process builds, that
/// process will do it.
fn prune(stage: &Stage) -> Result<()> {
    let storage = lock_file()?;
    if storage.try_lock().is_err() {
        return Ok(());
    }
    buildah(stage)?.args(["rm", "--all"]).run()?;
    let archives = super::archive::folder()?;
    let names = names(stage)?;
    let surplus = surplus(&names, |file| archives.join(file).exists());
    if !surplus.is_empty() {
        buildah(stage)?.arg("rmi").args(surplus).run()?;
    }
    buildah(stage)?.args(["rmi", "--prune"]).run()
}

/// The tagged images that are no base of which there is an archive.
fn surplus(names: &[String], is_archive: impl Fn(&str) -> bool) -> Vec<&str> {
    names
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains("<none>"))
        .filter(|name| {
            let (repository, key) = split(name);
            let short = repository.rsplit('/').next().unwrap_or(repository);
            !is_archive(&format!("{short}-dev-{key}.tar"))
        })
        .collect()
}

/// Repository and tag; a colon before the last slash belongs to the host's port.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

/// Builds hold it together; who holds it alone may remove what no build needs.
#[derive(Debug)]
struct Use(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl Use {
    fn begin() -> Result<Self> {
        let file = lock_file()?;
        file.lock_shared().context("cannot lock the storage of buildah")?;
        Ok(Self(file))
    }
}

fn lock_file() -> Result<File> {
    let storage = storage()?;
    fs::create_dir_all(&storage).with_context(|| format!("cannot create {}", storage.display()))?;
    let path = storage.join("lock");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn storage() -> Result<PathBuf> {
    Ok(paths::cache()?.join("buildah"))
}

fn buildah(stage: &Stage) -> Result<Run> {
    let storage = storage()?;
    Ok(stage
        .run("buildah")
        .args(["--storage-driver", driver(&storage)?])
        .arg("--root")
        .arg(storage.join("root"))
        .arg("--runroot")
        .arg(storage.join("run")))
}

/// Layers are mounted one over the other, which copies nothing; where the storage lies on such a mount itself, as in a
/// container, the kernel refuses that, and they are copied.
fn driver(storage: &Path) -> Result<&'static str> {
    let file_system = Run::new("stat")
        .args(["--file-system", "--format=%T"])
        .arg(storage)
        .output()?;
    Ok(if file_system.trim() == "overlayfs" {
        "vfs"
    } else {
        "overlay"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bases_with_an_archive_stay() {
        let names = [
            "pinfold.dev/debian:0123456789abcdef",
            "pinfold.dev/debian:fedcba9876543210",
            "pinfold.dev/debian:dev",
            "localhost:5000/operator:build-7",
            "<none>:<none>",
        ]
        .map(str::to_owned);
        assert_eq!(
            surplus(&names, |file| file == "debian-dev-0123456789abcdef.tar"),
            [&names[1], &names[2], &names[3]]
        );
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(split("localhost:5000/operator"), ("localhost:5000/operator", "latest"));
        assert_eq!(split("localhost:5000/operator:dev"), ("localhost:5000/operator", "dev"));
    }
}
