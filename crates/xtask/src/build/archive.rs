//! Image archives in the cache, each under a key of its inputs, and the two images that every cluster starts with.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::buildah::{self, Image};
use super::key::Key;
use super::programs::{COREDNS, Programs};
use crate::paths;
use crate::stage::{Stage, Ui};

/// An image as a file that containerd imports; its path names its content.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
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
    let folder = paths::cache()?.join("images");
    let path = folder.join(format!("{short}-{}.tar", key.finish()));
    let archive = Archive {
        name: name.to_owned(),
        path,
    };
    if archive.path.exists() {
        return Ok(archive);
    }
    let mend = "read the log: a package mirror that does not answer is the usual cause; what was built before is kept";
    ui.stage(&format!("image {short}"), mend, |stage| {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let staged = stage_context(stage, &short, context, extra)?;
        let part = archive.path.with_extension(format!("{}.part", std::process::id()));
        if let Some(base) = base {
            buildah::ensure_known(stage, &base.name, &base.path)?;
        }
        let base = base.map(|base| base.name.as_str());
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
        remove_older(&folder, &short, &archive.path);
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
        fs::copy(source, staged.join(file)).with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(staged)
}

/// Each change of an image would leave an archive behind for good.
fn remove_older(folder: &Path, short: &str, keep: &Path) {
    const KEPT: usize = 3;
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut older: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(short).and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| rest.len() == "0123456789abcdef.tar".len()) && entry.path() != keep
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    older.sort();
    let surplus = older.len().saturating_sub(KEPT - 1);
    for (_, path) in older.into_iter().take(surplus) {
        // Another run may have removed it first.
        let _ = fs::remove_file(path);
    }
}
