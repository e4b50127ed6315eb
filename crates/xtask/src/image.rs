//! `xtask image`: builds the images of `images/` and loads them into every node.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::build::archive::{self, Archive};
use crate::build::ours::{self, Optimised};
use crate::build::toolchain::{MUSL, ensure_musl};
use crate::build::{programs, rootfs};
use crate::cluster::{Cluster, images, lock};
use crate::stage::Ui;
use crate::{packages, paths, preflight};

const PREFIX: &str = "pinfold.dev/";
/// What compiling everything from nothing leaves in the target folder.
const TARGET_GIB: u64 = 4;

pub(crate) fn run(ui: &Ui, name: &str) -> Result<()> {
    preflight::root()?;
    let images = build(ui, Optimised::No, drop)?;
    let cluster = Cluster::new(name);
    let _lock = lock::take(&cluster)?;
    load(ui, &cluster, &images.all())
}

/// What the images are called on the nodes.
pub(crate) fn name(image: &str) -> String {
    format!("{PREFIX}{image}:dev")
}

/// What such an image is called in a registry.
pub(crate) fn in_registry(name: &str, registry: &str) -> String {
    format!("{registry}/{}", name.strip_prefix(PREFIX).unwrap_or(name))
}

/// A manifest whose containers take their images from a registry.
pub(crate) fn renamed(manifest: &str, registry: &str) -> String {
    manifest.replace(&format!("image: {PREFIX}"), &format!("image: {registry}/"))
}

#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) operator: Archive,
    pub(crate) api: Archive,
    sandboxd: Archive,
    packed: Packed,
}

/// What no compiler of ours is needed for.
#[derive(Debug)]
struct Packed {
    /// The others stand on it; only tests run it.
    debian: Archive,
    /// Of development clusters; elsewhere the database is somebody's already.
    postgres: Archive,
    /// The same.
    redis: Archive,
    sandboxes: [Archive; 3],
}

impl Packed {
    fn all(&self) -> Vec<&Archive> {
        [&self.debian, &self.postgres, &self.redis]
            .into_iter()
            .chain(&self.sandboxes)
            .collect()
    }
}

impl Images {
    /// What an installation runs.
    pub(crate) fn shipped(&self) -> Vec<&Archive> {
        [&self.operator, &self.api, &self.sandboxd]
            .into_iter()
            .chain(&self.packed.sandboxes)
            .collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<&Archive> {
        let ours = [&self.operator, &self.api, &self.sandboxd];
        self.packed.all().into_iter().chain(ours).collect()
    }
}

/// Builds every image in two lanes: what tenants run comes from packages, what we run from the compiler. What comes from
/// packages is told as soon as it is there.
pub(crate) fn build(ui: &Ui, optimised: Optimised, packed: impl FnOnce(Vec<Archive>)) -> Result<Images> {
    let (binaries, sandboxes) = thread::scope(|scope| {
        let binaries = scope.spawn(|| build_binaries(ui, optimised));
        let sandboxes = build_sandboxes(ui).inspect(|built| packed(built.all().into_iter().cloned().collect()));
        (binaries.join(), sandboxes)
    });
    let binaries = binaries.map_err(|_| anyhow::anyhow!("the build of the binaries ended in a panic"))??;
    let packed = sandboxes?;
    let debian = &packed.debian;
    Ok(Images {
        operator: ensure_image(
            ui,
            "operator",
            Some(("pinfold-operator", &binaries.operator)),
            Some(debian),
        )?,
        api: ensure_image(ui, "api", Some(("pinfold-api", &binaries.api)), Some(debian))?,
        sandboxd: ensure_image(ui, "sandboxd", Some(("sandboxd", &binaries.sandboxd)), None)?,
        packed,
    })
}

/// The local Debian base, PostgreSQL, Redis, and the images of sandboxes.
fn build_sandboxes(ui: &Ui) -> Result<Packed> {
    packages::ensure_installed(ui)?;
    let debian = rootfs::ensure(ui)?;
    let base = ensure_image(ui, "sandbox-base", None, Some(&debian))?;
    let python = ensure_image(ui, "sandbox-python", None, Some(&base))?;
    let node = ensure_image(ui, "sandbox-node", None, Some(&base))?;
    let redis = archive::ensure(ui, &name("redis"), &paths::sources().join("redis"), &[], Some(&debian))?;
    let postgres = archive::ensure_postgres(ui, &name("postgres"), &debian)?;
    Ok(Packed {
        debian,
        postgres,
        redis,
        sandboxes: [base, python, node],
    })
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
    archive::ensure(ui, &self::name(name), &context, &extra, base)
}

/// Loads the images into every node of a development cluster.
pub(crate) fn load(ui: &Ui, cluster: &Cluster, archives: &[&Archive]) -> Result<()> {
    let state = cluster
        .load()
        .with_context(|| format!("cluster {} does not run: run cargo xtask up", cluster.name))?;
    let containerd = programs::ensure_containerd(ui)?;
    let mend = "see that the cluster is well (cargo xtask status), then run the command again";
    ui.stage(&format!("load images into {}", cluster.name), mend, |stage| {
        let nodes = state.machines.iter().filter(|machine| machine.starts_with("node-"));
        for node in nodes {
            images::load(stage, cluster, &containerd, node, archives.iter().copied())?;
        }
        Ok(())
    })
}

struct Binaries {
    operator: PathBuf,
    api: PathBuf,
    sandboxd: PathBuf,
}

fn build_binaries(ui: &Ui, optimised: Optimised) -> Result<Binaries> {
    ensure_musl(ui)?;
    let binaries = Binaries {
        operator: ours::program("pinfold-operator", optimised),
        api: ours::program("pinfold-api", optimised),
        sandboxd: paths::target().join(MUSL).join("image/sandboxd"),
    };
    if !binaries.operator.exists() || !binaries.sandboxd.exists() {
        preflight::disk(&paths::target(), TARGET_GIB)?;
    }
    ui.stage(
        "build operator, API and sandboxd",
        "mend the compiler's error in the log",
        |stage| {
            stage.note("sandboxd");
            ours::modest_cargo(stage)
                .args(["--profile", "image", "--package", "sandboxd", "--target", MUSL])
                .dir(paths::workspace())
                .run()?;
            stage.note("operator and API");
            ours::programs(stage, &["pinfold-operator", "pinfold-api"], optimised)
        },
    )?;
    Ok(binaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_move_to_the_registry() {
        let manifest = "apiVersion: pinfold.dev/v1alpha1\nimage: pinfold.dev/sandbox-python:dev\n";
        assert_eq!(
            renamed(manifest, "r.example/x"),
            "apiVersion: pinfold.dev/v1alpha1\nimage: r.example/x/sandbox-python:dev\n"
        );
        assert_eq!(
            in_registry(&name("operator"), "r.example/x"),
            "r.example/x/operator:dev"
        );
    }
}
