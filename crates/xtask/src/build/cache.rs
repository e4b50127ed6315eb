//! Housekeeping in the folders of the cache: what killed runs left goes, and of each name only the newest entries stay.
//!
//! An entry is called `NAME-KEY` with the key's sixteen digits, and `.tar` after them when it is an archive. What is
//! still being made ends in `.PID.part`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::stage::{Stage, Ui};
use crate::{packages, paths, preflight};

/// A folder that is fetched from elsewhere once.
pub(super) struct Fetched<'a> {
    /// What the stage is called, and what the folder and its entries begin with.
    pub(super) title: &'a str,
    pub(super) name: &'a str,
    pub(super) key: String,
    /// Debian packages that fetch it.
    pub(super) packages: &'a [&'a str],
    pub(super) mend: &'a str,
}

/// How many of one name stay, and the room that one needs.
const FETCHED: usize = 2;
const FETCHED_GIB: u64 = 1;

impl Fetched<'_> {
    /// Where it is; it is made first if it is not there.
    pub(super) fn ensure(&self, ui: &Ui, make: impl FnOnce(&Stage, &Path) -> Result<()>) -> Result<PathBuf> {
        let folder = paths::cache()?.join(self.name);
        let entry = folder.join(format!("{}-{}", self.name, self.key));
        if entry.exists() {
            mark_used(&entry);
            return Ok(entry);
        }
        packages::ensure_these(ui, self.packages)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        remove_dead_parts(&folder);
        preflight::disk(&folder, FETCHED_GIB)?;
        ui.stage(self.title, self.mend, |stage| {
            let part = part_of(&entry);
            fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
            make(stage, &part)?;
            fs::rename(&part, &entry).with_context(|| format!("cannot create {}", entry.display()))?;
            keep_newest(&folder, self.name, FETCHED);
            Ok(())
        })?;
        Ok(entry)
    }
}

/// Where the process makes an entry before it appears under its name.
pub(super) fn part_of(entry: &Path) -> PathBuf {
    entry.with_extension(format!("{}.part", std::process::id()))
}

/// Two checkouts may build at the same time: what a living process makes stays.
pub(super) fn remove_dead_parts(folder: &Path) {
    for (name, path) in entries(folder) {
        if maker(&name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            remove(&path);
        }
    }
}

/// Each change would leave an entry behind for good. An entry whose programs run is never removed.
pub(super) fn keep_newest(folder: &Path, name: &str, count: usize) {
    let mut found: Vec<(SystemTime, PathBuf)> = entries(folder)
        .into_iter()
        .filter(|(file, _)| is_entry_of(name, file))
        .filter_map(|(_, path)| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    found.sort();
    let surplus = found.len().saturating_sub(count);
    for (_, path) in found.into_iter().take(surplus) {
        if !runs(&path) {
            remove(&path);
        }
    }
}

/// Newest means last used: going back to an older checkout must not make its entry the next one to go.
pub(super) fn mark_used(entry: &Path) {
    // A cache that cannot be written to is used as it is.
    let _ = File::open(entry).and_then(|file| file.set_modified(SystemTime::now()));
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect()
}

/// The process that makes or made this, if it is unfinished.
fn maker(name: &str) -> Option<u32> {
    name.strip_suffix(".part")?.rsplit('.').next()?.parse().ok()
}

fn is_entry_of(name: &str, file: &str) -> bool {
    const KEY_LENGTH: usize = 16;
    file.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'))
        .map(|rest| rest.strip_suffix(".tar").unwrap_or(rest))
        .is_some_and(|key| key.len() == KEY_LENGTH && key.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Whether a process, of whichever cluster, was started from this folder.
fn runs(folder: &Path) -> bool {
    entries(Path::new("/proc"))
        .into_iter()
        .filter_map(|(_, process)| fs::read_link(process.join("exe")).ok())
        .any(|program| program.starts_with(folder))
}

fn remove(path: &Path) {
    // Another run may have removed it first.
    let _ = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_sixteen_digits_make_an_entry() {
        assert!(is_entry_of("helm", "helm-0123456789abcdef"));
        assert!(is_entry_of("sandbox-base-dev", "sandbox-base-dev-0123456789abcdef.tar"));
        assert!(!is_entry_of("sandbox", "sandbox-base-dev-0123456789abcdef.tar"));
        assert!(!is_entry_of("helm", "helm-0123456789abcdef.7.part"));
    }

    #[test]
    fn the_newest_stay_and_parts_of_the_living() {
        let folder = std::env::temp_dir().join(format!("xtask-cache-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (age, name) in ["x-0000000000000003", "x-0000000000000001", "x-0000000000000002"]
            .iter()
            .enumerate()
        {
            let file = File::create(folder.join(name)).unwrap();
            let age = Duration::from_secs(100 * (age as u64 + 1));
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        let own = part_of(&folder.join("x-0000000000000004"));
        File::create(&own).unwrap();
        // No process has a number as large as this.
        File::create(folder.join("x-0000000000000005.4294967295.part")).unwrap();

        mark_used(&folder.join("x-0000000000000002"));
        keep_newest(&folder, "x", 2);
        remove_dead_parts(&folder);

        let mut left: Vec<String> = entries(&folder).into_iter().map(|(name, _)| name).collect();
        left.sort();
        let own = own.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(left, ["x-0000000000000002", "x-0000000000000003", &own]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
