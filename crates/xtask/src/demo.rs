//! `xtask demo`: from a bare machine to the answer of a sandboxed run.

mod api;

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::answer::answer;
use crate::build::archive::Archive;
use crate::build::key::files;
use crate::build::ours::Optimised;
use crate::build::programs;
use crate::cli::Target;
use crate::cluster::kubectl::{Kubectl, wait_for};
use crate::cluster::{Cluster, lock, start};
use crate::stage::Ui;
use crate::up::{self, Options};
use crate::{foreign, image, install, packages, paths, preflight};

const RUN: &str = "answer";
const RUN_NAMESPACE: &str = "tenant-acme";
const TENANT_DEADLINE: Duration = Duration::from_mins(1);
const RUN_DEADLINE: Duration = Duration::from_mins(2);

pub(crate) fn run(ui: &Ui, target: &Target) -> Result<()> {
    if let Some(context) = target.foreign.context() {
        let kubectl = foreign::install(ui, context, &target.foreign)?;
        let shown = format!("kubectl --context {context}");
        return examples(ui, &kubectl, || None, &shown, target.foreign.registry());
    }
    let cluster = installed(ui, &Options::named(&target.named.cluster), Optimised::No)?;
    let kubectl = Kubectl::new(&programs::ensure_kube(ui)?, &cluster);
    examples(ui, &kubectl, || start::trouble(&cluster), "kubectl", None)?;
    api::run(ui, &cluster, &kubectl)?;
    answer!();
    answer!("before the first kubectl:");
    answer!("  export KUBECONFIG={}", cluster.kubeconfig("admin").display());
    answer!("  export PATH=$PATH:{}", install::tools_folder(ui)?.display());
    Ok(())
}

/// A running cluster with images and charts. It starts in one lane while cargo works in the other, and has the images that need
/// no compiler before cargo is done. Compilers do not wait for Debian's packages.
pub(crate) fn installed(ui: &Ui, options: &Options, optimised: Optimised) -> Result<Cluster> {
    preflight::root()?;
    programs::require_go(&options.programs())?;
    packages::require_installable()?;
    let (tell, told) = mpsc::channel();
    let (cluster, images, helm) = thread::scope(|scope| {
        let images = scope.spawn(move || {
            image::build(ui, optimised, |packed| {
                // Nobody waits for them if the cluster has failed.
                let _ = tell.send(packed);
            })
        });
        // Nobody in the cluster runs helm: it is compiled while the cluster starts. Kubernetes needs no packages: it is
        // compiled while they are installed.
        let helm = scope.spawn(|| {
            programs::ensure_kube(ui)?;
            packages::ensure_installed(ui)?;
            programs::ensure(ui, options.gvisor)?;
            programs::ensure_helm(ui)
        });
        let cluster = up::ensure_running(ui, options).and_then(|cluster| {
            if let Ok(packed) = told.recv() {
                load(ui, &cluster, &packed.iter().collect::<Vec<_>>())?;
            }
            Ok(cluster)
        });
        (cluster, images.join(), helm.join())
    });
    let cluster = cluster?;
    helm.map_err(|_| anyhow::anyhow!("the build of helm ended in a panic"))??;
    let images = images.map_err(|_| anyhow::anyhow!("the build of the images ended in a panic"))??;
    load(ui, &cluster, &images.all())?;
    let _lock = lock::take(&cluster)?;
    install::development(ui, &cluster)?;
    Ok(cluster)
}

fn load(ui: &Ui, cluster: &Cluster, archives: &[&Archive]) -> Result<()> {
    let _lock = lock::take(cluster)?;
    image::load(ui, cluster, archives)
}

fn examples(
    ui: &Ui,
    kubectl: &Kubectl,
    trouble: impl Fn() -> Option<String>,
    shown: &str,
    registry: Option<&str>,
) -> Result<()> {
    let folder = paths::workspace().join("examples");
    let tenant = folder.join("1-tenant.yaml");
    ensure!(tenant.exists(), "{} is missing", tenant.display());
    let mend = "`kubectl describe` of the object that the log names says what is in the way; \
                `kubectl -n pinfold-system logs deployment/pinfold-operator` what the operator did";
    ui.stage("examples", mend, |stage| {
        kubectl.run(stage).args(["apply", "-f"]).arg(&tenant).run()?;
        stage.note("the tenant's namespace");
        wait_for("the tenant becoming ready", TENANT_DEADLINE, &trouble, || {
            let ready = ["wait", "tenant/acme", "--for=condition=Ready", "--timeout=0s"];
            kubectl.silent().args(ready).succeeds()
        })?;
        // A run is run once; a new answer needs a new run.
        let name = ["sandboxrun", RUN, "-n", RUN_NAMESPACE];
        kubectl
            .run(stage)
            .arg("delete")
            .args(name)
            .args(["--ignore-not-found", "--timeout=60s"])
            .run()?;
        kubectl
            .run(stage)
            .args(["apply", "-f", "-"])
            .input(manifests(&folder, registry)?)
            .run()
    })?;
    let answer = ui.stage("the run", mend, |stage| {
        stage.note("waits for its end");
        let get = ["get", "sandboxrun", RUN, "-n", RUN_NAMESPACE, "-o"];
        wait_for("the end of the run", RUN_DEADLINE, &trouble, || {
            let path = "jsonpath={.status.conditions[?(@.type=='Finished')].status}";
            kubectl
                .silent()
                .args(get)
                .arg(path)
                .output()
                .is_ok_and(|status| status == "True")
        })
        .inspect_err(|_| {
            // For the log only: the error above is what counts.
            let _ = kubectl
                .run(stage)
                .args(["describe", "sandboxrun,pods", "-n", RUN_NAMESPACE])
                .run();
        })?;
        let status: serde_json::Value = serde_json::from_str(&kubectl.silent().args(get).arg("json").output()?)?;
        let reason = status["status"]["reason"].as_str().unwrap_or("no reason");
        ensure!(reason == "Completed", "the run ended with {reason}");
        let answer = status["status"]["stdout"]["text"]
            .as_str()
            .context("the run has no output")?;
        Ok(answer.to_owned())
    })?;
    answer!("the run answered:");
    for line in answer.lines() {
        answer!("  {line}");
    }
    answer!();
    answer!("look around:");
    for line in [
        "get pinfold -A".to_owned(),
        "get tenants".to_owned(),
        format!("get agents,sandboxruns,pods -n {RUN_NAMESPACE}"),
        format!("describe sandboxrun {RUN} -n {RUN_NAMESPACE}"),
        "explain sandboxrun.spec".to_owned(),
    ] {
        answer!("  {shown} {line}");
    }
    Ok(())
}

/// All examples as one text, with the names that the images have in this cluster.
fn manifests(folder: &Path, registry: Option<&str>) -> Result<String> {
    let mut all = String::new();
    for path in files(folder)? {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            all.push_str("---\n");
            all.push_str(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(match registry {
        Some(registry) => image::renamed(&all, registry),
        None => all,
    })
}
