//! Every crate that a release could carry has a licence that `deny.toml` allows. cargo-deny, which `check --full` runs,
//! reads the licence files as well; this reads what the manifests say, and takes a second instead of minutes.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::paths;
use crate::stage::Stage;

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

pub(super) fn check(stage: &Stage) -> Result<()> {
    let path = paths::workspace().join("deny.toml");
    let rules = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules: Rules = toml::from_str(&rules).with_context(|| format!("cannot read {}", path.display()))?;
    let text = stage
        .run("cargo")
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
        .dir(paths::workspace())
        .output()?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read cargo metadata")?;
    let faults: Vec<String> = metadata
        .packages
        .iter()
        .filter_map(|package| {
            let fault = fault(package.license.as_deref(), &rules.licenses.allow)?;
            Some(format!("{} {}: {fault}", package.name, package.version))
        })
        .collect();
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    Ok(())
}

fn fault(license: Option<&str>, allowed: &BTreeSet<String>) -> Option<String> {
    let Some(license) = license else {
        return Some("names no licence".to_owned());
    };
    // Old manifests separate alternatives by a slash.
    match Expression::parse_mode(license, ParseMode::LAX) {
        Ok(expression) if expression.evaluate(|needed| allowed.contains(&needed.to_string())) => None,
        Ok(_) => Some(format!("{license} is not allowed")),
        Err(error) => Some(format!("{license:?} is no SPDX expression: {}", error.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_is_enough_and_every_part_is_needed() {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
        let allowed = allowed.iter().map(ToString::to_string).collect();
        let told = |license| fault(license, &allowed);
        for good in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(told(Some(good)), None, "{good}");
        }
        assert_eq!(
            told(Some("MIT AND AGPL-3.0-only")).as_deref(),
            Some("MIT AND AGPL-3.0-only is not allowed")
        );
        assert_eq!(told(Some("Apache-2.0")).as_deref(), Some("Apache-2.0 is not allowed"));
        assert_eq!(told(None).as_deref(), Some("names no licence"));
        assert!(told(Some("Mine")).is_some_and(|fault| fault.starts_with("\"Mine\" is no SPDX expression")));
    }
}
