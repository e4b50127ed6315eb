// oauth4webapi, an OAuth client library that knows nothing of ours, goes with a person from the request for authorization to the end of the
// tokens: by codes and by devices, pushed and not, with each way for a client to prove itself, with proofs of possession and without, at two
// replicas in turn. What came of it is answered as one line of JSON.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as oauth from 'oauth4webapi';
import { logIn } from './person.mjs';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { replicas, issuer, email, password } = JSON.parse(line);
const callback = 'https://board.example/callback';

let calls = 0;
const there = (url) => String(url).replace(issuer, replicas[calls++ % replicas.length]);
const options = { [oauth.customFetch]: (url, request) => fetch(there(url), request) };
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
    return attempt();
  }
}

const person = await logIn({ there, issuer, email, password });

const register = (members) =>
  person.register({
    client_name: 'Build board',
    scope: 'openid tenant:read runs:read',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    ...members,
  });

/** A client that proves itself so, and how it does. */
async function party(method) {
  const [way, algorithm] = method.split(' ');
  if (way === 'private_key_jwt') {
    const { publicKey, privateKey } = await oauth.generateKeyPair(algorithm, { extractable: true });
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
    const jwks = { keys: [{ kty, crv, x, y, kid: 'one' }] };
    const { client_id } = await register({ token_endpoint_auth_method: way, jwks });
    return [{ client_id }, oauth.PrivateKeyJwt({ key: privateKey, kid: 'one' })];
  }
  const { client_id, client_secret } = await register({ token_endpoint_auth_method: way });
  const proofs = { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost, none: oauth.None };
  return [{ client_id }, proofs[way](client_secret)];
}

/** The code that the person's consent gives, as the library takes it from the browser. */
async function consent(client, proof, DPoP, pushed, verifier, nonce) {
  const state = oauth.generateRandomState();
  const asked = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: callback,
    scope: 'openid tenant:read',
    state,
    nonce,
    resource: issuer,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  const place = new URL(server.authorization_endpoint);
  if (pushed) {
    const { request_uri } = await twice(async () =>
      oauth.processPushedAuthorizationResponse(
        server,
        client,
        await oauth.pushedAuthorizationRequest(server, client, proof, asked, { DPoP, ...options }),
      ),
    );
    place.search = new URLSearchParams({ client_id: client.client_id, request_uri });
  } else {
    if (DPoP) asked.dpop_jkt = await DPoP.calculateThumbprint();
    place.search = new URLSearchParams(asked);
  }
  return oauth.validateAuthResponse(server, client, await person.allow(place), state);
}

async function byCode(client, proof, DPoP, pushed) {
  const verifier = oauth.generateRandomCodeVerifier();
  const nonce = oauth.generateRandomNonce();
  const parameters = await consent(client, proof, DPoP, pushed, verifier, nonce);
  return twice(async () => {
    const answer = await oauth.authorizationCodeGrantRequest(server, client, proof, parameters, callback, verifier, { DPoP, ...options });
    const expected = { expectedNonce: nonce, maxAge: 600, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, expected);
    await oauth.validateApplicationLevelSignature(server, answer, options);
    return tokens;
  });
}

async function byDevice(client, proof, DPoP) {
  const device = await oauth.processDeviceAuthorizationResponse(
    server,
    client,
    await oauth.deviceAuthorizationRequest(server, client, proof, { scope: 'tenant:read' }, options),
  );
  const ask = async () =>
    oauth.processDeviceCodeResponse(
      server,
      client,
      await oauth.deviceCodeGrantRequest(server, client, proof, device.device_code, { DPoP, ...options }),
    );
  const refused = [];
  await twice(ask).catch((error) => refused.push(error.error));
  await ask().catch((error) => refused.push(error.error));
  await person.submit('/device/answer', { user_code: device.user_code, tenant: 'acme', decision: 'allow' });
  return { ...(await ask()), refused };
}

async function life(method, algorithm, way) {
  const [client, proof] = await party(method);
  const DPoP = algorithm && oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  const first = way === 'device' ? await byDevice(client, proof, DPoP) : await byCode(client, proof, DPoP, way === 'pushed');
  const seen = [first.token_type, first.scope, ...(first.refused ?? [])];
  const look = async (token) => {
    const call = () =>
      oauth.protectedResourceRequest(token, 'GET', new URL(`${issuer}/v1/tenants/acme`), undefined, undefined, { DPoP, ...options });
    const answer = await twice(call).catch((error) => ({ status: error.status }));
    seen.push(answer.status);
  };
  await look(first.access_token);
  const second = await twice(async () =>
    oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, proof, first.refresh_token, { DPoP, ...options }),
    ),
  );
  seen.push(second.refresh_token ? 'rotated' : 'kept');
  await look(second.access_token);
  if (method !== 'none') {
    const told = await oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(server, client, proof, second.access_token, options),
    );
    seen.push(told.active, told.client_id === client.client_id, told.cnf !== undefined);
  }
  const last = second.refresh_token ?? first.refresh_token;
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, last, options));
  await look(second.access_token);
  return seen;
}

const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt Ed25519', 'private_key_jwt ES256', 'none'];
const found = {};
for (const method of methods) {
  for (const algorithm of [undefined, 'ES256', 'Ed25519']) {
    for (const way of ['direct', 'pushed', 'device']) {
      found[`${method}, ${algorithm ?? 'unbound'}, ${way}`] = await life(method, algorithm, way);
    }
  }
}
console.log(JSON.stringify(found));
process.exit(0);
