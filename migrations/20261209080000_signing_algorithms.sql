-- Keys that sign in other ways than Ed25519: the public half is a JWK (RFC 7517).
ALTER TABLE signing_keys
DROP CONSTRAINT signing_keys_public_key_check,
ADD COLUMN algorithm text NOT NULL DEFAULT 'EdDSA' CHECK (algorithm IN ('EdDSA', 'ES256', 'RS256')),
ALTER COLUMN public_key TYPE jsonb USING jsonb_build_object(
    'kty', 'OKP', 'crv', 'Ed25519', 'x', rtrim(translate(encode(public_key, 'base64'), '+/', '-_'), '=')
);
ALTER TABLE signing_keys ALTER COLUMN algorithm DROP DEFAULT;
ALTER TABLE signing_keys RENAME COLUMN sealed_seed TO sealed_private_key;

-- How tokens for a client are signed.
ALTER TABLE oauth_clients
ADD COLUMN access_token_signed_response_alg text NOT NULL DEFAULT 'EdDSA'
CHECK (access_token_signed_response_alg IN ('EdDSA', 'ES256')),
ADD COLUMN id_token_signed_response_alg text NOT NULL DEFAULT 'EdDSA'
CHECK (id_token_signed_response_alg IN ('EdDSA', 'ES256', 'RS256'));
