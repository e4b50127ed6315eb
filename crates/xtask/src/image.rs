//! `xtask image`: builds the images of `images/` and loads them into every node.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::build::archive::{self, Archive};
use crate::build::toolchain::{MUSL, ensure_musl};
use crate::build::{programs, rootfs};
use crate::cluster::{Cluster, images, lock};
use crate::stage::Ui;
use crate::{packages, paths, preflight};

/// Room for the storage of buildah, which copies layers instead of mounting them.
const IMAGES_GIB: u64 = 6;

pub(crate) fn run(ui: &Ui, name: &str) -> Result<()> {
    preflight::root()?;
    packages::ensure_installed(ui)?;
    let archives = build(ui)?;
    let cluster = Cluster::new(name);
    let _lock = lock::take(&cluster)?;
    load(ui, &cluster, &archives)
}

/// Builds every image in two lanes: what tenants run comes from packages, what we run from the compiler.
pub(crate) fn build(ui: &Ui) -> Result<Vec<Archive>> {
    preflight::disk(&paths::cache()?, IMAGES_GIB)?;
    let (binaries, sandboxes) = thread::scope(|scope| {
        let binaries = scope.spawn(|| build_binaries(ui));
        let sandboxes = build_sandboxes(ui);
        (binaries.join(), sandboxes)
    });
    let binaries = binaries.map_err(|_| anyhow::anyhow!("the build of the binaries ended in a panic"))??;
    let mut archives = sandboxes?;
    let debian = archives.first().cloned();
    archives.push(ensure_image(
        ui,
        "operator",
        Some(("pinfold-operator", &binaries.operator)),
        debian.as_ref(),
    )?);
    archives.push(ensure_image(
        ui,
        "sandboxd",
        Some(("sandboxd", &binaries.sandboxd)),
        None,
    )?);
    Ok(archives)
}

/// The local Debian base comes first, the images on it follow.
fn build_sandboxes(ui: &Ui) -> Result<Vec<Archive>> {
    let debian = rootfs::ensure(ui)?;
    let base = ensure_image(ui, "sandbox-base", None, Some(&debian))?;
    let python = ensure_image(ui, "sandbox-python", None, Some(&base))?;
    let node = ensure_image(ui, "sandbox-node", None, Some(&base))?;
    Ok(vec![debian, base, python, node])
}

fn ensure_image(ui: &Ui, name: &str, binary: Option<(&str, &PathBuf)>, base: Option<&Archive>) -> Result<Archive> {
    let context = paths::workspace().join("images").join(name);
    let dockerfile = context.join("Dockerfile");
    ensure!(
        dockerfile.exists(),
        "{} is missing: every image has its Dockerfile there",
        dockerfile.display()
    );
    let extra: Vec<(&str, &Path)> = binary.iter().map(|(file, path)| (*file, path.as_path())).collect();
    archive::ensure(ui, &format!("pinfold.dev/{name}:dev"), &context, &extra, base)
}

/// Loads the images into every node of a development cluster.
pub(crate) fn load(ui: &Ui, cluster: &Cluster, archives: &[Archive]) -> Result<()> {
    let state = cluster
        .load()
        .with_context(|| format!("cluster {} does not run: run cargo xtask up", cluster.name))?;
    let containerd = programs::ensure_containerd(ui)?;
    let mend = "see that the cluster is well (cargo xtask status), then run the command again";
    ui.stage(&format!("load images into {}", cluster.name), mend, |stage| {
        let nodes = state.machines.iter().filter(|machine| machine.starts_with("node-"));
        for node in nodes {
            images::load(stage, cluster, &containerd, node, archives)?;
        }
        Ok(())
    })
}

struct Binaries {
    operator: PathBuf,
    sandboxd: PathBuf,
}

fn build_binaries(ui: &Ui) -> Result<Binaries> {
    ensure_musl(ui)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    ui.stage(
        "build operator and sandboxd",
        "mend the compiler's error in the log",
        |stage| {
            let build = || {
                stage
                    .run(&cargo)
                    .args(["build", "--profile", "image"])
                    .dir(paths::workspace())
            };
            stage.note("sandboxd");
            build()
                .args(["--package", "sandboxd", "--bin", "sandboxd", "--target", MUSL])
                .run()?;
            stage.note("operator");
            build()
                .args(["--package", "operator", "--bin", "pinfold-operator"])
                .run()
        },
    )?;
    Ok(Binaries {
        operator: paths::target().join("image/pinfold-operator"),
        sandboxd: paths::target().join(MUSL).join("image/sandboxd"),
    })
}
