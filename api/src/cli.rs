//! The command line.

use std::{collections::BTreeMap, env, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand};
use telemetry::logging::{self, Format};

use crate::{
    admin,
    config::{self, Config, Environment},
    import, reseal, router, serve,
    store::migrations,
    verify_audit,
};

/// Pinfold's control-plane API
#[derive(Debug, Parser)]
#[command(name = "pinfold-api", version)]
pub struct Cli {
    /// A TOML file with settings; the environment wins over it
    #[arg(long, env = "PINFOLD_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// How log lines look; unless it is said, json, and text where `ENVIRONMENT` is development
    #[arg(long, env = "PINFOLD_LOG_FORMAT", value_enum, global = true)]
    log_format: Option<Format>,
    /// What is logged: a level, or targets with levels
    #[arg(long, env = "PINFOLD_LOG", default_value = "info", global = true)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Answer requests, and do the jobs besides
    Serve {
        /// Leave the jobs to `pinfold-api work`
        #[arg(long)]
        no_jobs: bool,
    },
    /// Do the jobs: resources in the cluster, mail
    Work,
    /// Make a person who runs the platform; the password is read from standard input
    CreateAdmin {
        /// The address to log in with
        #[arg(long)]
        email: String,
        /// The person's name
        #[arg(long, default_value = "Administrator")]
        name: String,
    },
    /// Bring the database's schema up to date
    Migrate,
    /// Bring in people, agents and oversights of another system; what is there already stays as it is
    Import {
        /// Say what would be done, and store nothing
        #[arg(long)]
        dry_run: bool,
        /// Lines of JSON (docs/operations/import.md)
        file: PathBuf,
    },
    /// Seal under the master key what was sealed under the one before it, while the service runs on
    Reseal,
    /// Look whether the audit is whole
    VerifyAudit {
        /// Lines of the log, or of exports, with heads from earlier: what was cut off or made anew since then shows by them
        #[arg(long)]
        heads: Option<PathBuf>,
    },
    /// Say everything that is wrong with the configuration
    CheckConfig,
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Print who may call what (Markdown)
    Access,
    /// Print the reference of settings (Markdown)
    Settings,
}

/// The variables that stand for options of every command, and what each is.
fn variables() -> Vec<[String; 4]> {
    let program = Cli::command();
    let options = program.get_arguments().filter_map(|option| {
        let variable = option.get_env()?.to_string_lossy().into_owned();
        let long = option.get_long()?;
        let defaults = option.get_default_values().iter();
        let default = defaults
            .map(|value| value.to_string_lossy().into_owned())
            .collect::<Vec<_>>();
        let about = option.get_help().map_or_else(String::new, ToString::to_string);
        Some([variable, format!("--{long}"), default.join(","), about])
    });
    options.collect()
}

/// Does what the command line says.
#[expect(clippy::print_stdout, reason = "one-shot commands answer on standard output")]
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Openapi => {
            println!("{}", serde_json::to_string_pretty(&router::document())?);
            return Ok(());
        }
        Command::Access => {
            print!("{}", router::access::page());
            return Ok(());
        }
        Command::Settings => {
            print!("{}", config::reference(&variables()));
            return Ok(());
        }
        Command::Serve { .. }
        | Command::Work
        | Command::CreateAdmin { .. }
        | Command::Import { .. }
        | Command::Migrate
        | Command::Reseal
        | Command::VerifyAudit { .. }
        | Command::CheckConfig => {}
    }
    let environment: BTreeMap<String, String> = env::vars().collect();
    let config = Config::load(cli.config.as_deref(), &environment)?;
    let format = cli.log_format.unwrap_or(match config.http.environment {
        Environment::Development => Format::Text,
        Environment::Production => Format::Json,
    });
    logging::init(format, &cli.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    match &cli.command {
        Command::Serve { no_jobs } => runtime.block_on(serve::serve(&config, !no_jobs)),
        Command::Work => runtime.block_on(serve::work(&config)),
        Command::CreateAdmin { email, name } => {
            let mut password = String::new();
            std::io::stdin()
                .read_line(&mut password)
                .context("read the password from standard input")?;
            let password = password.trim_end_matches(['\r', '\n']).to_owned();
            let made = runtime.block_on(admin::create(&config, email, name, password))?;
            println!("made {email}, who runs the platform: {made}");
            Ok(())
        }
        Command::Import { dry_run, file } => {
            print!("{}", runtime.block_on(import::run(&config, file, *dry_run))?);
            Ok(())
        }
        Command::Migrate => {
            let count = runtime.block_on(migrations::run(&config.database))?;
            println!("the schema is up to date: {count} migrations");
            Ok(())
        }
        Command::Reseal => {
            println!("{}", runtime.block_on(reseal::run(&config))?);
            Ok(())
        }
        Command::VerifyAudit { heads } => {
            let told = runtime.block_on(verify_audit::run(&config, heads.as_deref()))?;
            println!("{told}");
            Ok(())
        }
        _ => {
            println!("the configuration can be used; the issuer is {}", config.http.issuer);
            Ok(())
        }
    }
}
