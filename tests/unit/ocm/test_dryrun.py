"""What deployed servers answer to a message that changes nothing is read as they mean it."""

import pytest

from gateway.ocm.dialects.dryrun import Heard, read_dry_run
from gateway.ocm.dialects.recognise import UNKNOWN, recognise
from gateway.ocm.discovery import parse

URL = "https://peer.example.org/ocm"


def kind(**document):
    return recognise(parse({"enabled": True, "endPoint": URL, **document}))


NEXTCLOUD = kind(provider="Nextcloud Files", apiVersion="1.0-proposal1")
OWNCLOUD = kind(
    apiVersion="1.0-proposal1", shareTypes=[{"name": "file", "protocols": {"webdav": "/public.php/webdav/"}}]
)


@pytest.mark.parametrize(
    ("dialect", "status", "text", "heard"),
    [
        (NEXTCLOUD, 400, '{"message":"Invalid signature","validationErrors":[]}', Heard.NOT_PROVEN),
        (NEXTCLOUD, 400, '{"message":"Unsigned request","validationErrors":[]}', Heard.NOT_PROVEN),
        (NEXTCLOUD, 400, '{"message":"instance is supposed to sign its request"}', Heard.NOT_PROVEN),
        (NEXTCLOUD, 400, '{"message":"entry  does not contain @"}', Heard.UNDERSTOOD),
        (NEXTCLOUD, 503, "<!DOCTYPE html>", Heard.BROKEN),
        (OWNCLOUD, 403, "{}", Heard.UNCHECKED),
        (OWNCLOUD, 400, '{"message":"Share with id 2 does not exist"}', Heard.UNCHECKED),
        (OWNCLOUD, 501, "{}", Heard.NO_DOOR),
        (UNKNOWN, 401, "{}", Heard.REFUSED),
        (UNKNOWN, 403, '{"message":"The key of this signature is not known."}', Heard.NOT_PROVEN),
        (UNKNOWN, 201, "{}", Heard.UNDERSTOOD),
        (UNKNOWN, 404, "", Heard.NO_DOOR),
        (UNKNOWN, 302, "", Heard.BROKEN),
        (UNKNOWN, 502, "signature", Heard.BROKEN),
    ],
)
def test_answers_are_read(dialect, status, text, heard):
    """Each recorded answer, and each class of others, is told apart."""
    assert read_dry_run(dialect, status, text) is heard
