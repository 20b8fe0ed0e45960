"""Requests as deployed servers put them on the wire, whole: request line, fields in their order and case, body.

Recorded between running servers over TLS: Nextcloud 31.0.6 (port 9443), Nextcloud 32.0.1 (9446), ownCloud 10.15.2
(9448), ocm-stub (9447); we stand where the recording peer stood (9444, for ocm-stub 9449). The three signed messages
are test vectors of their own (tests/vectors/cavage.json), bodies stand in `support.captures`.
"""

from __future__ import annotations

import json
from pathlib import Path

from interop.peers.base import first_key
from interop.peers.davclients import OwnCloudMount, PhpMount

from support import captures, cavagewire

_VECTORS = json.loads((Path(__file__).parents[1] / "vectors/cavage.json").read_text("utf-8"))
_SIGNED = {message["name"]: message for message in _VECTORS["messages"]}
_NC31 = "localhost:9443"
DOCUMENTS = {
    _NC31: _VECTORS["documents"]["NC31"].encode(),
    "localhost:9446": _VECTORS["documents"]["NC32"].encode(),
    "localhost:9448": captures.OC10_DISCOVERY,
    "localhost:9447": captures.STUB_DISCOVERY,
    # Another one of the same kind, which one message names.
    "stub2.docker": captures.STUB_DISCOVERY.replace(b"localhost:9447", b"stub2.docker"),
}


def whole(head: str, body: bytes = b"") -> bytes:
    """Return a request from its head, a line for each field, and its body."""
    return head.strip("\n").replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


def signed(name: str) -> bytes:
    """Return one of the signed messages."""
    message = _SIGNED[name]
    fields = "\n".join(f"{field}: {value}" for field, value in message["headers"])
    return whole(f"{message['method']} {message['target']} HTTP/1.1\n{fields}", message["body"].encode())


def unsigned_notice(body: bytes) -> bytes:
    """Return a notice of Nextcloud of which only the body was recorded, without the signature that it had."""
    return whole(
        "POST /ocm/notifications HTTP/1.1\nHost: localhost:9444\ncontent-type: application/json\n"
        f"User-Agent: Nextcloud Server Crawler\nAccept-Encoding: gzip\nContent-Length: {len(body)}",
        body,
    )


def signed_anew(notice: bytes, at: str) -> bytes:
    """Return a notice of Nextcloud 31 signed in its place and its way, at a time, with a key that is not its own."""
    head, _, body = notice.partition(b"\r\n\r\n")
    key_id = json.loads(DOCUMENTS[_NC31])["publicKey"]["keyId"]
    made = cavagewire.sign(first_key(), key_id, "/ocm/notifications", "localhost:9444", body, date=at)
    fields = f"date: {made['Date']}\r\ndigest: {made['Digest']}\r\nSignature: {made['Signature']}\r\n"
    return head.replace(b"User-Agent:", fields.encode() + b"User-Agent:", 1) + b"\r\n\r\n" + body


def documents_anew() -> dict[str, bytes]:
    """Return the recorded documents, that of Nextcloud 31 with the key that `signed_anew` signs with."""
    document = json.loads(DOCUMENTS[_NC31])
    document["publicKey"]["publicKeyPem"] = cavagewire.pem(first_key())
    return DOCUMENTS | {_NC31: json.dumps(document).encode()}


def owncloud_notice(body: bytes) -> bytes:
    """Return a notice of ownCloud; each has the head of the one that was recorded whole, and no signature."""
    return whole(
        "POST /ocm/notifications HTTP/1.1\nHost: localhost:9444\nContent-Type: application/json\n"
        f"User-Agent: ownCloud Server Crawler\nContent-Length: {len(body)}",
        body,
    )


NC_DISCOVERS = whole("""
GET /ocm-provider/ HTTP/1.1
Host: localhost:9444
User-Agent: Nextcloud Server Crawler
Accept-Encoding: gzip
""")
OC_DISCOVERS = whole("""
GET /ocm-provider/ HTTP/1.1
Host: localhost:9444
User-Agent: ownCloud Server Crawler
""")
NC31_SHARES = signed("NC31 share")
NC32_SHARES = signed("NC32 share")
NC31_ACCEPTS = signed("NC31 accepted")
OC10_SHARES = whole(
    """
POST /ocm/shares HTTP/1.1
Host: localhost:9444
Content-Type: application/json
User-Agent: ownCloud Server Crawler
Content-Length: 322
""",
    captures.OC10_SHARE,
)
# Of this one the recording left out the host.
NC31_FALLS_BACK = whole(
    """
POST /ocs/v2.php/cloud/shares?format=json HTTP/1.1
Host: localhost:9444
Content-Type: application/x-www-form-urlencoded
Content-Length: 225
""",
    b"shareWith=u1&token=YJ2nDJUC8xvR4e1&name=nc2.txt&remoteId=6&owner=alice&ownerFederatedId=alice%40localhost%3A9443"
    b"&sharedBy=alice&sharedByFederatedId=alice%40localhost%3A9443&remote=https%3A%2F%2Flocalhost%3A9443%2F&shareType=6",
)
NC31_DECLINES = unsigned_notice(captures.NC31_DECLINED)
NC31_UNSHARES = unsigned_notice(captures.NC31_UNSHARED)
OC10_ACCEPTS = owncloud_notice(
    b'{"notificationType":"SHARE_ACCEPTED","resourceType":"file","providerId":"bobf","notification":'
    b'{"sharedSecret":"SECbobf","message":"Recipient accepted the share"}}'
)
OC10_LEAVES = owncloud_notice(
    b'{"notificationType":"SHARE_DECLINED","resourceType":"file","providerId":"bobf","notification":'
    b'{"sharedSecret":"SECbobf","message":"Recipient declined the share or unshared it from themself"}}'
)
OC10_UNSHARES = owncloud_notice(captures.OC10_UNSHARED)

_SABRE = "User-Agent: sabre-dav/4.7.0 (http://sabre.io/)\nAccept: */*"
_NC_DAV = "Host: localhost:9444\nAuthorization: Basic U0VDUkVUYm9iOg=="
NC31_PROPFIND = whole(
    f"PROPFIND /dav/ HTTP/1.1\n{_NC_DAV}\n{_SABRE}\nDepth: 0\nContent-Type: application/xml\nContent-Length: 469",
    PhpMount.body.encode(),
)
NC31_GET = whole(f"GET /dav/hello.txt HTTP/1.1\n{_NC_DAV}\nUser-Agent: Nextcloud Server Crawler\nAccept-Encoding: gzip")
NC31_PUT = whole(
    "PUT /dav/new.txt HTTP/1.1\nHost: localhost:9444\nContent-Type: text/plain\n"
    "Authorization: Basic U0VDUkVUYm9iOg==\nUser-Agent: Nextcloud Server Crawler\nAccept-Encoding: gzip\n"
    "Content-Length: 22",
    b"uploaded via nextcloud",
)
_EMPTY_FORM = "Content-Length: 0\nContent-Type: application/x-www-form-urlencoded"
NC31_MKCOL = whole(f"MKCOL /dav/made HTTP/1.1\n{_NC_DAV}\n{_SABRE}\n{_EMPTY_FORM}")
NC31_MOVE = whole(
    f"MOVE /dav/new.txt HTTP/1.1\n{_NC_DAV}\n{_SABRE}\n"
    f"Destination: https://localhost:9444/dav/renamed.txt\n{_EMPTY_FORM}"
)
OC10_PROPFIND = whole(
    "PROPFIND /dav/ HTTP/1.1\nHost: localhost:9444\nAuthorization: Basic U0VDYm9iZjo=\n"
    "User-Agent: sabre-dav/4.6.0 (http://sabre.io/)\nAccept: */*\nDepth: 0\nContent-Type: application/xml\n"
    "Content-Length: 438",
    OwnCloudMount.body.encode(),
)

_STUB_TAIL = (
    "User-Agent: node-fetch/1.0 (+https://github.com/bitinn/node-fetch)\nAccept-Encoding: gzip,deflate\n"
    "Connection: close"
)
STUB_SHARES = whole(
    """
POST /ocm/shares HTTP/1.1
request-target: post /ocm/shares
content-length: 573
host: localhost:9449
date: Mon, 23 Nov 2026 16:19:35 GMT
digest: SHA-256=8vl5NRQaF3AAVnoZiHarXypC1SLKRogXQ7HV2XQqKr4=
signature: keyId="localhost:9447",algorithm="rsa-sha256",headers="request-target,content-length,host,date,digest","""
    'signature="mp7os6BzUTFqc/wtN6O5vE10pHQ5PRyOv1Sh2+hJRI7WffS03y07JfGahfcgI24O+23WBIbozW+gtJCG3zJ9hyZonQoeY032/w2eN8'
    "1LG9XtRj63EOshAh111zyZBkIY6HDnwbupg+5bK92UyedGFOJS9/syLGwfaqIotwXYfOeNcJq4mQgHnWKV8+Lq+AWzoO6ipugj+Z+Yid/O8icmfL"
    "dEImwbS/r2g+cfrOU5OzMNWeLkZTL0aqQ4BvibV5ruOOUPSlNnQgjAZaa/stTXIiJshNIQAzBoHKq+bTaaYoMOu9LtyGJX6TobFJQG70HO3ylJAo"
    f"""pmY4lHYkgqpkJenA=="
content-type: application/json
Accept: */*
{_STUB_TAIL}
""",
    captures.STUB_SHARE,
)
STUB_ACCEPTS = whole(
    f"POST /ocm/notifications HTTP/1.1\nContent-Type: text/plain;charset=UTF-8\nAccept: */*\nContent-Length: 123\n"
    f"{_STUB_TAIL}\nHost: localhost:9449",
    captures.STUB_ACCEPTED,
)
STUB_ACCEPTS_INVITE = whole(
    f"POST /ocm/invites/accept HTTP/1.1\nContent-Type: application/json\nAccept: */*\nContent-Length: 166\n"
    f"{_STUB_TAIL}\nHost: localhost:9449",
    b"""{
  "invite": {
    "token": "tok123",
    "userId": "marie",
    "recipientProvider": "stub2.docker",
    "name": "Marie Curie",
    "email": "marie@cesnet.cz"
  }
}""",
)
