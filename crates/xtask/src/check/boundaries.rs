//! What a crate may depend on, and which files may talk to a cluster or a database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::build::key::files;
use crate::paths;
use crate::stage::Stage;

/// A crate of ours, and what its own manifest must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("operator", &["sqlx", "api"]),
    ("api", &["operator"]),
    ("crds", &["tokio"]),
    ("domain", &["kube", "sqlx", "axum", "k8s-openapi"]),
    ("resource-server", &["kube", "sqlx", "axum", "tokio"]),
    ("xtask", &["kube", "k8s-openapi", "rustls", "tokio", "reqwest"]),
];
/// Two TLS stacks in one product are two sets of holes; one of them is not memory safe.
const BANNED_PACKAGES: &[&str] = &["openssl", "openssl-sys", "native-tls"];
const CLIENT: &[&str] = &["kube::Api", "kube::Client", "Api<", "Client::"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    features: Vec<String>,
}

pub(super) fn check(stage: &Stage) -> Result<()> {
    let text = stage
        .run("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .dir(paths::workspace())
        .output()?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read cargo metadata")?;
    let lock = fs::read_to_string(paths::workspace().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let mut faults = dependency_faults(&metadata);
    faults.extend(banned_faults(&lock));
    faults.extend(client_faults(&paths::workspace())?);
    faults.extend(database_faults(&paths::workspace())?);
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    Ok(())
}

fn dependency_faults(metadata: &Metadata) -> Vec<String> {
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &metadata.packages {
        // What only tests need may be anything.
        let shipped: BTreeMap<&str, &Dependency> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
            .map(|dependency| (dependency.name.as_str(), dependency))
            .collect();
        let forbidden = FORBIDDEN
            .iter()
            .find(|(name, _)| *name == package.name)
            .map_or(&[][..], |(_, list)| list);
        for name in forbidden.iter().filter(|name| shipped.contains_key(**name)) {
            faults.push(format!("{} must not depend on {name}", package.name));
        }
        if package.name == "domain" {
            for name in shipped.keys().filter(|name| ours.contains(**name)) {
                faults.push(format!(
                    "domain must not depend on {name}: it depends on nothing of ours"
                ));
            }
        }
        if package.name == "crds" {
            let client = shipped
                .get("kube")
                .is_some_and(|kube| kube.features.iter().any(|feature| feature == "client"));
            if client {
                faults.push("crds must not use kube's client: it holds types only".to_owned());
            }
        }
    }
    faults
}

fn banned_faults(lock: &str) -> Vec<String> {
    let banned = BANNED_PACKAGES
        .iter()
        .filter(|name| lock.contains(&format!("name = \"{name}\"\n")));
    banned
        .map(|name| format!("Cargo.lock holds {name}: use rustls"))
        .collect()
}

/// The pure steps of a reconcile get what they need as values; a client there would make them untestable.
fn client_faults(top: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for folder in ["operator/src", "api/src", "crds/src", "crates"] {
        let folder = top.join(folder);
        if !folder.exists() {
            continue;
        }
        for path in files(&folder)? {
            let relative = path.strip_prefix(top).unwrap_or(&path);
            if path.extension().is_none_or(|extension| extension != "rs") || may_use_client(relative) {
                continue;
            }
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if uses_client(&text) {
                faults.push(format!("{} uses the Kubernetes client", relative.display()));
            }
        }
    }
    Ok(faults)
}

/// SQL has one place; whoever looks for a query knows where, and nobody steps around the tenant's transaction.
fn database_faults(top: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in files(&top.join("api/src"))? {
        let relative = path.strip_prefix(top).unwrap_or(&path);
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        if !may_use_database(relative) && code.iter().any(|line| line.contains("sqlx::")) {
            faults.push(format!("{} names sqlx; SQL is in api/src/store", relative.display()));
        }
        let names_redis = |line: &&str| line.contains("::redis::") && !line.contains("crate::redis::");
        if !may_use_redis(relative) && code.iter().any(names_redis) {
            faults.push(format!(
                "{} names redis; what replicas share is in api/src/redis.rs",
                relative.display()
            ));
        }
    }
    Ok(faults)
}

/// The store, and tests, which look at what it stored.
fn may_use_database(path: &Path) -> bool {
    let in_store = path.starts_with("api/src/store") || path == Path::new("api/src/store.rs");
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    let names = ["tests.rs", "testing.rs"];
    in_store
        || in_tests
        || path
            .file_name()
            .is_some_and(|name| names.iter().any(|known| name == *known))
}

/// The one client, and the tests' own server.
fn may_use_redis(path: &Path) -> bool {
    ["api/src/redis", "api/src/redis.rs", "api/src/testing/redis.rs"]
        .iter()
        .any(|place| path.starts_with(place))
}

fn may_use_client(path: &Path) -> bool {
    let text = path.to_string_lossy();
    // This tool cannot use a client, since it must not depend on one; but it spells the names, here.
    if text.starts_with("api/src/cluster") || text.starts_with("crates/xtask/") {
        return true;
    }
    let pure = ["validate.rs", "build.rs", "phase.rs"]
        .iter()
        .any(|name| path.file_name() == Some(name.as_ref()))
        || path.components().any(|part| part.as_os_str() == "build");
    text.starts_with("operator/") && !pure
}

fn uses_client(text: &str) -> bool {
    let code = text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(code, _)| code);
    let names_kube = code.lines().any(|line| {
        let line = line.trim_start();
        line.contains("kube::") && !line.starts_with("//")
    });
    names_kube
        && code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| {
                CLIENT.iter().any(|name| line.contains(name)) || (line.contains("use kube::") && imports_client(line))
            })
}

fn imports_client(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "Api" || word == "Client")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pure_steps_have_no_client() {
        assert!(may_use_client(Path::new("operator/src/tenant/apply.rs")));
        assert!(may_use_client(Path::new("api/src/cluster/apply.rs")));
        for path in [
            "operator/src/tenant/build/quota.rs",
            "operator/src/agent/validate.rs",
            "crds/src/agent.rs",
            "api/src/app.rs",
        ] {
            assert!(!may_use_client(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn sql_has_one_place() {
        for path in [
            "api/src/store.rs",
            "api/src/store/agents.rs",
            "api/src/routes/me/get/tests.rs",
            "api/src/service/standing/tests/outsiders.rs",
        ] {
            assert!(may_use_database(Path::new(path)), "{path}");
        }
        for path in [
            "api/src/service/tokens.rs",
            "api/src/routes/me/get.rs",
            "api/src/stores.rs",
        ] {
            assert!(!may_use_database(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn clients_are_seen_and_words_in_comments_are_not() {
        assert!(uses_client("use kube::{Api, ResourceExt};\n"));
        assert!(uses_client("fn a(c: kube::Client) {}\n"));
        assert!(!uses_client("use kube::ResourceExt;\n// kube::Api is elsewhere\n"));
        assert!(!uses_client(
            "use kube::ResourceExt;\n#[cfg(test)]\nmod tests { use kube::Api; }\n"
        ));
    }

    #[test]
    fn banned_packages_are_found_by_whole_name() {
        assert_eq!(banned_faults("name = \"openssl\"\n").len(), 1);
        assert!(banned_faults("name = \"openssl-probe\"\n").is_empty());
    }
}
