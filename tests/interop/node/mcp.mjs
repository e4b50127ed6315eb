// The TypeScript SDK of the Model Context Protocol, as a client of the API: it reads from a refusal whom to ask and for what, is let in by a
// person, registered beforehand or by itself, or comes on its own, at two replicas in turn. What came of it is answered as one line of JSON.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import { exportJWK, generateKeyPair } from 'jose';
import { logIn } from './person.mjs';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { replicas, issuer, email, password } = JSON.parse(line);
const redirectUrl = 'http://127.0.0.1/callback';
const place = `${issuer}/v1/tenants/acme`;

let calls = 0;
const there = (url) => String(url).replace(issuer, replicas[calls++ % replicas.length]);
const fetchFn = (url, request) => fetch(there(url), request);

const person = await logIn({ there, issuer, email, password });

const register = (members) => person.register({ scope: 'tenant:read agents:read', ...members });

/** A program on a person's machine, with what it keeps. */
function program(known) {
  const kept = { known };
  return {
    kept,
    redirectUrl,
    clientMetadata: {
      client_name: 'A program',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    },
    state: () => 'a state',
    clientInformation: () => kept.known,
    saveClientInformation: (known) => Object.assign(kept, { known }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => Object.assign(kept, { tokens }),
    saveCodeVerifier: (verifier) => Object.assign(kept, { verifier }),
    codeVerifier: () => kept.verifier,
    redirectToAuthorization: (address) => Object.assign(kept, { address }),
  };
}

/** The code that comes back once the person has said yes to what the library asks for. */
const consent = async ({ address }) => (await person.allow(address)).searchParams.get('code');

const call = (path, { tokens }) => fetch(there(path), { headers: tokens && { authorization: `Bearer ${tokens.access_token}` } });

/** From the first refusal to the tokens of a refresh, and by the refusal of what was not allowed to that. */
async function life(provider, asked) {
  const seen = [];
  const about = { serverUrl: place, fetchFn, ...asked };
  seen.push(await auth(provider, about));
  seen.push(new URL(provider.kept.address).searchParams.get('scope'));
  seen.push(await auth(provider, { ...about, authorizationCode: await consent(provider.kept) }));
  seen.push((await call(place, provider.kept)).status);
  const first = provider.kept.tokens;
  seen.push(await auth(provider, about), provider.kept.tokens.refresh_token !== first.refresh_token);
  seen.push((await call(place, provider.kept)).status);
  const refused = await call(`${place}/agents`, provider.kept);
  const { scope, error } = extractWWWAuthenticateParams(refused);
  seen.push(refused.status, error ?? '', scope ?? '');
  if (scope) {
    // What it has does not do, and is not refreshed.
    provider.kept.tokens = undefined;
    seen.push(await auth(provider, { ...about, scope }));
    seen.push(await auth(provider, { ...about, authorizationCode: await consent(provider.kept) }));
    seen.push((await call(`${place}/agents`, provider.kept)).status);
  }
  return seen;
}

/** A program on its own. */
async function alone(provider) {
  const kept = {};
  provider.saveTokens = (tokens) => Object.assign(kept, { tokens });
  const result = await auth(provider, { serverUrl: place, fetchFn });
  return [result, kept.tokens.scope, (await call(place, kept)).status];
}

const refused = await call(place, {});
const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(refused);
const told = { resourceMetadataUrl, scope };
const public_ = { client_name: 'A program', application_type: 'native', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none' };
const { client_id } = await register({ ...public_, grant_types: ['authorization_code', 'refresh_token'] });
const own = { client_name: 'A program', grant_types: ['client_credentials'], scope: 'tenant:read' };
const secret = await register(own);
const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] };
const key = await register({ ...own, token_endpoint_auth_method: 'private_key_jwt', jwks });
const expectedIssuer = issuer;

console.log(
  JSON.stringify({
    refused: [refused.status, String(resourceMetadataUrl), scope],
    registered: await life(program({ client_id }), told),
    'registers itself': await life(program(), told),
    'was told nothing': await life(program(), {}),
    secret: await alone(
      new ClientCredentialsProvider({ clientId: secret.client_id, clientSecret: secret.client_secret, expectedIssuer }),
    ),
    key: await alone(
      new PrivateKeyJwtProvider({
        clientId: key.client_id,
        privateKey: { ...(await exportJWK(privateKey)), kid: 'one' },
        algorithm: 'ES256',
        expectedIssuer,
      }),
    ),
  }),
);
process.exit(0);
