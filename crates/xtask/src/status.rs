//! `xtask status`: what runs, and what does not.

use anyhow::{Result, bail};

use crate::answer::answer;
use crate::cluster::{Cluster, stop};

pub(crate) fn run(name: &str) -> Result<()> {
    let cluster = Cluster::new(name);
    let Some(state) = cluster.load() else {
        if stop::leftovers(&cluster)? {
            bail!("cluster {name} was left half made: run `cargo xtask up` or `cargo xtask down`");
        }
        answer!("cluster {name} does not exist");
        return Ok(());
    };
    answer!("cluster {name} at {}", state.server);
    if let Some(range) = state.range {
        answer!(
            "addresses {range}: machines {}, services {}, pods {}",
            range.machines(),
            range.services(),
            range.pods()
        );
    }
    let mut down = 0;
    for machine in &state.machines {
        let alive = cluster.process(machine).is_some();
        answer!("{machine}: {}", if alive { "runs" } else { "does not run" });
        down += usize::from(!alive);
        for component in cluster
            .status(machine)
            .and_then(|status| status.components)
            .unwrap_or_default()
        {
            let runs = alive && component.running;
            let text = if runs {
                "runs".to_owned()
            } else {
                format!("down ({})", component.exit)
            };
            answer!("  {:<24} {text}", component.name);
            down += usize::from(!runs);
        }
    }
    if down > 0 {
        bail!("{down} parts of cluster {name} are down: `cargo xtask logs` says why, `cargo xtask up` starts over");
    }
    Ok(())
}
