//! The programs of the cluster, each with its version: the one place to change when one of them moves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::golang::{Build, Entry, install};
use crate::stage::{Stage, Ui};
use crate::{paths, preflight};

const KUBERNETES: &str = "v1.35.4";
const CONTAINERD: &str = "v2.1.5";
const RUNC: &str = "1.3.3";
pub(crate) const COREDNS: &str = "v1.12.4";
/// The release that is made with Kubernetes' own version of its libraries: they are compiled once for both. The module
/// `kubernetes` says the same.
const HELM: &str = "v3.20.2";
const KWOK: &str = "v0.8.0";

/// The multi-call binary with everything of Kubernetes.
pub(crate) const OF_KUBE: Entry = Entry {
    name: "kubernetes",
    versions: &[KUBERNETES],
    module: Some("kubernetes"),
    gib: 5,
};
const OF_CONTAINERD: Entry = Entry {
    name: "containerd",
    versions: &[CONTAINERD, RUNC],
    module: Some("containerd"),
    gib: 2,
};
const OF_COREDNS: Entry = Entry {
    name: "coredns",
    versions: &[COREDNS],
    module: Some("coredns"),
    gib: 2,
};
const OF_PAUSE: Entry = Entry {
    name: "pause",
    versions: &["1"],
    module: Some("pause"),
    gib: 1,
};
pub(crate) const OF_HELM: Entry = Entry {
    name: "helm",
    versions: &[HELM],
    module: Some("kubernetes"),
    gib: 2,
};
/// Fake nodes, for tests of scale.
pub(crate) const OF_KWOK: Entry = Entry {
    name: "kwok",
    versions: &[KWOK],
    module: None,
    gib: 2,
};
pub(crate) const OF_GVISOR: Entry = Entry {
    name: "gvisor",
    versions: &["1"],
    module: Some("gvisor"),
    gib: 3,
};
/// What every cluster with nodes is made of.
pub(crate) const OF_NODES: [Entry; 4] = [OF_KUBE, OF_CONTAINERD, OF_COREDNS, OF_PAUSE];

/// Where the programs of every cluster are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The multi-call binary with everything of Kubernetes, and our own small programs.
    pub(crate) kube: PathBuf,
    /// Folder of containerd, its shim, ctr and runc.
    pub(crate) containerd: PathBuf,
    pub(crate) coredns: PathBuf,
    pub(crate) pause: PathBuf,
    /// Folder of runsc and its shim, when they were asked for.
    pub(crate) gvisor: Option<PathBuf>,
}

/// Asks for Go before anything long begins, and only when something is left to build with it.
pub(crate) fn require_go(wanted: &[Entry]) -> Result<()> {
    for entry in wanted {
        if !entry.folder()?.exists() {
            return preflight::go();
        }
    }
    Ok(())
}

/// Enough for etcd and the API server without nodes.
pub(crate) fn ensure_kube(ui: &Ui) -> Result<PathBuf> {
    let folder = OF_KUBE.ensure(ui, |stage, folder| {
        let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
        Build {
            module: &paths::sources().join("kubernetes"),
            package: ".",
            output: &folder.join("pinfold-kube"),
            variables: &[
                format!("k8s.io/component-base/version.gitVersion={KUBERNETES}"),
                "k8s.io/component-base/version.gitMajor=1".to_owned(),
                format!("k8s.io/component-base/version.gitMinor={minor}"),
                format!("k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}"),
            ],
            cgo: false,
            extra: &[],
        }
        .run(stage)
    })?;
    Ok(folder.join("pinfold-kube"))
}

/// Everything for a cluster with nodes.
pub(crate) fn ensure(ui: &Ui, gvisor: bool) -> Result<Programs> {
    Ok(Programs {
        kube: ensure_kube(ui)?,
        containerd: ensure_containerd(ui)?,
        coredns: ensure_own(ui, OF_COREDNS)?,
        pause: ensure_own(ui, OF_PAUSE)?,
        gvisor: if gvisor { Some(ensure_gvisor(ui)?) } else { None },
    })
}

pub(crate) fn ensure_helm(ui: &Ui) -> Result<PathBuf> {
    let folder = OF_HELM.ensure(ui, |stage, folder| {
        let root = "helm.sh/helm/v3";
        Build {
            module: &paths::sources().join("kubernetes"),
            package: &format!("{root}/cmd/helm"),
            output: &folder.join("helm"),
            variables: &[format!("{root}/internal/version.version={HELM}")],
            cgo: false,
            extra: &[],
        }
        .run(stage)
    })?;
    Ok(folder.join("helm"))
}

pub(crate) fn ensure_kwok(ui: &Ui) -> Result<PathBuf> {
    let folder = OF_KWOK.ensure(ui, |stage, folder| {
        install(stage, "sigs.k8s.io/kwok/cmd/kwok", KWOK, folder)
    })?;
    Ok(folder.join("kwok"))
}

pub(crate) fn ensure_containerd(ui: &Ui) -> Result<PathBuf> {
    OF_CONTAINERD.ensure(ui, |stage, folder| {
        let module = paths::sources().join("containerd");
        let root = "github.com/containerd/containerd/v2";
        for program in ["containerd", "containerd-shim-runc-v2", "ctr"] {
            Build {
                module: &module,
                package: &format!("{root}/cmd/{program}"),
                output: &folder.join(program),
                variables: &[format!("{root}/version.Version={CONTAINERD}")],
                cgo: false,
                extra: &[],
            }
            .run(stage)?;
        }
        // runc enters namespaces from C before Go's runtime starts, and links Debian's libseccomp.
        Build {
            module: &module,
            package: "github.com/opencontainers/runc",
            output: &folder.join("runc"),
            variables: &[format!("main.version={RUNC}")],
            cgo: true,
            extra: &["-tags", "seccomp"],
        }
        .run(stage)
    })
}

/// A program whose main package is the wrapper module itself.
fn ensure_own(ui: &Ui, entry: Entry) -> Result<PathBuf> {
    let folder = entry.ensure(ui, |stage, folder| {
        Build {
            module: &paths::sources().join(entry.module.unwrap_or(entry.name)),
            package: ".",
            output: &folder.join(entry.name),
            variables: &[],
            cgo: false,
            extra: &[],
        }
        .run(stage)
    })?;
    Ok(folder.join(entry.name))
}

fn ensure_gvisor(ui: &Ui) -> Result<PathBuf> {
    OF_GVISOR.ensure(ui, |stage, folder| {
        let module = vendored_gvisor(stage)?;
        let overlay = overlay(&module, folder)?;
        let overlay = overlay.to_string_lossy();
        let extra = ["-mod=vendor", "-overlay", &overlay];
        for (package, program) in [
            ("gvisor.dev/gvisor/runsc", "runsc"),
            ("gvisor.dev/gvisor/shim", "containerd-shim-runsc-v1"),
        ] {
            Build {
                module: &module,
                package,
                output: &folder.join(program),
                variables: &[],
                cgo: false,
                extra: &extra,
            }
            .run(stage)?;
        }
        Ok(())
    })
}

/// Go refuses an overlay over its module cache, hence a vendored copy. It is made outside of the checkout.
fn vendored_gvisor(stage: &Stage) -> Result<PathBuf> {
    let copy = paths::work().join("gvisor");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy).with_context(|| format!("cannot create {}", copy.display()))?;
    for file in super::key::files(&paths::sources().join("gvisor"))? {
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, copy.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    stage
        .run("go")
        .args(["mod", "vendor"])
        .dir(&copy)
        .env("GOFLAGS", "")
        .run()?;
    Ok(copy)
}

fn overlay(module: &Path, folder: &Path) -> Result<PathBuf> {
    let replaced = module.join("vendor/github.com/containerd/containerd/v2/pkg/sys/oom_linux.go");
    let ours = module.join("oom_linux.go.overlay");
    let path = folder.join("overlay.json");
    let content = serde_json::json!({ "Replace": { replaced.to_string_lossy(): ours.to_string_lossy() } });
    fs::write(&path, content.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
