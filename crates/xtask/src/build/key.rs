//! Names of cache entries: made from the versions and the files that went into them, so that nothing is ever stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::command::Run;

/// From this size on another program does the sum: this tool is built without optimisation and takes seconds for it.
const LARGE: u64 = 1 << 20;

/// Collects what decides about a result.
#[derive(Debug, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn text(mut self, text: &str) -> Self {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        self.0.update(text.len().to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Every file of a folder, by its relative path and its content.
    pub(crate) fn folder(mut self, folder: &Path) -> Result<Self> {
        for path in files(folder)? {
            let relative = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            self = self.text(&relative).file(&path)?;
        }
        Ok(self)
    }

    pub(crate) fn file(mut self, path: &Path) -> Result<Self> {
        let length = fs::metadata(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .len();
        if length > LARGE {
            let sum = Run::new("sha256sum").arg("--binary").arg(path).output()?;
            return Ok(self.text(sum.split(' ').next().unwrap_or_default()));
        }
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(&bytes);
        Ok(self)
    }

    /// Sixteen hexadecimal digits: enough to be distinct, short enough for paths.
    pub(crate) fn finish(self) -> String {
        let digest = self.0.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        format!("{:016x}", u64::from_be_bytes(first))
    }
}

/// All files below a folder in a stable order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_between_texts_count() {
        let one = Key::default().text("ab").text("c").finish();
        let other = Key::default().text("a").text("bc").finish();
        assert_ne!(one, other);
        assert_eq!(one.len(), 16);
    }
}
