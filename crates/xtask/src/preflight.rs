//! What must be true of the machine before anything is touched.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::command::Run;

const GIB: u64 = 1 << 30;

/// Namespaces, mounts and cgroups are made directly, without a daemon that would do it for us.
pub(crate) fn root() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "this command needs root, for the namespaces of a cluster and the layers of images: run it as root, for example \
         in a virtual machine"
    );
    Ok(())
}

/// The oldest Go that the modules under `dev/cluster` can be built with.
const GO: (u32, u32) = (1, 26);

pub(crate) fn go() -> Result<()> {
    // Away from the modules, whose go lines could choose another version than the one that is installed.
    let found = Run::new("go").args(["env", "GOVERSION"]).dir("/").output();
    let (major, minor) = GO;
    let mend = format!("install Go {major}.{minor} or newer (the cluster's programs are built from source)");
    let found = found.map_err(|error| anyhow::anyhow!("go does not answer: {mend}: {error:#}"))?;
    let version = go_release(&found).with_context(|| format!("`{}` is no version of Go: {mend}", found.trim()))?;
    ensure!(version >= GO, "{} is too old: {mend}", found.trim());
    Ok(())
}

/// The release in words such as `go1.26.3`, `go1.27rc1` or `devel go1.27-4c5a9e`.
fn go_release(text: &str) -> Option<(u32, u32)> {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("go"))?;
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Refuses early: a disk that fills up in the middle leaves half-written builds and an evicting kubelet.
pub(crate) fn disk(folder: &Path, gib: u64) -> Result<()> {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(existing).with_context(|| format!("cannot measure {}", existing.display()))?;
    let free = stat.f_bavail * stat.f_frsize / GIB;
    ensure!(
        free >= gib,
        "{} has {free} GiB free and {gib} GiB are needed: free some space, or set PINFOLD_CACHE and CARGO_TARGET_DIR \
         to folders on a larger disk",
        existing.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_go_are_found_and_compared() {
        for (text, release) in [
            ("go1.26.3\n", Some((1, 26))),
            ("go1.27rc1", Some((1, 27))),
            ("devel go1.28-4c5a9e X:none", Some((1, 28))),
            ("", None),
            ("gopher", None),
        ] {
            assert_eq!(go_release(text), release, "{text}");
        }
        assert!(go_release("go1.9").unwrap() < GO);
        assert!(go_release("go2.0").unwrap() > GO);
    }
}
