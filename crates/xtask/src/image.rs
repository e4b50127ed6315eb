//! `xtask image`: builds the images of `images/` and loads them into every node.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::build::archive::{self, Archive};
use crate::build::{programs, rootfs};
use crate::cluster::{Cluster, images, lock};
use crate::stage::Ui;
use crate::{packages, paths, preflight};

/// Room for the storage of buildah, which copies layers instead of mounting them.
const IMAGES_GIB: u64 = 6;
const MUSL: &str = "x86_64-unknown-linux-musl";

/// What one image takes besides its folder.
struct Recipe {
    name: &'static str,
    /// Builds on the local Debian base.
    based: bool,
    binary: Option<&'static str>,
}

const RECIPES: &[Recipe] = &[
    Recipe { name: "operator", based: true, binary: Some("pinfold-operator") },
    Recipe { name: "sandboxd", based: false, binary: Some("sandboxd") },
    Recipe { name: "sandbox-base", based: true, binary: None },
    Recipe { name: "sandbox-python", based: true, binary: None },
    Recipe { name: "sandbox-node", based: true, binary: None },
];

pub(crate) fn run(ui: &Ui, name: &str) -> Result<()> {
    preflight::root()?;
    let cluster = Cluster::new(name);
    let _lock = lock::take(&cluster)?;
    packages::ensure_installed(ui)?;
    let archives = build(ui)?;
    load(ui, &cluster, &archives)
}

/// Builds every image; two lanes, since the binaries and the base root file system do not need each other.
pub(crate) fn build(ui: &Ui) -> Result<Vec<Archive>> {
    preflight::disk(&paths::cache()?, IMAGES_GIB)?;
    let (binaries, base) = std::thread::scope(|scope| {
        let binaries = scope.spawn(|| build_binaries(ui));
        let base = rootfs::ensure(ui);
        (binaries.join(), base)
    });
    let binaries = binaries.map_err(|_| anyhow::anyhow!("the build of the binaries ended in a panic"))??;
    let base = base?;
    let mut archives = vec![base.clone()];
    for recipe in RECIPES {
        let context = paths::workspace().join("images").join(recipe.name);
        ensure!(
            context.join("Dockerfile").exists(),
            "{} is missing: every image has its Dockerfile there",
            context.join("Dockerfile").display()
        );
        let binary = recipe.binary.map(|file| (file, binaries.path(file)));
        let extra: Vec<(&str, &Path)> = binary.iter().map(|(file, path)| (*file, path.as_path())).collect();
        let image = format!("pinfold.dev/{}:dev", recipe.name);
        archives.push(archive::ensure(ui, &image, &context, &extra, recipe.based.then_some(&base))?);
    }
    Ok(archives)
}

/// Loads the images into every node of a development cluster.
pub(crate) fn load(ui: &Ui, cluster: &Cluster, archives: &[Archive]) -> Result<()> {
    let state = cluster.load().with_context(|| format!("cluster {} does not run: run cargo xtask up", cluster.name))?;
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

struct Binaries;

impl Binaries {
    #[expect(clippy::unused_self, reason = "a path is only worth something after the build")]
    fn path(&self, file: &str) -> PathBuf {
        let folder = if file == "sandboxd" { format!("{MUSL}/image") } else { "image".to_owned() };
        paths::target().join(folder).join(file)
    }
}

fn build_binaries(ui: &Ui) -> Result<Binaries> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    ui.stage("build operator and sandboxd", "mend the compiler's error in the log", |stage| {
        let build = || stage.run(&cargo).args(["build", "--profile", "image"]).dir(paths::workspace());
        stage.note("sandboxd");
        build().args(["--package", "sandboxd", "--bin", "sandboxd", "--target", MUSL]).run()?;
        stage.note("operator");
        build().args(["--package", "operator", "--bin", "pinfold-operator"]).run()
    })?;
    Ok(Binaries)
}
