//! The command line: one variant per command, each run by the module of its name.

use clap::{Args, Parser, Subcommand};

use crate::foreign::Foreign;
use crate::stage::Ui;
use crate::{bench, check, demo, down, fuzz, generate, image, kubeconfig, logs, status, test, up};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Pinfold's developer tool",
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From a bare machine to the answer of a sandboxed run
    Demo(Target),
    /// Run every suite, or those named
    Test(test::Options),
    /// Start the development cluster, or repair it
    Up(up::Options),
    /// Stop a cluster and remove all that it made
    Down(Named),
    /// Say what runs
    Status(Named),
    /// Print the logs of the cluster's components
    Logs(logs::Options),
    /// Print the path of a user's kubeconfig (default: admin)
    Kubeconfig(kubeconfig::Options),
    /// Build the images and load them into the nodes
    Image(Named),
    /// Write the files that are made from code
    Generate,
    /// Lints, generated files, boundaries and charts
    Check(check::Options),
    /// Measure speed and size
    Bench(bench::Options),
    /// Look for what is taken wrongly of all that strangers may send
    Fuzz(fuzz::Options),
}

/// Which development cluster a command means.
#[derive(Debug, Clone, Args)]
pub(crate) struct Named {
    /// Name of the cluster
    #[arg(long, default_value = "dev", value_parser = crate::paths::parse_cluster_name)]
    pub(crate) cluster: String,
}

/// A development cluster, or one that belongs to somebody else.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) named: Named,
    #[command(flatten)]
    pub(crate) foreign: Foreign,
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let ui = Ui::new();
        match self.command {
            Command::Demo(target) => demo::run(&ui, &target),
            Command::Test(options) => test::run(&ui, &options),
            Command::Up(options) => up::run(&ui, &options),
            Command::Down(named) => down::run(&ui, &named.cluster),
            Command::Status(named) => status::run(&named.cluster),
            Command::Logs(options) => logs::run(&options),
            Command::Kubeconfig(options) => kubeconfig::run(&options),
            Command::Image(named) => image::run(&ui, &named.cluster),
            Command::Generate => generate::run(&ui),
            Command::Check(options) => check::run(&ui, &options),
            Command::Bench(options) => bench::run(&ui, &options),
            Command::Fuzz(options) => fuzz::run(&ui, &options),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn accepts(line: &str) -> bool {
        let words = std::iter::once("xtask").chain(line.split(' '));
        Cli::try_parse_from(words).is_ok()
    }

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_foreign_cluster_takes_no_flags_of_the_development_cluster() {
        let foreign = "up --use-kubeconfig --context theirs";
        for good in ["--loaded", "--registry r.example/x --loaded", "--set a=b --set c=d"] {
            assert!(accepts(&format!("{foreign} {good}")), "{good}");
        }
        assert!(accepts("demo --use-kubeconfig --context theirs --loaded"));
        for bad in [
            "--nodes 2",
            "--gvisor",
            "--cidr 10.7.0.0/16",
            "--cluster dev",
            "--control-plane-only",
        ] {
            assert!(!accepts(&format!("{foreign} {bad}")), "{bad}");
        }
        for alone in ["--loaded", "--registry r.example/x", "--set a=b", "--context theirs"] {
            assert!(!accepts(&format!("up {alone}")), "{alone}");
        }
    }
}
