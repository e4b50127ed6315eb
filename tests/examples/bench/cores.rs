//! What runs on which core, where a figure is one of a core.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};

use super::process::program_of;

/// The core of what is measured.
pub(crate) const MEASURED: usize = 0;

/// The core of what loads it, and of what it needs.
pub(crate) const REST: usize = 1;

/// Keeps the calling thread, and what it starts, on a core.
pub(crate) fn pin_this_thread(core: usize) -> Result<()> {
    pin(None, core)
}

/// Keeps every process of a program that has this part in its command line on a core. What they start stays there, too.
pub(crate) fn pin_processes(program: &str, part: &str, core: usize) -> Result<()> {
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.path();
        let is_program = program_of(&folder).is_some_and(|name| name == program);
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let id = folder.file_name().and_then(|name| name.to_str()?.parse().ok());
        if is_program
            && String::from_utf8_lossy(&line).contains(part)
            && let Some(pid) = id.and_then(Pid::from_raw)
        {
            pin(Some(pid), core)?;
        }
    }
    Ok(())
}

/// Keeps every thread of this process on a core, and those that they start: what reads the log of what is measured is no
/// part of it.
pub(crate) fn pin_this_process(core: usize) -> Result<()> {
    for entry in fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        pin(Some(id.context("an odd /proc/self/task")?), core)?;
    }
    Ok(())
}

fn pin(pid: Option<Pid>, core: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(pid, &one).with_context(|| format!("choose core {core}"))
}
