// jose, a JOSE library that knows nothing of ours: verifies our tokens as a stranger would, signs hostile ones, and is an issuer
// outside. It says its address as an issuer, is told the service's, and answers what came of each attempt as one line of JSON.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as jose from 'jose';

const pairs = {};
for (const algorithm of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']) {
  pairs[algorithm] = await jose.generateKeyPair(algorithm, { extractable: true });
}
const keys = await Promise.all(
  Object.entries(pairs).map(async ([alg, { publicKey }]) => ({ ...(await jose.exportJWK(publicKey)), alg, kid: alg, use: 'sig' })),
);
const server = createServer((request, response) => {
  const documents = {
    '/.well-known/openid-configuration': { issuer: address, jwks_uri: `${address}/keys` },
    '/keys': { keys },
  };
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(documents[request.url] ?? {}));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = `http://127.0.0.1:${server.address().port}`;
console.log(address);

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { url, issuer, token, granted, authorization } = JSON.parse(line);

/** What the service says to a token. */
async function status(token) {
  const answer = await fetch(`${url}/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
  await answer.text();
  return answer.status;
}

async function statuses(tokens) {
  const told = {};
  for (const [name, token] of Object.entries(tokens)) {
    told[name] = await status(await token);
  }
  return told;
}

const published = jose.createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
const { payload, protectedHeader } = await jose.jwtVerify(token, published, {
  issuer,
  audience: issuer,
  typ: 'at+jwt',
  algorithms: ['EdDSA'],
  requiredClaims: ['sub', 'client_id', 'jti', 'scope', 'iat', 'exp'],
});

const { keys: all } = await (await fetch(`${url}/.well-known/jwks.json`)).json();
const ours = all.find(({ kid }) => kid === protectedHeader.kid);
const text = (value) => new TextEncoder().encode(value);
const own = keys.find(({ kid }) => kid === 'EdDSA');
const { d: _, ...ownPublic } = own;

/** What a stranger makes of a token, each with its name. */
function forged(token, payload) {
  const parts = token.split('.');
  const signed = (header, key) =>
    new jose.SignJWT(payload).setProtectedHeader({ typ: 'at+jwt', kid: ours.kid, ...header }).sign(key);
  const changed = (place, change) => {
    const part = JSON.parse(Buffer.from(parts[place], 'base64url').toString());
    const all = [...parts];
    all[place] = Buffer.from(JSON.stringify({ ...part, ...change })).toString('base64url');
    return all.join('.');
  };
  return {
    'no signature': new jose.UnsecuredJWT(payload).encode(),
    'our public key as a secret': signed({ alg: 'HS256' }, Buffer.from(ours.x, 'base64url')),
    'our published key as a secret': signed({ alg: 'HS256' }, text(JSON.stringify(ours))),
    'RS256 under our kid': signed({ alg: 'RS256' }, pairs.RS256.privateKey),
    'ES256 under our kid': signed({ alg: 'ES256' }, pairs.ES256.privateKey),
    'EdDSA of another under our kid': signed({ alg: 'EdDSA' }, pairs.EdDSA.privateKey),
    'a key in the header': signed({ alg: 'EdDSA', jwk: ownPublic }, pairs.EdDSA.privateKey),
    'a key set named in the header': signed({ alg: 'EdDSA', kid: 'EdDSA', jku: `${address}/keys` }, pairs.EdDSA.privateKey),
    'an extension': new jose.CompactSign(text(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: ours.kid, crit: ['b64'], b64: true })
      .sign(pairs.EdDSA.privateKey),
    'a longer life': changed(1, { exp: payload.exp + 3600 }),
    'another subject': changed(1, { sub: '0198c5b4-5a0e-7000-8000-00000000000a' }),
    'another type': changed(0, { typ: 'JWT' }),
    'no algorithm': changed(0, { alg: 'none' }),
    'no signature but a dot': `${parts[0]}.${parts[1]}.`,
    padding: `${token}=`,
    'a fourth part': `${token}.x`,
    encrypted: new jose.EncryptJWT(payload)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(crypto.getRandomValues(new Uint8Array(32))),
  };
}

const hostile = await statuses(forged(token, payload));

/** What a client is told of a token: how it was answered, and what matters of the answer. */
async function post(path, fields, of) {
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { Authorization: authorization }, body: new URLSearchParams(fields) });
  const body = await answer.text();
  return [answer.status, of(body === '' ? {} : JSON.parse(body)) ?? null];
}

async function shown(token) {
  const told = await fetch(`${url}/oauth/userinfo`, { headers: { Authorization: `Bearer ${token}` } });
  const { sub } = await told.json();
  const access = 'urn:ietf:params:oauth:token-type:access_token';
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: token, subject_token_type: access,
  };
  return {
    introspect: await post('/oauth/introspect', { token }, ({ active }) => active),
    userinfo: [told.status, sub ?? null],
    exchange: await post('/oauth/token', exchange, ({ error }) => error),
  };
}

const elsewhere = {};
for (const [name, made] of Object.entries(forged(granted, jose.decodeJwt(granted)))) {
  const token = await made;
  elsewhere[name] = { ...(await shown(token)), revoke: await post('/oauth/revoke', { token }, () => null) };
}
// Nothing that was said of those has ended the one that they were made of.
elsewhere['as it was'] = await shown(granted);

const now = Math.floor(Date.now() / 1000);
const person = { iss: address, sub: 'user_1', aud: issuer, iat: now, exp: now + 60 };
const vouched = (algorithm, claims = {}, header = {}) =>
  new jose.SignJWT({ ...person, ...claims })
    .setProtectedHeader({ alg: algorithm, kid: algorithm, ...header })
    .sign(pairs[algorithm].privateKey);

const outside = await statuses({
  RS256: vouched('RS256'),
  ES256: vouched('ES256'),
  EdDSA: vouched('EdDSA'),
  'typ JWT': vouched('RS256', {}, { typ: 'JWT' }),
  PS256: vouched('PS256'),
  ES384: vouched('ES384'),
  'typ dpop+jwt': vouched('RS256', {}, { typ: 'dpop+jwt' }),
  'for somebody else': vouched('RS256', { aud: 'https://other.test' }),
  ended: vouched('RS256', { iat: now - 120, exp: now - 60 }),
  'not yet': vouched('RS256', { nbf: now + 60 }),
  'without a subject': vouched('RS256', { sub: undefined }),
});

console.log(JSON.stringify({ verified: { payload, header: protectedHeader }, good: await status(token), hostile, elsewhere, outside }));
server.close();
process.exit(0);
