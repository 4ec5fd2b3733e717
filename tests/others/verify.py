"""Verifies what a dispatcher sent with libraries of others: the specification's own for shared secrets (v1), and
libsodium (PyNaCl) by the specification's text for Ed25519 (v1a), which the former does not know.

Reads a JSON list of {key, id, headers, body (base 64)}; prints how many were verified, and fails at the first that is not.
"""

import base64
import json
import sys

import nacl.exceptions
import nacl.signing
import standardwebhooks


def verify_shared(key, headers, body):
    standardwebhooks.Webhook(key).verify(body, headers)


def verify_public(key, headers, body):
    public = nacl.signing.VerifyKey(base64.b64decode(key.removeprefix("whpk_")))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for given in headers["webhook-signature"].split(" "):
        version, signature = given.split(",", 1)
        if version == "v1a":
            try:
                public.verify(content, base64.b64decode(signature))
                return
            except nacl.exceptions.BadSignatureError:
                pass
    raise standardwebhooks.WebhookVerificationError("no v1a signature verifies")


def refuses(verify, key, headers, body):
    try:
        verify(key, headers, body)
    except standardwebhooks.WebhookVerificationError:
        return True
    return False


def main():
    count = 0
    for one in json.load(sys.stdin):
        key, headers, body = one["key"], one["headers"], base64.b64decode(one["body"])
        verify = verify_public if key.startswith("whpk_") else verify_shared
        verify(key, headers, body)
        assert refuses(verify, key, headers, body.replace(b"assigned", b"withdrawn")), "an altered letter verifies"
        assert refuses(verify, key, {**headers, "webhook-id": "msg_other"}, body), "another id verifies"
        assert json.loads(body)["type"] == "placecode.letters.v1"
        count += 1
    print(count)


main()
