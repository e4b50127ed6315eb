//! A cluster of somebody else: build, bring the images to its nodes in one of a few ways, install.

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::build::archive::Archive;
use crate::build::ours::Optimised;
use crate::build::{buildah, programs};
use crate::cluster::kubectl::Kubectl;
use crate::command::Run;
use crate::image::{self, Images};
use crate::install::{self, Charts};
use crate::preflight;
use crate::stage::{Stage, Ui};

/// A foreign cluster is only ever used on explicit demand: an exported KUBECONFIG alone changes nothing.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Foreign {
    /// Use a cluster from your own kubeconfig instead of the development cluster
    #[arg(long, requires = "context", conflicts_with = "cluster")]
    use_kubeconfig: bool,
    /// The context of that cluster
    #[arg(long, value_name = "NAME", requires = "use_kubeconfig")]
    context: Option<String>,
    /// Push the images to PREFIX/operator:dev and so on, and let the cluster pull them from there
    #[arg(long, value_name = "PREFIX", requires = "use_kubeconfig", value_parser = parse_registry)]
    registry: Option<String>,
    /// The images are on the nodes, or in the registry, already: load and push nothing
    #[arg(long, requires = "use_kubeconfig")]
    loaded: bool,
    /// A value of the chart `pinfold`, as helm takes it; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "use_kubeconfig", value_parser = parse_setting)]
    settings: Vec<String>,
}

impl Foreign {
    /// The context, when a foreign cluster was asked for.
    pub(crate) fn context(&self) -> Option<&str> {
        self.context.as_deref().filter(|_| self.use_kubeconfig)
    }

    pub(crate) fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }
}

/// How the images come to the nodes.
#[derive(Debug, PartialEq, Eq)]
enum Way<'a> {
    There,
    Registry(&'a str),
    Kind(&'a str),
    Minikube,
    ByHand,
}

/// Installs this checkout's build, and answers a kubectl for the cluster.
pub(crate) fn install(ui: &Ui, context: &str, options: &Foreign) -> Result<Kubectl> {
    preflight::root()?;
    programs::require_go(&[programs::OF_HELM])?;
    let kubectl = ensure_answer(ui, context)?;
    let helm = programs::ensure_helm(ui)?;
    let images = image::build(ui, Optimised::Yes, drop)?;
    bring(ui, context, &way(context, options), &images)?;
    let mut settings = options.registry().map_or_else(Vec::new, registry_settings);
    settings.extend(install::content_of_pods(&images.operator.key(), &images.api.key()));
    settings.extend(options.settings.iter().cloned());
    let charts = Charts {
        helm,
        target: format!("--kube-context={context}"),
        kubectl: kubectl.clone(),
        settings,
    };
    charts.install(ui)?;
    Ok(kubectl)
}

/// A kubectl that the cluster answers, before minutes go into builds for a cluster that is not there.
fn ensure_answer(ui: &Ui, context: &str) -> Result<Kubectl> {
    // The user's own comes first: it fits the user's cluster, and ours would have to be built.
    let kubectl = if Run::new("kubectl").args(["version", "--client"]).succeeds() {
        Kubectl::of_user(context)
    } else {
        programs::require_go(&[programs::OF_KUBE])?;
        Kubectl::foreign(&programs::ensure_kube(ui)?, context)
    };
    let mend = "see that `kubectl config get-contexts` lists the context (root may have another kubeconfig than you: \
                export KUBECONFIG), and that its cluster runs";
    ui.stage(&format!("ask {context}"), mend, |stage| {
        kubectl
            .run(stage)
            .args(["get", "--raw", "/readyz", "--request-timeout=15s"])
            .run()
            .with_context(|| format!("the cluster of context {context} does not answer"))
    })?;
    Ok(kubectl)
}

fn way<'a>(context: &'a str, options: &'a Foreign) -> Way<'a> {
    if options.loaded {
        return Way::There;
    }
    if let Some(registry) = options.registry() {
        return Way::Registry(registry);
    }
    if let Some(name) = context.strip_prefix("kind-")
        && Run::new("kind").arg("version").succeeds()
    {
        return Way::Kind(name);
    }
    if Run::new("minikube").args(["-p", context, "status"]).succeeds() {
        return Way::Minikube;
    }
    Way::ByHand
}

fn bring(ui: &Ui, context: &str, way: &Way<'_>, images: &Images) -> Result<()> {
    let archives = images.shipped();
    match way {
        Way::There => Ok(()),
        Way::Registry(registry) => {
            let mend = format!(
                "give buildah the right to push (buildah login), or push these archives yourself and run the command \
                 again with --loaded:\n{}",
                list(&archives, Some(registry))
            );
            ui.stage(&format!("push images to {registry}"), &mend, |stage| {
                archives
                    .iter()
                    .try_for_each(|archive| buildah::push(stage, archive, &image::in_registry(&archive.name, registry)))
            })
        }
        Way::Kind(name) => load(ui, context, &archives, |stage| {
            stage.run("kind").args(["load", "image-archive", "--name", name])
        }),
        Way::Minikube => load(ui, context, &archives, |stage| {
            stage.run("minikube").args(["-p", context, "image", "load"])
        }),
        Way::ByHand => bail!(
            "the images cannot be brought to the nodes of {context} from here. Either name a registry that its nodes \
             pull from with --registry PREFIX, or load these archives into the container runtime of every node and run \
             the command again with --loaded:\n{}",
            list(&archives, None)
        ),
    }
}

fn load(ui: &Ui, context: &str, archives: &[&Archive], command: impl Fn(&Stage) -> Run) -> Result<()> {
    let mend = format!(
        "load these archives by hand and pass --loaded:\n{}",
        list(archives, None)
    );
    ui.stage(&format!("load images into {context}"), &mend, |stage| {
        for archive in archives {
            stage.note(&archive.name);
            command(stage).arg(&archive.path).run()?;
        }
        Ok(())
    })
}

/// One line per archive: the name that the cluster will ask for, and the file.
fn list(archives: &[&Archive], registry: Option<&str>) -> String {
    let lines: Vec<String> = archives
        .iter()
        .map(|archive| {
            let name = registry.map_or_else(
                || archive.name.clone(),
                |registry| image::in_registry(&archive.name, registry),
            );
            format!("  {name}  {}", archive.path.display())
        })
        .collect();
    lines.join("\n")
}

/// A tag that stays the same means nothing to a node that has the image: it has to ask the registry each time.
fn registry_settings(registry: &str) -> Vec<String> {
    vec![
        format!("image.repository={registry}/operator"),
        "image.pullPolicy=Always".to_owned(),
        format!("sandboxd.image.repository={registry}/sandboxd"),
        "sandboxd.image.pullPolicy=Always".to_owned(),
        format!("templates.image.prefix={registry}/sandbox-"),
    ]
}

fn parse_registry(text: &str) -> Result<String, String> {
    let prefix = text.trim_end_matches('/');
    if prefix.is_empty() || prefix.contains("://") || prefix.contains(char::is_whitespace) {
        return Err("name a host and a path without a scheme, such as registry.example/team".to_owned());
    }
    Ok(prefix.to_owned())
}

fn parse_setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("write KEY=VALUE, such as deniedCIDRs={10.0.0.0/8}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(registry: Option<&str>, loaded: bool) -> Foreign {
        Foreign {
            use_kubeconfig: true,
            context: Some("theirs".to_owned()),
            registry: registry.map(str::to_owned),
            loaded,
            settings: Vec::new(),
        }
    }

    #[test]
    fn what_is_there_is_not_brought_again() {
        assert_eq!(way("theirs", &options(Some("r.example/x"), true)), Way::There);
        assert_eq!(
            way("theirs", &options(Some("r.example/x"), false)),
            Way::Registry("r.example/x")
        );
    }

    #[test]
    fn the_list_shows_the_names_that_the_cluster_asks_for() {
        let archive = Archive {
            name: "pinfold.dev/operator:dev".to_owned(),
            path: "/cache/operator-dev-1.tar".into(),
        };
        assert_eq!(
            list(&[&archive], Some("r.example/x")),
            "  r.example/x/operator:dev  /cache/operator-dev-1.tar"
        );
        assert_eq!(
            list(&[&archive], None),
            "  pinfold.dev/operator:dev  /cache/operator-dev-1.tar"
        );
    }

    #[test]
    fn prefixes_and_settings_are_checked_before_anything_is_built() {
        assert_eq!(parse_registry("r.example:5000/x/").unwrap(), "r.example:5000/x");
        assert!(parse_registry("https://r.example").is_err());
        assert!(parse_setting("a.b={c,d}").is_ok());
        assert!(parse_setting("a").is_err());
    }
}
