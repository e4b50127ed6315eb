"""Authlib and joserfc, libraries that know nothing of ours, as OAuth clients of a person's: by a secret, by a signed assertion, for themselves,
for a device, with a token exchanged for less, and bound to a key. They are told where the service is, and answer as one line of JSON."""

import hashlib
import itertools
import json
import re
import secrets
import sys
import time
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey
from joserfc.util import urlsafe_b64encode
from requests.adapters import HTTPAdapter

told = json.loads(sys.stdin.readline())
issuer, replicas = told["issuer"], itertools.cycle(told["replicas"])
callback = "https://board.example/callback"


class Assertion(PrivateKeyJWT):
    """By default it is good for an hour, which ours does not take; and claims of one's own are given back with the last one's name in them."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 240}
        return super().sign(auth, token_endpoint)


class There(HTTPAdapter):
    """The service is known by its own address, and reached where it listens: now here, now there."""

    def send(self, request, **options):
        request = request.copy()
        request.url = request.url.replace(issuer, next(replicas))
        return super().send(request, **options)


def reached(session):
    session.mount(issuer, There())
    return session


person = reached(requests.Session())
login = person.post(f"{issuer}/v1/sessions", json={"email": told["email"], "password": told["password"]})
# What the service sets is kept for where it was reached, and is for its own address.
person.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in login.cookies.items())
csrf = login.json()["csrf_token"]


def register(**members):
    metadata = {"client_name": "Build board", "scope": "openid tenant:read runs:read", "redirect_uris": [callback], **members}
    made = person.post(f"{issuer}/v1/tenants/acme/clients", json=metadata, headers={"x-csrf-token": csrf})
    assert made.status_code == 201, made.text
    return made.json()


def consent(url):
    """What the person's browser brings back, once they said yes."""
    begun = person.get(url, allow_redirects=False)
    request = parse_qs(urlsplit(begun.headers["location"]).query)["request"][0]
    page = person.get(f"{issuer}/consent", params={"request": request}, allow_redirects=False)
    if page.status_code == 303:
        # What was agreed to before is not asked about again.
        return page.headers["location"]
    shown = re.search('name="shown" value="([^"]*)"', page.text)[1]
    fields = {"request": request, "tenant": "acme", "shown": shown, "decision": "allow", "csrf": csrf}
    answer = person.post(f"{issuer}/consent", data=fields, allow_redirects=False)
    return answer.headers["location"]


server = reached(requests.Session()).get(f"{issuer}/.well-known/oauth-authorization-server").json()
keys = KeySet.import_key_set(reached(requests.Session()).get(server["jwks_uri"]).json())
found = {}


def life(name, session, **proof):
    """From the request for authorization to the end of the tokens."""
    verifier = secrets.token_urlsafe(48)
    url, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce="n-0S6")
    back = consent(url)
    query = parse_qs(urlsplit(back).query)
    assert query["iss"] == [issuer] and query["state"] == [state], back
    token = session.fetch_token(
        server["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier, **proof
    )
    claims = jwt.decode(token["id_token"], keys, algorithms=["EdDSA"]).claims
    assert claims["nonce"] == "n-0S6" and claims["aud"] == session.client_id, claims
    access = jwt.decode(token["access_token"], keys, algorithms=["EdDSA"])
    assert access.header["typ"] == "at+jwt" and access.claims["sub"] == claims["sub"], access.claims
    seen = [session.get(f"{issuer}/v1/tenants/acme").status_code, session.get(server["userinfo_endpoint"]).json()["sub"] == claims["sub"]]
    session.refresh_token(server["token_endpoint"], **proof)
    seen.append(session.get(f"{issuer}/v1/tenants/acme").status_code)
    told = session.introspect_token(server["introspection_endpoint"], token=session.token["access_token"], **proof)
    seen.append(told.json()["active"])
    seen.append(session.revoke_token(server["revocation_endpoint"], token=token["refresh_token"], **proof).status_code)
    seen.append(session.get(f"{issuer}/v1/tenants/acme").status_code)
    found[name] = seen


options = {"scope": "openid tenant:read", "redirect_uri": callback, "code_challenge_method": "S256"}
both = ["authorization_code", "refresh_token"]
made = register(grant_types=both)
life("secret", reached(OAuth2Session(made["client_id"], made["client_secret"], **options)))

for name, key, algorithm in [
    ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "one"}), "EdDSA"),
    ("ES256", ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
]:
    public = {"keys": [{**key.as_dict(private=False), "kid": "one"}]}
    made = register(token_endpoint_auth_method="private_key_jwt", jwks=public, grant_types=both)
    signed = {"token_endpoint_auth_method": "private_key_jwt", "revocation_endpoint_auth_method": "private_key_jwt"}
    session = OAuth2Session(made["client_id"], key, **signed, **options)
    # Its default audience is the token endpoint, which ours does not take for itself.
    session.register_client_auth_method(Assertion(issuer, headers={"kid": "one"}, alg=algorithm))
    life(name, reached(session))

# For itself, and for a device.
made = register(grant_types=["client_credentials"], redirect_uris=[], scope="runs:read")
own = reached(OAuth2Session(made["client_id"], made["client_secret"], scope="runs:read"))
own.fetch_token(server["token_endpoint"], grant_type="client_credentials")
found["itself"] = own.get(f"{issuer}/v1/me").json()["client_id"] == made["client_id"]

device = "urn:ietf:params:oauth:grant-type:device_code"
made = register(grant_types=[device], redirect_uris=[], token_endpoint_auth_method="none")
plain = reached(requests.Session())
begun = plain.post(server["device_authorization_endpoint"], data={"client_id": made["client_id"], "scope": "tenant:read"}).json()
fields = {"user_code": begun["user_code"], "tenant": "acme", "decision": "allow", "csrf": csrf}
person.post(f"{issuer}/device/answer", data=fields)
tool = reached(OAuth2Session(made["client_id"], token_endpoint_auth_method="none"))
tool.fetch_token(server["token_endpoint"], grant_type=device, device_code=begun["device_code"])
found["device"] = tool.get(f"{issuer}/v1/tenants/acme").status_code

# A token that may do less, for one that may do more.
exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
kind = "urn:ietf:params:oauth:token-type:access_token"
made = register(grant_types=["authorization_code", exchange])
more = reached(OAuth2Session(made["client_id"], made["client_secret"], **options))
verifier = secrets.token_urlsafe(48)
url, state = more.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)
subject = more.fetch_token(server["token_endpoint"], authorization_response=consent(url), state=state, code_verifier=verifier)
less = more.fetch_token(
    server["token_endpoint"],
    grant_type=exchange,
    subject_token=subject["access_token"],
    subject_token_type=kind,
    scope="tenant:read",
)
found["less"] = [less["issued_token_type"] == kind, less["scope"]]

# Bound to a key, with proofs by joserfc: each counts once.
made = register(grant_types=["client_credentials"], redirect_uris=[], scope="runs:read", dpop_bound_access_tokens=True)
key, nonces = ECKey.generate_key("P-256"), {}


def proof(method, url, token=None):
    claims = {"jti": secrets.token_hex(16), "htm": method, "htu": url, "iat": int(time.time())}
    where = "token" if token is None else "resource"
    if where in nonces:
        claims["nonce"] = nonces[where]
    if token:
        claims["ath"] = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode()
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, algorithms=["ES256"])


def ask(shown):
    answer = plain.post(
        server["token_endpoint"],
        data={"grant_type": "client_credentials"},
        auth=(made["client_id"], made["client_secret"]),
        headers={"dpop": shown},
    )
    nonces["token"] = answer.headers["dpop-nonce"]
    return answer


def show(shown, token, scheme="DPoP"):
    answer = plain.get(f"{issuer}/v1/me", headers={"authorization": f"{scheme} {token}", "dpop": shown})
    nonces["resource"] = answer.headers["dpop-nonce"]
    return answer


first = ask(proof("POST", server["token_endpoint"])).json()["error"]
shown = proof("POST", server["token_endpoint"])
granted, again = ask(shown), ask(shown)
token = granted.json()["access_token"]
first_at_resource = show(proof("GET", f"{issuer}/v1/me", token), token).status_code
shown = proof("GET", f"{issuer}/v1/me", token)
found["bound"] = [
    first,
    granted.json()["token_type"],
    again.json()["error"],
    first_at_resource,
    show(shown, token).status_code,
    show(shown, token).status_code,
    show(proof("GET", f"{issuer}/v1/me", token), token, "Bearer").status_code,
    show(proof("POST", f"{issuer}/v1/me", token), token).status_code,
]
print(json.dumps(found))
