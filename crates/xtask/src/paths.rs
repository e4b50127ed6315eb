//! Where things lie: the workspace, the cache, and the state of each cluster.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The longest name whose link name still fits into the kernel's 15 characters.
const CLUSTER_NAME_LENGTH: usize = 10;

/// The top of the checkout.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// What this tool leaves between runs inside the target folder.
pub(crate) fn work() -> PathBuf {
    target().join("xtask")
}

/// The Go modules and the settings of the development cluster.
pub(crate) fn sources() -> PathBuf {
    workspace().join("dev/cluster")
}

/// Builds that are shared by all checkouts of this user.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(path) = env::var_os("PINFOLD_CACHE") {
        return Ok(PathBuf::from(path));
    }
    let home = env::var_os("HOME").context("HOME is not set: set it, or name a folder in PINFOLD_CACHE")?;
    Ok(PathBuf::from(home).join(".cache/pinfold"))
}

/// The state of all clusters. The path is short because sockets lie below it, whose paths end at 107 characters.
pub(crate) fn clusters() -> PathBuf {
    PathBuf::from("/var/lib/pinfold-dev")
}

/// The logs of a cluster whose start failed, after the cluster itself was removed.
pub(crate) fn failed(cluster: &str) -> PathBuf {
    work().join("failed").join(cluster)
}

pub(crate) fn parse_cluster_name(name: &str) -> Result<String, String> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if well_formed && name.len() <= CLUSTER_NAME_LENGTH {
        return Ok(name.to_owned());
    }
    Err(format!(
        "use at most {CLUSTER_NAME_LENGTH} of a-z, 0-9 and -, with a letter first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_names_fit_into_link_names() {
        assert!(parse_cluster_name("dev").is_ok());
        assert!(parse_cluster_name("e2e-2").is_ok());
        for bad in ["", "2dev", "Dev", "a/b", "elevenchars"] {
            assert!(parse_cluster_name(bad).is_err(), "{bad}");
        }
    }
}
