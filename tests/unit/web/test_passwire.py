"""HTTP/1.1 as the service speaks it: what is read, and what is refused."""

import asyncio

import pytest

from gateway.web.passwire import Framing, Nonsense, framing_of, parse_head, read_body, render_fields, render_request


def head(*lines, first=b"HTTP/1.1 200 OK"):
    """Return the parsed head of these lines."""
    return parse_head(b"\r\n".join((first, *lines)) + b"\r\n\r\n")


async def body(raw, framing):
    """Return the whole body in `raw`, and what is left behind it."""
    reader = asyncio.StreamReader(limit=65536)
    reader.feed_data(raw)
    reader.feed_eof()
    whole = b"".join([piece async for piece in read_body(reader, framing)])
    return whole, await reader.read()


def test_fields_keep_their_order_case_and_bytes():
    """Nothing is changed but the space around a value."""
    found = head(b"X-b: \xff ", b"a:1", b"X-B:2", b"Empty:")
    assert found.fields == ((b"X-b", b"\xff"), (b"a", b"1"), (b"X-B", b"2"), (b"Empty", b""))


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 299 a b c", b"HTTP/1.1 404 \xe9", b"HTTP/1.1 200 "]
)
def test_status_lines_of_real_servers_are_read(first):
    """A reason may be missing or hold any text."""
    assert head(first=first).status == int(first[9:12])


@pytest.mark.parametrize(
    "first", [b"HTTP/2 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 020 X", b"ICY 200 OK", b"", b"HTTP/1.1  200 OK"]
)
def test_other_first_lines_are_nonsense(first):
    """What is no status line of HTTP/1 is not passed on."""
    with pytest.raises(Nonsense):
        head(first=first)


@pytest.mark.parametrize(
    "line",
    [b" folded", b"\tfolded", b"a b: c", b"nocolon", b": x", b"a: b\rc", b"a: b\nSet-Cookie: x", b"a: \0", b"\n"],
)
def test_lines_that_would_split_an_answer_are_nonsense(line):
    """Folding, bare line ends, control characters and unnamed fields end the exchange."""
    with pytest.raises(Nonsense):
        head(b"Ok: yes", line)


def test_too_many_fields_are_nonsense():
    """The number of fields is limited."""
    with pytest.raises(Nonsense):
        head(*[b"a: b"] * 257)


@pytest.mark.parametrize(
    ("lines", "method", "framing"),
    [
        ([b"Content-Length: 5"], "GET", Framing(length=5)),
        ([b"Content-Length: 5", b"content-length: 5"], "GET", Framing(length=5)),
        ([b"Transfer-Encoding: Chunked"], "GET", Framing(is_chunked=True)),
        ([], "GET", Framing()),
        ([b"Content-Length: 5"], "HEAD", Framing(length=0)),
        ([b"Transfer-Encoding: chunked"], "HEAD", Framing(length=0)),
    ],
)
def test_the_end_of_a_body_is_told_by_its_head(lines, method, framing):
    """Length, chunks or the connection's end, in this order (RFC 9112, 6.3)."""
    assert framing_of(head(*lines), method) == framing


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_never_have_a_body(status):
    """Whatever their fields say."""
    found = head(b"Content-Length: 5", first=b"HTTP/1.1 " + status)
    assert framing_of(found, "GET") == Framing(length=0)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: "],
        [b"Content-Length: -1"],
        [b"Content-Length: 99999999999999999999"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: "],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_two_opinions_about_the_end_are_nonsense(lines, method):
    """An answer that two readers might end at different places is refused."""
    with pytest.raises(Nonsense):
        framing_of(head(*lines), method)


def test_chunks_are_no_part_of_old_http():
    """HTTP/1.0 knows no chunks (RFC 9112, 6.1)."""
    with pytest.raises(Nonsense):
        framing_of(head(b"Transfer-Encoding: chunked", first=b"HTTP/1.0 200 OK"), "GET")


async def test_chunks_are_read_to_their_end_and_no_further():
    """Extensions and trailers are left away, and what is behind the body stays unread."""
    raw = b'3;a="b"\r\nabc\r\n2 \r\nde\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\nrest'
    assert await body(raw, Framing(is_chunked=True)) == (b"abcde", b"rest")


@pytest.mark.parametrize(
    "raw",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"-1\r\nabc\r\n0\r\n\r\n",
        b"\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3;x\ny\r\nabc\r\n0\r\n\r\n",
        b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        b"3" + b";x" * 4000 + b"\r\nabc\r\n0\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 4000 + b"\r\n",
    ],
)
async def test_malformed_chunks_are_nonsense(raw):
    """Sizes with signs, prefixes, bare line ends or no end are refused, and so are endless trailers."""
    with pytest.raises(Nonsense):
        await body(raw, Framing(is_chunked=True))


@pytest.mark.parametrize(
    ("raw", "framing"),
    [(b"abc", Framing(length=4)), (b"3\r\nab", Framing(is_chunked=True)), (b"3\r\nabc\r\n", Framing(is_chunked=True))],
)
async def test_a_body_that_breaks_off_is_no_body(raw, framing):
    """An early end is an error, never a shorter body."""
    with pytest.raises(EOFError):
        await body(raw, framing)


@pytest.mark.parametrize(
    ("name", "value"), [(b"A", b"b\r\nC: d"), (b"A", b"b\nc"), (b"A b", b"c"), (b"", b"x"), (b"A", b"\0")]
)
def test_no_field_ends_its_line_early(name, value):
    """What would be two lines is never written."""
    with pytest.raises(ValueError, match="end its line"):
        render_fields([(name, value)])


@pytest.mark.parametrize("target", [b"/a b", b"/a\r\nX: y", b"", b"/\xff"])
def test_no_target_ends_the_request_line_early(target):
    """A target holds visible characters only."""
    with pytest.raises(ValueError, match="request line"):
        render_request("GET", target, [])
