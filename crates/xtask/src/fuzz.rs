//! `xtask fuzz`: libFuzzer looks for what is taken wrongly of all that strangers may send, for a while each.

use std::fs;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::paths;
use crate::stage::Ui;

const TARGETS: [&str; 5] = [
    "authorization-requests",
    "documents",
    "proofs",
    "token-requests",
    "tokens",
];

/// What has the compiler count which branches were taken. All of it is known to a stable compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=yes";

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// For how many seconds each is looked at
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Only these
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    ui.stage("build the fuzz targets", "the log names the error", |stage| {
        stage
            .run("cargo")
            .args([
                "build",
                "--package",
                "fuzz-targets",
                "--features",
                "libfuzzer",
                "--bins",
            ])
            // With a target named, what runs at build time is left as it is.
            .args(["--profile", "image", "--target", &triple])
            .env("RUSTFLAGS", FLAGS)
            .dir(paths::workspace())
            .run()
    })?;
    let programs = paths::target().join(triple).join("image");
    let seeds = paths::workspace().join("tests/fuzz/seeds");
    for target in TARGETS {
        if !options.targets.is_empty() && !options.targets.iter().any(|name| name == target) {
            continue;
        }
        let work = paths::work().join("fuzz").join(target);
        fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        let found = format!("-artifact_prefix={}-", work.display());
        ui.stage(
            &format!("fuzz {target}"),
            "the log ends with what was found, and names the file that has it: make it a seed, and mend the code",
            |stage| {
                stage
                    .run(programs.join(format!("fuzz-{target}")))
                    .arg(&work)
                    .arg(seeds.join(target))
                    .arg(format!("-max_total_time={}", options.seconds))
                    .args([
                        "-timeout=5",
                        "-rss_limit_mb=1024",
                        "-max_len=9000",
                        "-print_final_stats=1",
                    ])
                    .arg(found)
                    .run()
            },
        )?;
    }
    Ok(())
}
