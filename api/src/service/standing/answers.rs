//! What is remembered, question by question, and what each answer depends on.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
};

use domain::{AgentId, AgentKeyId, GrantId, OverseerId, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Moment, Standing};
use crate::{
    auth::{rights::Role, vouched::Organisation},
    documents,
    store::{
        StoreError,
        agents::{self, Holder},
        api_keys::{self, Presented},
        clients,
        grants::{self, Grant},
        identities,
        sessions::{self, Session},
        tenants::{self, Named},
    },
};

/// So many answers of a kind are remembered. When there are more, all are asked for anew.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Remembered {
    holders: Answers<(AgentId, AgentKeyId), Holder>,
    sessions: Answers<[u8; 32], Session>,
    keys: Answers<[u8; 32], Presented>,
    tenants: Answers<String, TenantId>,
    seats: Answers<(OverseerId, String), (TenantId, Role)>,
    agents: Answers<AgentId, agents::Standing>,
    people: Answers<(String, String), OverseerId>,
    organisations: Answers<(String, String), (TenantId, String)>,
    clients: Answers<String, Arc<clients::Named>>,
    grants: Answers<GrantId, Grant>,
}

impl Standing {
    /// The holder of a key, and beside it the tenant of a name: remembered, or asked for.
    pub async fn find_holder(
        &self,
        agent: AgentId,
        key: AgentKeyId,
        beside: Option<&str>,
    ) -> Result<Option<Holder>, StoreError> {
        if let Some(holder) = self.known_holder(agent, key, beside) {
            self.remembered.inc();
            return Ok(Some(holder));
        }
        // What changes while the database answers has changed after this moment.
        let since = self.now();
        let found = agents::find_holder(self.database.pool(), agent, key, beside).await?;
        let stands = found.as_ref().filter(|holder| !holder.revoked);
        self.keep(&self.answers.holders, (agent, key), since, stands);
        if let (Some(name), Some(named)) = (beside, stands.and_then(|holder| holder.beside)) {
            self.keep(&self.answers.tenants, name.to_owned(), since, Some(&named.tenant));
        }
        Ok(found)
    }

    /// The same from memory alone.
    pub fn known_holder(&self, agent: AgentId, key: AgentKeyId, beside: Option<&str>) -> Option<Holder> {
        let holder = self.known(&self.answers.holders, &(agent, key), |holder| {
            [agent.uuid(), holder.tenant.uuid(), holder.owner.uuid()]
        })?;
        let beside = match beside {
            Some(name) => Some(self.known_tenant(name)?),
            None => None,
        };
        Some(Holder { beside, ..holder })
    }

    /// The session of a cookie that is in force and whose person is not blocked.
    pub async fn find_session(&self, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError> {
        let subjects = |session: &Session| [session.id.uuid(), session.overseer.uuid()];
        if let Some(session) = self.known(&self.answers.sessions, token_hash, subjects) {
            self.remembered.inc();
            return Ok(Some(session).filter(|session| now < session.expires_at));
        }
        let since = self.now();
        let found = sessions::find(self.database.pool(), token_hash, now).await?;
        self.keep(&self.answers.sessions, *token_hash, since, found.as_ref());
        Ok(found)
    }

    /// A key in force.
    pub async fn find_key(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Presented>, StoreError> {
        let subjects = |key: &Presented| {
            let tenant = key.tenant.map_or(Uuid::nil(), |tenant| tenant.uuid());
            [key.id.uuid(), key.overseer.uuid(), tenant]
        };
        if let Some(key) = self.known(&self.answers.keys, hash, subjects) {
            self.remembered.inc();
            return Ok(Some(key).filter(|key| key.expires_at.is_none_or(|end| now < end)));
        }
        let since = self.now();
        let found = api_keys::find(self.database.pool(), hash, now).await?;
        self.keep(&self.answers.keys, *hash, since, found.as_ref());
        Ok(found)
    }

    /// The tenant of a name, if it has not ended.
    pub async fn find_tenant(&self, name: &str) -> Result<Option<Named>, StoreError> {
        if let Some(named) = self.known_tenant(name) {
            self.remembered.inc();
            return Ok(Some(named));
        }
        let since = self.now();
        let found = tenants::find_by_name(self.database.pool(), name).await?;
        let tenant = found.map(|named| named.tenant);
        self.keep(&self.answers.tenants, name.to_owned(), since, tenant.as_ref());
        Ok(found)
    }

    fn known_tenant(&self, name: &str) -> Option<Named> {
        let tenant = self.known(&self.answers.tenants, name, |tenant| [tenant.uuid()])?;
        Some(self.named(tenant))
    }

    fn named(&self, tenant: TenantId) -> Named {
        Named {
            tenant,
            runs_version: self.versions.of(tenant.uuid()).max(self.version.load(SeqCst)),
        }
    }

    /// The tenant of a name, if it has not ended and the person belongs to it, and as what.
    pub async fn find_seat(&self, overseer: OverseerId, name: &str) -> Result<Option<(Named, Role)>, StoreError> {
        let question = (overseer, name.to_owned());
        let subjects = |(tenant, _): &(TenantId, Role)| [overseer.uuid(), tenant.uuid()];
        if let Some((tenant, role)) = self.known(&self.answers.seats, &question, subjects) {
            self.remembered.inc();
            return Ok(Some((self.named(tenant), role)));
        }
        let since = self.now();
        let found = tenants::find_seat(self.database.pool(), overseer, name).await?;
        let seat = found.map(|(named, role)| (named.tenant, role));
        self.keep(&self.answers.seats, question, since, seat.as_ref());
        Ok(found)
    }

    /// How an agent stands.
    pub async fn find_agent(&self, agent: AgentId) -> Result<Option<agents::Standing>, StoreError> {
        let subjects = |standing: &agents::Standing| [agent.uuid(), standing.tenant.uuid()];
        if let Some(standing) = self.known(&self.answers.agents, &agent, subjects) {
            self.remembered.inc();
            return Ok(Some(standing));
        }
        let since = self.now();
        let found = agents::find_standing(self.database.pool(), agent).await?;
        self.keep(&self.answers.agents, agent, since, found.as_ref());
        Ok(found)
    }

    /// Whom an issuer outside means by a name, if anybody is known by it.
    pub async fn find_person(&self, issuer: &str, subject: &str) -> Result<Option<identities::Holder>, StoreError> {
        let question = (issuer.to_owned(), subject.to_owned());
        let known = self.known(&self.answers.people, &question, |overseer| [overseer.uuid()]);
        if let Some(overseer) = known {
            self.remembered.inc();
            let blocked = false;
            return Ok(Some(identities::Holder { overseer, blocked }));
        }
        let since = self.now();
        let found = identities::find(self.database.pool(), issuer, subject).await?;
        let open = found.filter(|holder| !holder.blocked).map(|holder| holder.overseer);
        self.keep(&self.answers.people, question, since, open.as_ref());
        Ok(found)
    }

    /// The tenant that an issuer's organisation is, and what it is called, if it has not ended.
    pub async fn find_organisation(
        &self,
        issuer: &str,
        organisation: &Organisation,
    ) -> Result<Option<(Named, String)>, StoreError> {
        let question = (issuer.to_owned(), organisation.id.clone());
        let known = self.known(&self.answers.organisations, &question, |(tenant, _)| [tenant.uuid()]);
        if let Some((tenant, name)) = known {
            self.remembered.inc();
            return Ok(Some((self.named(tenant), name)));
        }
        let since = self.now();
        let found = tenants::of_organisation(self.database.pool(), issuer, organisation).await?;
        let answer = found.map(|(named, seat)| (named, seat.name));
        let kept = answer.as_ref().map(|(named, name)| (named.tenant, name.clone()));
        self.keep(&self.answers.organisations, question, since, kept.as_ref());
        Ok(answer)
    }

    /// What the standing of the client of an authorization depends on; nothing of one that cannot be asked for.
    pub async fn client_subjects(&self, grant: GrantId) -> Vec<Uuid> {
        let Ok(Some(grant)) = self.find_grant(grant).await else {
            return Vec::new();
        };
        let client = self.find_client(&grant.client_id).await.ok().flatten();
        client.map(|client| of_client(&client).to_vec()).unwrap_or_default()
    }

    /// The OAuth client that calls itself so.
    pub async fn find_client(&self, client_id: &str) -> Result<Option<Arc<clients::Named>>, StoreError> {
        if documents::is_name(client_id) {
            return self.documents.client(client_id).await;
        }
        if let Some(client) = self.known(&self.answers.clients, client_id, of_client) {
            self.remembered.inc();
            return Ok(Some(client));
        }
        let since = self.now();
        let found = clients::find(self.database.pool(), client_id).await?.map(Arc::new);
        self.keep(&self.answers.clients, client_id.to_owned(), since, found.as_ref());
        Ok(found)
    }

    /// The client that calls itself so, if it was asked for before and that is remembered, or the database has it: nothing is fetched.
    pub async fn seen_client(&self, client_id: &str) -> Option<Arc<clients::Named>> {
        if documents::is_name(client_id) {
            self.documents.kept(client_id)
        } else {
            self.find_client(client_id).await.ok().flatten()
        }
    }

    /// Whether that is remembered.
    pub fn remembers_client(&self, client_id: &str) -> bool {
        self.known(&self.answers.clients, client_id, of_client).is_some()
    }

    /// What a person allowed an OAuth client, if nobody took it back or blocked one of them.
    pub async fn find_grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let subjects = |grant: &Grant| {
            let actor = |place: usize| grant.actors.get(place).map_or(Uuid::nil(), AgentId::uuid);
            let [one, two, three] = [actor(0), actor(1), actor(2)];
            [
                grant.id.uuid(),
                grant.overseer.uuid(),
                grant.tenant.uuid(),
                one,
                two,
                three,
            ]
        };
        if let Some(grant) = self.known(&self.answers.grants, &id, subjects) {
            self.remembered.inc();
            return Ok(Some(grant));
        }
        let since = self.now();
        let found = grants::find(self.database.pool(), id).await?;
        self.keep(&self.answers.grants, id, since, found.as_ref());
        Ok(found)
    }

    /// A session was used, and that is stored, or cannot be now.
    pub fn saw_session(&self, token_hash: &[u8; 32], at: Timestamp) {
        self.answers.sessions.amend(token_hash, |session| session.seen_at = at);
    }

    /// The same of a key.
    pub fn saw_key(&self, hash: &[u8; 32], at: Timestamp) {
        self.answers.keys.amend(hash, |key| key.used_at = Some(at));
    }

    /// What is remembered, if it still is true.
    fn known<K, Q, V, const N: usize>(
        &self,
        answers: &Answers<K, V>,
        question: &Q,
        subjects: impl Fn(&V) -> [Uuid; N],
    ) -> Option<V>
    where
        K: Borrow<Q> + Eq + Hash,
        Q: Eq + Hash + ?Sized,
        V: Clone,
    {
        if !self.in_touch() {
            return None;
        }
        let (since, answer) = answers.get(question)?;
        self.memory.holds(since, &subjects(&answer)).then_some(answer)
    }

    fn keep<K: Eq + Hash, V: Clone>(&self, answers: &Answers<K, V>, question: K, since: Moment, answer: Option<&V>) {
        if let Some(answer) = answer
            && self.in_touch()
        {
            answers.put(question, since, answer.clone());
        }
    }
}

/// What an answer about a client depends on.
fn of_client(client: &Arc<clients::Named>) -> [Uuid; 3] {
    let registered = client.registered.as_ref();
    let owner = registered.and_then(|known| known.personal_owner);
    let of = |known: &clients::Registration| [known.id.uuid(), known.tenant.uuid()];
    let [id, tenant] = registered.map_or([Uuid::nil(); 2], of);
    [id, tenant, owner.map_or(Uuid::nil(), |owner| owner.uuid())]
}

/// Answers to questions of one kind, each with the moment before it was asked.
#[derive(Debug)]
struct Answers<K, V>(Mutex<HashMap<K, (Moment, V)>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Answers<K, V> {
    fn get<Q: Eq + Hash + ?Sized>(&self, question: &Q) -> Option<(Moment, V)>
    where
        K: Borrow<Q>,
    {
        self.all().get(question).cloned()
    }

    fn put(&self, question: K, since: Moment, answer: V) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(question, (since, answer));
    }

    /// Changes something of an answer that it is not judged by.
    fn amend<Q: Eq + Hash + ?Sized>(&self, question: &Q, change: impl FnOnce(&mut V))
    where
        K: Borrow<Q>,
    {
        if let Some((_, answer)) = self.all().get_mut(question) {
            change(answer);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, (Moment, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
