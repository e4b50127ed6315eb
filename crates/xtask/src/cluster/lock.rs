//! One run at a time per cluster. The kernel drops the lock with its holder, so that a killed run blocks nobody.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};

use anyhow::{Context as _, Result, bail};

use super::Cluster;
use crate::paths;

#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

pub(crate) fn take(cluster: &Cluster) -> Result<Lock> {
    let folder = paths::clusters();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(format!("{}.lock", cluster.name));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        file.read_to_string(&mut holder)?;
        bail!(
            "process {} is already working on cluster {}: wait until it is done, or stop that process",
            holder.trim(),
            cluster.name
        );
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    Ok(Lock(file))
}
