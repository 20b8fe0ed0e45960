"""Checksums and several ranges at the door of a running gateway (RFC 3230, RFC 9530, RFC 9110 14)."""

import base64
import hashlib
import io
import os
import random
import zlib
from email import message_from_bytes
from email.policy import HTTP
from itertools import product

import pytest

from support.davgateway import READ_ONLY, client, local_storage, site

# Its adler32 begins with zeros.
DATA = b"abc"
ADLER = f"{zlib.adler32(DATA):08x}"
MD5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
ASK = '<d:propfind xmlns:d="DAV:"><d:prop><o:checksums xmlns:o="http://owncloud.org/ns"/></d:prop></d:propfind>'


@pytest.fixture
async def ask(tmp_path):
    """A function that sends one request to a share of a local folder and returns status, headers and body."""
    (tmp_path / "storage/alice/docs").mkdir(parents=True)
    async with site(tmp_path, local_storage(tmp_path / "storage")) as running, client() as http:
        shares = {False: await running.share("docs"), True: await running.share("docs", permissions=READ_ONLY)}

        async def send(method, path, body=None, *, reader=False, **headers):
            share = shares[reader]
            fields = {name.replace("_", "-"): value for name, value in headers.items()} | share.headers
            async with http.request(method, share.url + path, data=body, headers=fields) as answer:
                return answer.status, answer.headers, await answer.read()

        send.folder = tmp_path / "storage/alice/docs"
        yield send


TOLD = [
    ("OC_Checksum", f"ADLER32:{ADLER}", "ADLER32:00000001"),
    ("OC_Checksum", f"ADLER32:{ADLER.lstrip('0')}", "ADLER32:1"),
    ("OC_Checksum", f"SHA1:{hashlib.sha1(DATA).hexdigest()}", f"SHA1:{'0' * 40}"),
    ("Digest", f"md5={MD5},adler32={ADLER}", f"md5={MD5},adler32=00000001"),
    ("Repr_Digest", f"sha-256=:{SHA256}:", f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"),
    ("Content_MD5", MD5, base64.b64encode(bytes(16)).decode()),
    ("Content_MD5", MD5, "no sum"),
]


async def test_an_upload_has_the_sum_that_was_told(ask):
    """An upload with another sum than was told is refused, and what was there stays to the byte."""
    assert ADLER.startswith("0")
    for field, right, wrong in TOLD:
        await ask("PUT", "f", b"old")
        assert (await ask("PUT", "f", DATA, **{field: wrong}))[0] == 400, wrong
        assert (await ask("GET", "f"))[2] == b"old"
        assert [entry.name for entry in ask.folder.iterdir()] == ["f"]

        assert (await ask("PUT", "f", DATA, **{field: right}))[0] == 204, right
        assert (await ask("GET", "f"))[2] == DATA


async def test_sums_are_told_to_those_who_want_them(ask):
    """A sum is told in the form that was asked for, known or not yet known, and to nobody who did not ask."""
    await ask("PUT", "through us", DATA)
    (ask.folder / "behind us").write_bytes(DATA)
    for method, name, reader in product(("GET", "HEAD"), ("through us", "behind us"), (True, False)):
        _, old, _ = await ask(method, name, reader=reader, Want_Digest="adler32;q=0.5, md5, sha-256;q=0, sha-9")
        assert sorted(old["Digest"].split(",")) == sorted([f"adler32={ADLER}", f"md5={MD5}"])
        _, new, _ = await ask(method, name, reader=reader, Want_Repr_Digest="sha-256=5, md5=0", Want_Digest="md5")
        assert new["Repr-Digest"] == f"sha-256=:{SHA256}:"
        assert "Digest" not in new
        _, none, _ = await ask(method, name, reader=reader)
        assert not {"Digest", "Repr-Digest"} & set(none)


async def test_sums_go_along_and_end_with_the_content(ask):
    """`oc:checksums` tells sums of what was written through us, also after a move, and none of other content."""
    await ask("PUT", "f", DATA, OC_Checksum=f"SHA1:{hashlib.sha1(DATA).hexdigest()}")
    await ask("MOVE", "f", Destination="/ocm/dav/g")
    words = f">SHA1:{hashlib.sha1(DATA).hexdigest()} ADLER32:{ADLER}<"
    assert words.encode() in (await ask("PROPFIND", "", ASK, Depth="1"))[2]

    (ask.folder / "g").write_bytes(b"other content, behind our back")
    _, _, listed = await ask("PROPFIND", "", ASK, Depth="1")
    assert b"ADLER32:" not in listed
    _, _, everything = await ask("PROPFIND", "", Depth="1")
    assert b"checksums" not in everything


async def test_the_sum_of_a_large_upload_is_that_of_all_its_pieces_in_order(ask):
    """A large upload, which is summed beside its writing, is known by its sum without reading it again, or refused."""
    data = random.Random(5).randbytes(5 * 1024 * 1024 + 3)
    told = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert (await ask("PUT", "f", io.BytesIO(data[:-1] + b"?"), Repr_Digest=f"sha-256=:{told}:"))[0] == 400
    assert (await ask("PUT", "f", io.BytesIO(data), Repr_Digest=f"sha-256=:{told}:"))[0] == 201
    file = ask.folder / "f"
    stat = file.stat()
    # What stands in the file now could only be summed by reading it; times and size, and so its tag, are the same.
    with file.open("r+b") as changed:
        changed.write(b"other")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    _, headers, _ = await ask("HEAD", "f", Want_Repr_Digest="sha-256, adler")
    assert f"sha-256=:{told}:" in headers["Repr-Digest"]


async def test_a_large_file_is_not_read_to_sum_it(ask):
    """A sum that is not known is not computed for a file beyond the bound; the answer comes without it."""
    with (ask.folder / "large").open("wb") as file:
        os.truncate(file.fileno(), 64 * 1024 * 1024 + 1)
    status, headers, _ = await ask("HEAD", "large", Want_Digest="md5")
    assert (status, "Digest" in headers) == (200, False)


async def test_several_pieces_come_in_one_body(ask):
    """Two ranges are answered with both pieces, each with its place, and exactly as many bytes as was said."""
    data = bytes(range(256)) * 4000
    await ask("PUT", "f", data)
    _, whole, _ = await ask("HEAD", "f")
    status, headers, body = await ask("GET", "f", Range="bytes=5-9, -300000", If_Range=whole["ETag"])

    assert (status, int(headers["Content-Length"])) == (206, len(body))
    parts = message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=HTTP
    ).get_payload()
    places = [part["Content-Range"] for part in parts]
    assert places == [f"bytes 5-9/{len(data)}", f"bytes {len(data) - 300_000}-{len(data) - 1}/{len(data)}"]
    assert data[-300_000:] in body
    assert data[5:10] in body
    assert "Content-Range" not in headers


async def test_ranges_that_are_more_than_the_file_get_the_file(ask):
    """Overlapping, repeated or unreadable ranges cost no more than the file itself."""
    await ask("PUT", "f", DATA)
    for ranges in ("0-1,1-2", ",".join(["0-0"] * 17), "0-,-1", "-2,0-", "a,0-1"):
        status, _, body = await ask("GET", "f", Range=f"bytes={ranges}")
        assert (status, body) == (200, DATA), ranges
