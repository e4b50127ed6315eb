//! Image archives in the cache, each under a key of its inputs, and the two images that every cluster starts with.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::buildah::{self, Image};
use super::cache;
use super::key::Key;
use super::postgres;
use super::programs::{COREDNS, Programs};
use crate::stage::{Stage, Ui};
use crate::{paths, preflight};

/// What an image takes as an archive and in the storage of buildah, which copies layers instead of mounting them.
const IMAGE_GIB: u64 = 3;
const KEPT: usize = 3;

/// An image as a file that containerd imports; its path names its content.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Archive {
    /// The key of the content: the last part of the file's name.
    pub(crate) fn key(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        stem.rsplit('-').next().unwrap_or_default().to_owned()
    }
}

pub(crate) fn folder() -> Result<PathBuf> {
    Ok(paths::cache()?.join("images"))
}

/// Builds the image unless an archive of the same inputs is there. `extra` are binaries that join the context.
pub(crate) fn ensure(
    ui: &Ui,
    name: &str,
    context: &Path,
    extra: &[(&str, &Path)],
    base: Option<&Archive>,
) -> Result<Archive> {
    let mut key = Key::default().text(name).folder(context)?;
    for (file, source) in extra {
        key = key.text(file).file(source)?;
    }
    if let Some(base) = base {
        key = key.text(&base.path.to_string_lossy());
    }
    let short = name.rsplit('/').next().unwrap_or(name).replace(':', "-");
    let folder = folder()?;
    let path = folder.join(format!("{short}-{}.tar", key.finish()));
    let archive = Archive {
        name: name.to_owned(),
        path,
    };
    if archive.path.exists() {
        cache::mark_used(&archive.path);
        return Ok(archive);
    }
    cache::remove_dead_parts(&folder);
    preflight::disk(&folder, IMAGE_GIB)?;
    let mend = "read the log: a package mirror that does not answer is the usual cause; what was built before is kept";
    ui.stage(&format!("image {short}"), mend, |stage| {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let staged = stage_context(stage, &short, context, extra)?;
        let part = cache::part_of(&archive.path);
        buildah::build(
            stage,
            &Image {
                name,
                context: &staged,
                base,
                archive: &part,
            },
        )?;
        fs::rename(&part, &archive.path).with_context(|| format!("cannot create {}", archive.path.display()))?;
        cache::keep_newest(&folder, &short, KEPT);
        Ok(())
    })?;
    Ok(archive)
}

/// What a pod needs before the cluster can run any: the sandbox image and the name server.
pub(crate) fn ensure_system(ui: &Ui, programs: &Programs) -> Result<Vec<Archive>> {
    let sources = paths::sources();
    let pause = ensure_plain(
        ui,
        "pinfold.dev/pause:dev",
        &sources.join("pause/Dockerfile"),
        "pause",
        &programs.pause,
    )?;
    let name = format!("pinfold.dev/coredns:{}", COREDNS.trim_start_matches('v'));
    let coredns = ensure_plain(
        ui,
        &name,
        &sources.join("coredns/Dockerfile"),
        "coredns",
        &programs.coredns,
    )?;
    Ok(vec![pause, coredns])
}

/// The database of a development cluster.
pub(crate) fn ensure_postgres(ui: &Ui, name: &str, base: &Archive) -> Result<Archive> {
    let packed = postgres::ensure(ui)?.join(postgres::ARCHIVE);
    let context = paths::sources().join("postgres");
    ensure(ui, name, &context, &[(postgres::ARCHIVE, &packed)], Some(base))
}

fn ensure_plain(ui: &Ui, name: &str, dockerfile: &Path, file: &str, binary: &Path) -> Result<Archive> {
    let folder = paths::work().join("image-sources").join(file);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(dockerfile, folder.join("Dockerfile")).with_context(|| format!("cannot read {}", dockerfile.display()))?;
    ensure(ui, name, &folder, &[(file, binary)], None)
}

/// A fresh folder with the Dockerfile's neighbours and the binaries: nothing else can slip into the image.
fn stage_context(stage: &Stage, short: &str, context: &Path, extra: &[(&str, &Path)]) -> Result<PathBuf> {
    let staged = paths::work().join("image").join(short);
    let _ = fs::remove_dir_all(&staged);
    fs::create_dir_all(&staged).with_context(|| format!("cannot create {}", staged.display()))?;
    stage.run("cp").arg("-a").arg(context.join(".")).arg(&staged).run()?;
    for (file, source) in extra {
        let copy = staged.join(file);
        fs::copy(source, &copy).with_context(|| format!("cannot copy {}", source.display()))?;
        if is_program(&copy)? {
            // What debuggers read is more than half of it, and nobody runs one in a pod.
            stage.run("strip").arg("--strip-debug").arg(&copy).run()?;
        }
    }
    Ok(staged)
}

fn is_program(path: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(&magic == b"\x7fELF")
}
