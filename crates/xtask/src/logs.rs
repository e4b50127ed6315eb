//! `xtask logs`: the ends of the components' logs, or one of them whole; after a failed start those that it left.

use std::fs::{self, File};
use std::io;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::answer::answer;
use crate::cli::Named;
use crate::cluster::Cluster;
use crate::paths;

const TAIL_LINES: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A component such as kubelet or kube-apiserver (default: the last lines of all)
    component: Option<String>,
    #[command(flatten)]
    named: Named,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let name = &options.named.cluster;
    let running = Cluster::new(name).logs();
    let folder = if running.exists() { running } else { paths::failed(name) };
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cluster {name} has no logs: start it with `cargo xtask up --cluster {name}`"))?;
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
            match io::copy(&mut File::open(path)?, &mut io::stdout().lock()) {
                // `| head` has what it wanted.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                other => other.with_context(|| format!("cannot print {}", path.display()))?,
            };
        } else {
            let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            answer!("{}", lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"));
        }
    }
    Ok(())
}
