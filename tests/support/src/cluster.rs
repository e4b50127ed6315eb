//! The control plane under test, as the environment names it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;

const FOLDER: &str = "PINFOLD_TEST_KUBECONFIG_DIR";

/// The top folder of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The kubeconfig of a user: admin, operator, alice, bob, carol or mallory.
pub fn kubeconfig(user: &str) -> PathBuf {
    let folder = env::var_os(FOLDER).unwrap_or_default();
    assert!(
        !folder.is_empty(),
        "{FOLDER} is not set: this suite needs a control plane. `cargo xtask test operator` starts one and runs the suite."
    );
    let folder = PathBuf::from(folder);
    let candidates = [folder.join(format!("{user}.kubeconfig")), folder.join(user)];
    let found = candidates.iter().find(|path| path.is_file());
    found
        .unwrap_or_else(|| unreachable!("{} holds no kubeconfig for {user}", folder.display()))
        .clone()
}

/// The token of a user who has one: dana.
pub fn token(user: &str) -> String {
    let text = fs::read_to_string(kubeconfig(user)).expect("a kubeconfig");
    let config: Value = serde_json::from_str(&text).expect("a kubeconfig in JSON");
    config["users"][0]["user"]["token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

/// A client with a user's certificate.
pub async fn client(user: &str) -> Client {
    // More than one provider of cryptography may be linked into a test.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let path = kubeconfig(user);
    let config = Kubeconfig::read_from(&path).expect("a kubeconfig");
    let mut config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .expect("a kubeconfig");
    // A test that is told 409 or 429 wants to know.
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}
