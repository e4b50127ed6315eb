//! `xtask kubeconfig`: the path of a user's file.

use std::fs;

use anyhow::{Result, bail};
use clap::Args;

use crate::answer::answer;
use crate::cli::Named;
use crate::cluster::Cluster;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// admin, operator, alice, bob, carol or mallory
    #[arg(default_value = "admin")]
    user: String,
    #[command(flatten)]
    named: Named,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let cluster = Cluster::new(&options.named.cluster);
    let path = cluster.kubeconfig(&options.user);
    if !path.exists() {
        let Ok(entries) = fs::read_dir(cluster.kubeconfigs()) else {
            bail!("cluster {} does not run: start it with `cargo xtask up`", cluster.name);
        };
        let mut users: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        users.sort();
        bail!("there is no user {}; there are: {}", options.user, users.join(", "));
    }
    answer!("{}", path.display());
    Ok(())
}
