// oauth4webapi, an OAuth client library that knows nothing of ours: gets tokens for a client, with proofs of possession and without,
// at two replicas in turn, and shows them. It is told who it is, and answers what came of it as one line of JSON.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as oauth from 'oauth4webapi';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { replicas, issuer, clients } = JSON.parse(line);

let calls = 0;
let refused = 0;
const options = {
  // The service is known by its own address, and reached where it listens: now here, now there.
  [oauth.customFetch]: (url, request) => fetch(url.replace(issuer, replicas[calls++ % replicas.length]), request),
};

const address = new URL(issuer);
const server = await oauth.processDiscoveryResponse(
  address,
  await oauth.discoveryRequest(address, { algorithm: 'oauth2', ...options }),
);

/** Does something, once more if it is told to use a nonce. */
async function twice(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    refused += 1;
    return attempt();
  }
}

/** A token, and what the service says of whoever shows it. */
async function token({ id, secret, method }, algorithm) {
  const client = { client_id: id };
  const proof = method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
  const DPoP = algorithm && oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  const granted = await twice(async () => {
    const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, { scope: 'runs:read' }, { DPoP, ...options });
    return oauth.processClientCredentialsResponse(server, client, answer);
  });
  const seen = [];
  for (let i = 0; i < 4; i++) {
    const answer = await twice(() =>
      oauth.protectedResourceRequest(granted.access_token, 'GET', new URL(`${issuer}/v1/me`), undefined, undefined, { DPoP, ...options }),
    );
    seen.push(answer.status, (await answer.json()).client_id);
  }
  return { type: granted.token_type, scope: granted.scope, seen, token: granted.access_token };
}

const told = {};
for (const client of clients) {
  for (const algorithm of client.bound ? ['ES256', 'Ed25519'] : [undefined, 'ES256', 'Ed25519']) {
    told[`${client.method} ${algorithm ?? 'unbound'}`] = await token(client, algorithm);
  }
}

// As a resource server it reads our tokens, and believes what they say.
const unbound = Object.values(told).find(({ type }) => type === 'bearer').token;
const request = new Request(`${issuer}/v1/me`, { headers: { authorization: `Bearer ${unbound}` } });
const claims = await oauth.validateJwtAccessToken(server, request, issuer, { signingAlgorithms: ['EdDSA'], ...options });

// A secret that is none, and a client that is none.
const wrong = {};
for (const [name, id, secret] of [['secret', clients[0].id, 'wrong'], ['client', 'nobody', clients[0].secret]]) {
  const client = { client_id: id };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(secret), {}, options);
  wrong[name] = await oauth.processClientCredentialsResponse(server, client, answer).catch(
    (error) => [error.status, error.error ?? error.cause?.[0]?.scheme],
  );
}

for (const one of Object.values(told)) delete one.token;
console.log(JSON.stringify({ told, subject: claims.sub, refused, wrong }));
process.exit(0);
