//! Installs the two charts, and the command line tools to use them with.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::build::archive::Archive;
use crate::build::programs;
use crate::cluster::Cluster;
use crate::cluster::kubectl::Kubectl;
use crate::command::Run;
use crate::stage::Ui;
use crate::{image, packages, paths};

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
    let helm = programs::ensure_helm(ui)?;
    let kubectl = Kubectl::new(&programs::ensure_kube(ui)?, cluster);
    let denied = [range.machines(), range.services(), range.pods()].join(",");
    let target = vec![format!("--kubeconfig={}", cluster.kubeconfig("admin").display())];
    let mut all = vec![format!("deniedCIDRs={{{denied}}}")];
    all.extend(settings.iter().map(ToString::to_string));
    charts(ui, &helm, &target, &all)?;
    // The tag stays the same when the content changes; a rollout is what makes the pods take the new content.
    restart_when_changed(ui, cluster, &kubectl)
}

/// A cluster of somebody else: build, load where that is possible, install.
pub(crate) fn foreign(ui: &Ui, context: &str) -> Result<()> {
    packages::ensure_installed(ui)?;
    let helm = programs::ensure_helm(ui)?;
    let archives = image::build(ui)?;
    load_foreign(ui, context, &archives)?;
    charts(ui, &helm, &[format!("--kube-context={context}")], &[])
}

fn load_foreign(ui: &Ui, context: &str, archives: &[Archive]) -> Result<()> {
    let kind = context
        .strip_prefix("kind-")
        .filter(|_| Run::new("kind").arg("version").succeeds());
    let minikube = Run::new("minikube").args(["-p", context, "status"]).succeeds();
    if kind.is_none() && !minikube {
        ui.say(&format!(
            "the images cannot be loaded into {context} from here. Push these archives to its registry:"
        ));
        for archive in archives {
            ui.say(&format!("  {}  {}", archive.name, archive.path.display()));
        }
        return Ok(());
    }
    ui.stage(
        &format!("load images into {context}"),
        "load the archives by hand; the log names them",
        |stage| {
            for archive in archives {
                stage.note(&archive.name);
                match kind {
                    Some(name) => stage
                        .run("kind")
                        .args(["load", "image-archive", "--name", name])
                        .arg(&archive.path)
                        .run()?,
                    None => stage
                        .run("minikube")
                        .args(["-p", context, "image", "load"])
                        .arg(&archive.path)
                        .run()?,
                }
            }
            Ok(())
        },
    )
}

fn charts(ui: &Ui, helm: &std::path::Path, target: &[String], settings: &[String]) -> Result<()> {
    let mend = "read the log; `kubectl -n pinfold-system get pods,events` shows what the cluster made of the chart";
    ui.stage("install charts", mend, |stage| {
        let folder = paths::workspace().join("charts");
        for chart in ["pinfold-crds", "pinfold"] {
            stage.note(chart);
            let mut command = stage
                .run(helm)
                .args(target)
                .args(["upgrade", "--install", chart])
                .arg(folder.join(chart))
                .args([
                    "--namespace",
                    NAMESPACE,
                    "--create-namespace",
                    "--wait",
                    "--timeout",
                    "3m",
                ]);
            if chart == "pinfold" {
                command = command.args(["--set", "image.tag=dev", "--set", "sandboxd.image.tag=dev"]);
                for setting in settings {
                    command = command.args(["--set", setting]);
                }
            }
            command.run()?;
        }
        Ok(())
    })
}

fn restart_when_changed(ui: &Ui, cluster: &Cluster, kubectl: &Kubectl) -> Result<()> {
    let loaded = cluster.machine("node-0").join("loaded/pinfold.dev_operator:dev");
    let content = fs::read_to_string(&loaded).with_context(|| format!("cannot read {}", loaded.display()))?;
    let mark = cluster.dir.join("operator-image");
    let known = fs::read_to_string(&mark).ok();
    if known.as_deref() == Some(&content) {
        return Ok(());
    }
    if known.is_some() {
        let mend = "see `kubectl -n pinfold-system get pods,events`";
        ui.stage("restart operator", mend, |stage| {
            let within = ["-n", NAMESPACE, "rollout"];
            kubectl.run(stage).args(within).args(["restart", "deployment"]).run()?;
            kubectl
                .run(stage)
                .args(within)
                .args(["status", "deployment", "--timeout=120s"])
                .run()
        })?;
    }
    fs::write(&mark, content).with_context(|| format!("cannot write {}", mark.display()))
}
