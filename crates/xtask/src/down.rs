//! `xtask down`: no process, mount, namespace, interface or cgroup of the cluster remains.

use anyhow::Result;

use crate::cluster::{Cluster, lock, stop};
use crate::preflight;
use crate::stage::Ui;

pub(crate) fn run(ui: &Ui, name: &str) -> Result<()> {
    preflight::root()?;
    let cluster = Cluster::new(name);
    let _lock = lock::take(&cluster)?;
    let mend = "the error names what is in the way; end it and run the command again";
    ui.stage(&format!("stop {name}"), mend, |_| stop::stop(&cluster))
}
