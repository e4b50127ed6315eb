//! `sandboxd install <path>`: an init container's work, in an image that has no `cp`.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::log;

const MODE: u32 = 0o755;

/// Copies this very binary to `path`. Whoever looks at `path` sees the whole file or none.
pub(crate) fn install(path: &Path) -> ExitCode {
    match copy_self(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(&format!("could not install to {}: {error}", path.display()));
            ExitCode::FAILURE
        }
    }
}

fn copy_self(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = temporary_beside(path);
    let copied = copy_to(&temporary).and_then(|()| fs::rename(&temporary, path));
    if copied.is_err() {
        // What matters is the first error; a rest of the copy harms no one.
        let _ = fs::remove_file(&temporary);
    }
    copied
}

fn copy_to(path: &Path) -> io::Result<()> {
    let mut from = File::open("/proc/self/exe")?;
    // A container that was restarted in the middle leaves its half copy under the same name.
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(path)?;
    io::copy(&mut from, &mut to)?;
    // The mode at creation is subject to the umask, and not applied to a file that was there.
    to.set_permissions(fs::Permissions::from_mode(MODE))
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}
