//! Generated files are what the generator makes now.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::build::key::files;
use crate::generate;
use crate::paths;
use crate::stage::Stage;

pub(super) fn check(stage: &Stage) -> Result<()> {
    let fresh = paths::work().join("generated");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).with_context(|| format!("cannot create {}", fresh.display()))?;
    generate::into(stage, &fresh)?;
    let mut different = Vec::new();
    for folder in generate::FOLDERS {
        let (committed, made) = (read(&paths::workspace().join(folder))?, read(&fresh.join(folder))?);
        for name in committed.keys().chain(made.keys()) {
            let path = format!("{folder}/{name}");
            if committed.get(name) != made.get(name) && !different.contains(&path) {
                different.push(path);
            }
        }
    }
    if !different.is_empty() {
        bail!("not as generated: {}", different.join(", "));
    }
    Ok(())
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for path in files(folder)? {
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        found.insert(name, fs::read(&path)?);
    }
    Ok(found)
}
