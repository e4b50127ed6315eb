// node-oidc-provider with its memory adapter: what the bench compares our token endpoint with. Bound tokens are JWTs, signed with Ed25519.

import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
const key = { ...(await exportJWK(privateKey)), alg: 'EdDSA', use: 'sig', kid: 'one' };
const resource = 'urn:pinfold:api';
const host = '127.0.0.1';

function provider(issuer) {
  return new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: 'load',
        client_secret: 'secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope: 'runs:read',
        dpop_bound_access_tokens: true,
        id_token_signed_response_alg: 'EdDSA',
      },
    ],
    scopes: ['runs:read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        getResourceServerInfo: () => ({
          scope: 'runs:read',
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'EdDSA' } },
        }),
      },
    },
  });
}

// The port is chosen by the machine, and the issuer has it.
const { createServer } = await import('node:http');
let answer;
const server = createServer((request, response) => answer(request, response));
server.keepAliveTimeout = 60_000;
server.listen(0, host, () => {
  const issuer = `http://${host}:${server.address().port}`;
  answer = provider(issuer).callback();
  console.log(issuer);
});
