//! The compiler's standard library for the target of `sandboxd`. The toolchain file names it, but rustup installs
//! what that file names only where installing by itself is switched on.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::command::Run;
use crate::paths;
use crate::stage::Ui;

/// A static binary that runs in any image, even an empty one.
pub(crate) const MUSL: &str = "x86_64-unknown-linux-musl";

pub(crate) fn ensure_musl(ui: &Ui) -> Result<()> {
    if has_musl()? {
        return Ok(());
    }
    let mend = format!("install the Rust standard library for {MUSL} by hand, for example: rustup target add {MUSL}");
    ui.stage("rust target", &mend, |stage| {
        stage
            .run("rustup")
            .args(["target", "add", MUSL])
            .dir(paths::workspace())
            .run()?;
        ensure!(
            has_musl()?,
            "rustc has no standard library for {MUSL} after it was installed"
        );
        Ok(())
    })
}

fn has_musl() -> Result<bool> {
    let folder = Run::new("rustc")
        .args(["--print", "target-libdir", "--target", MUSL])
        .dir(paths::workspace())
        .output()
        .context("cannot ask rustc for its libraries")?;
    Ok(Path::new(folder.trim()).exists())
}
