//! What runs in a sandbox, as tests have it.

use std::net::SocketAddr;

use axum::extract::connect_info::MockConnectInfo;
use domain::{RunId, TenantId};
use uuid::Uuid;

use crate::{
    auth::{
        signing::Algorithm,
        token::{PodClaim, PodRef, Who},
    },
    cluster::Cluster,
    router,
    service::tokens::{self, Said},
    testing::TestApp,
};

impl TestApp {
    /// The same service beside a cluster that nobody reaches, and a token of a run of this tenant's in it.
    pub fn beside_a_run(mut self, tenant: TenantId) -> (Self, String) {
        let pod = PodRef {
            name: "pf-answer".to_owned(),
            uid: Uuid::from_u128(21),
        };
        self.state = self.state.beside(Cluster::unreachable(tenant, pod.uid));
        self.router = router::router(self.state.clone()).layer(MockConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
        let said = Said {
            jkt: None,
            until: None,
            subject: RunId::from_u128(20).to_string(),
            client_id: RunId::from_u128(20).to_string(),
            tenant,
            jti: "run".to_owned(),
            scope: tokens::grantable_to_runs().join(" "),
            who: Who::Run {
                pinfold_run: "answer".to_owned(),
                pinfold_pod: PodClaim::from(&pod),
            },
        };
        let now = self.state.clock.now();
        let signing = self.state.keyring.signing(Algorithm::EdDsa, now).expect("a key");
        let token = self.state.tokens().issued(&signing, said, now).expect("a token").token;
        (self, token)
    }
}
