//! Installs the two charts, and the command line tools to use them with.

pub(crate) mod api;
mod release;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::build::programs;
use crate::cluster::Cluster;
use crate::cluster::images;
use crate::cluster::kubectl::Kubectl;
use crate::image;
use crate::paths;
use crate::stage::Ui;

pub(crate) const NAMESPACE: &str = "pinfold-system";

/// A folder with kubectl and helm of the cluster's versions, to be put on the PATH.
pub(crate) fn tools_folder(ui: &Ui) -> Result<PathBuf> {
    let folder = paths::cache()?.join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let kubectl = folder.join("kubectl");
    let kube = programs::ensure_kube(ui)?;
    fs::write(
        &kubectl,
        format!("#!/bin/sh\nexec '{}' kubectl \"$@\"\n", kube.display()),
    )?;
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755))?;
    let helm = folder.join("helm");
    let _ = fs::remove_file(&helm);
    symlink(programs::ensure_helm(ui)?, &helm).with_context(|| format!("cannot create {}", helm.display()))?;
    Ok(folder)
}

/// Installs or upgrades both charts in a development cluster.
pub(crate) fn development(ui: &Ui, cluster: &Cluster) -> Result<()> {
    development_with(ui, cluster, &[])
}

/// The same with settings of the chart besides.
pub(crate) fn development_with(ui: &Ui, cluster: &Cluster, settings: &[&str]) -> Result<()> {
    let state = cluster
        .load()
        .with_context(|| format!("cluster {} does not run: run cargo xtask up", cluster.name))?;
    let range = state
        .range
        .with_context(|| format!("cluster {} has no nodes to run anything on", cluster.name))?;
    let denied = [range.machines(), range.services(), range.pods()].join(",");
    let kubectl = Kubectl::new(&programs::ensure_kube(ui)?, cluster);
    let content = |name| images::loaded(cluster, "node-0", &image::name(name)).map(|archive| archive.key());
    let mut all = vec![format!("deniedCIDRs={{{denied}}}")];
    all.extend(content_of_pods(&content("operator")?, &content("api")?));
    all.extend(ui.stage("database", api::MEND, |stage| {
        api::prepare(
            stage,
            cluster,
            &kubectl,
            range,
            [&content("postgres")?, &content("redis")?],
        )
    })?);
    all.extend(settings.iter().map(ToString::to_string));
    let charts = Charts {
        helm: programs::ensure_helm(ui)?,
        target: format!("--kubeconfig={}", cluster.kubeconfig("admin").display()),
        kubectl,
        settings: all,
    };
    charts.install(ui)
}

/// Settings that write the content of images, whose tags stay the same, on the pods: new content makes new pods.
pub(crate) fn content_of_pods(operator: &str, api: &str) -> [String; 2] {
    let annotation = |prefix, content| format!("{prefix}podAnnotations.pinfold\\.dev/image=x{content}");
    [annotation("", operator), annotation("api.", api)]
}

/// What is installed, and where.
#[derive(Debug)]
pub(crate) struct Charts {
    pub(crate) helm: PathBuf,
    /// helm's flag that names the cluster.
    pub(crate) target: String,
    pub(crate) kubectl: Kubectl,
    /// Settings of the chart `pinfold`, as `KEY=VALUE`.
    pub(crate) settings: Vec<String>,
}

impl Charts {
    pub(crate) fn install(&self, ui: &Ui) -> Result<()> {
        let mend = "read the log; `kubectl -n pinfold-system get pods,events` shows what the cluster made of the chart";
        ui.stage("install charts", mend, |stage| {
            let folder = paths::workspace().join("charts");
            for chart in ["pinfold-crds", "pinfold"] {
                stage.note(chart);
                release::free(ui, stage, &self.kubectl, chart)?;
                let mut command = stage
                    .run(&self.helm)
                    .arg(&self.target)
                    .args(["upgrade", "--install", chart])
                    .arg(folder.join(chart))
                    .args(["--namespace", NAMESPACE, "--create-namespace"])
                    .args(["--wait", "--timeout", "3m"]);
                if chart == "pinfold" {
                    let tags = ["image.tag=dev", "sandboxd.image.tag=dev"].map(str::to_owned);
                    for setting in tags.iter().chain(&self.settings) {
                        command = command.args(["--set", setting]);
                    }
                }
                command.run()?;
            }
            Ok(())
        })
    }
}
