"""A mail server that says on standard output what it took, one JSON object a line (aiosmtpd, PyPI)."""

import email
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

USER, PASSWORD = b"pinfold", b"a password of the mail server"


def authenticate(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=known, auth_data=data)


class Taker:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "user": session.auth_data.login.decode(),
            "tls": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            "headers": {name: message[name] for name in ("From", "To", "Subject", "Content-Type")},
            "text": message.get_payload().replace("\r\n", "\n"),
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


def main():
    way, port, certificate, key = sys.argv[1:]
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    common = {"authenticator": authenticate, "auth_required": True}
    if way == "smtps":
        # Inside of TLS from the first byte on, so nothing has to be asked for.
        more = {"ssl_context": tls, "auth_require_tls": False}
    else:
        more = {"tls_context": tls, "require_starttls": True}
    controller = Controller(Taker(), hostname="127.0.0.1", port=int(port), **common, **more)
    controller.start()
    print("ready", flush=True)
    # Until whoever started it closes its end.
    sys.stdin.read()
    controller.stop()


main()
