//! The file that becomes the container's termination message.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// Open from the first moment on, so that a program which changes the file system cannot redirect what is written.
#[derive(Debug)]
pub(crate) struct ResultFile(File);

impl ResultFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map(Self)
    }

    /// Replaces the contents in place: the file is a bind mount, which nothing can be renamed over. Shortened after the
    /// write, so that no moment has neither the old nor the new result.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        self.0.write_all_at(text.as_bytes(), 0)?;
        self.0.set_len(text.len() as u64)
    }
}
