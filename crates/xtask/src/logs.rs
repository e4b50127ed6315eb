//! `xtask logs`: the ends of the components' logs, or one of them whole.

use std::fs::{self, File};
use std::io;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::answer::answer;
use crate::cli::Named;
use crate::cluster::Cluster;

const TAIL_LINES: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A component such as kubelet or kube-apiserver (default: the last lines of all)
    component: Option<String>,
    #[command(flatten)]
    named: Named,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Cluster::new(&options.named.cluster).logs();
    let entries = fs::read_dir(&folder).with_context(|| {
        format!(
            "cluster {} has no logs: start it with `cargo xtask up`",
            options.named.cluster
        )
    })?;
    let mut logs: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    logs.sort();
    let wanted: Vec<_> = match &options.component {
        Some(component) => logs
            .iter()
            .filter(|path| path.to_string_lossy().contains(component.as_str()))
            .collect(),
        None => logs.iter().filter(|path| !path.ends_with("audit.log")).collect(),
    };
    if wanted.is_empty() {
        let names: Vec<_> = logs
            .iter()
            .filter_map(|path| path.file_stem())
            .map(|name| name.to_string_lossy())
            .collect();
        bail!("no log of that name; there are: {}", names.join(", "));
    }
    for path in wanted {
        answer!("==> {}", path.display());
        if options.component.is_some() {
            io::copy(&mut File::open(path)?, &mut io::stdout().lock())?;
        } else {
            let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            answer!("{}", lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"));
        }
    }
    Ok(())
}
