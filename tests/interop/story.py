"""One story for each peer and direction, told once; each step of it is a cell of the matrix.

A story goes on after a step that failed, as far as it can: what is recorded is the error of each step, and a step that
needs another one's outcome fails with it. The gateway runs for one story, on real sockets and real files, with a clock
that can be moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from interop.peers.base import OWNER, RECIPIENT, SECRET, Judged, Offer, Peer, Signing
from interop.peers.davclients import Removed, Unavailable, basic
from interop.peers.davtree import Tree
from interop.rows import OLD, RECEIVER_ROWS, SENDER_ROWS, Arrived

from gateway.crypto.keys import KeyRing, load_key_file, save_key_file
from support.pair import Clock, Side, folder_storage, side

DAY_SECONDS = 86_400


class Cell(Exception):  # noqa: N818 - one outcome among others
    """Why a cell does not hold."""


def hold(is_so: object, why: object) -> None:
    """Fail the step that is being told, unless this is so."""
    if not is_so:
        raise Cell(str(why))


@dataclass
class Told:
    """What became of each step: None, or its error."""

    outcomes: dict[str, BaseException | None] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Record the outcome of a step."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever happened is this step's outcome
            self.outcomes[name] = error
        else:
            self.outcomes[name] = None


# As the receiver of our shares


async def as_receiver(kind: type[Peer], folder: Any) -> Told:
    """Tell how a peer gets a share of ours, uses it, and loses it."""
    told = Told()
    async with side(folder, "here", OWNER, folder_storage(folder / "files", OWNER)) as ours, kind.meeting(ours) as peer:
        story = Receiving(told, ours, peer, folder / "files")
        await story.tell()
    return told


@dataclass
class Receiving:
    """The steps of a peer that receives."""

    told: Told
    ours: Side
    peer: Peer
    files: Any
    share: dict[str, Any] = field(default_factory=dict)

    async def tell(self) -> None:
        """Tell all of it."""
        await self.begin()
        await self.use()
        await self.change()
        await self.end()

    async def begin(self) -> None:
        """How the two meet."""
        ours, peer, step = self.ours, self.peer, self.told.step
        async with step("discovery"):
            found = await peer.look()
            hold(found is None or found.end_point == f"{ours.config.public_url}/ocm", found)
        async with step("provider list"):
            if peer.needs_listing:
                await self.not_yet()
                peer.list_provider(ours.config.authority)
        async with step("prior invite"):
            if peer.needs_contact:
                await self.not_yet()
        async with step("invite"):
            if peer.has_invites:
                await self.invite()
        async with step("error"):
            before = len(peer.judged)
            refused = await ours.share("/Project", f"nobody@{peer.host}")
            hold(refused["state"] == "refused", refused)
            # Where two forms were tried, the likelier one's refusal is told.
            body = json.loads(peer.judged[before].why)
            words = next(body[name] for name in ("message", "reason", "error_msg") if name in body)
            hold(words in refused["problem"], refused["problem"])
        async with step("share"):
            self.share = await ours.share("/Project", peer.address, permissions=["read", "write"])
            hold(self.share["state"] == "delivered", [self.share, *(one.why for one in peer.judged)])
            hold(self.share["id"] in peer.incoming, "not kept")
        await self.rows()
        async with step("accept"):
            await self.accept()

    async def not_yet(self) -> None:
        """Who takes shares only of those whom it knows refuses ours, and the owner is told."""
        refused = await self.ours.share("/Project", self.peer.address)
        hold((refused["state"], self.peer.judged[-1].status) == ("refused", 401), refused)
        hold(json.loads(self.peer.judged[-1].why)["message"] in refused["problem"], refused["problem"])

    async def invite(self) -> None:
        """Our user invites, its user accepts: each is in the other's contacts, under the address that shares bear."""
        status, made = await self.ours.rest("POST", "invites", json={})
        hold(status == 201, made)
        address = await self.peer.accept_invitation(made["plain"].partition("@")[0])
        hold(address == self.ours.address, address)
        known = (await self.ours.rest("GET", "contacts"))[1]["contacts"]
        guest = f"{self.peer.guest_id().partition('@http')[0]}@{self.peer.host}"
        hold([contact["address"] for contact in known] == [guest], known)

    async def accept(self) -> None:
        if self.peer.tells_accept:
            status = await self.peer.accept(self.share["id"])
            hold(status in self.peer.note_wanted, status)
        expected = "accepted" if self.peer.tells_accept else "delivered"
        state = (await self.ours.sent(self.share["id"]))["state"]
        hold(state == expected, state)

    async def use(self) -> None:
        """How it uses the share."""
        step = self.told.step
        async with step("list"):
            mount = await self.peer.mount(self.share["id"])
            hold(await mount.names() == {"hello.txt", "sub"}, "names")
        async with step("read"):
            hold(await mount.read("hello.txt") == b"hello", "content")
        async with step("write"):
            await mount.write("new.txt", b"uploaded")
            await mount.write("hello.txt", b"changed")
            await mount.make("made")
            project = self.files / OWNER / "Project"
            hold((project / "new.txt").read_bytes() == b"uploaded", "new")
            hold((project / "hello.txt").read_bytes() == b"changed", "changed")
        async with step("rename"):
            await mount.rename("new.txt", "renamed.txt")
            await mount.remove("renamed.txt")
            hold(await mount.names() == {"hello.txt", "sub", "made"}, "names")
        async with step("one file"):
            await self.one_file()

    async def one_file(self) -> None:
        """A share of one file: its root is the file."""
        share = await self.ours.share("/Project/hello.txt", self.peer.address)
        mount = await self.peer.mount(share["id"])
        hold(await mount.read("") == b"changed", "content")

    async def change(self) -> None:
        """What changes while the share stands."""
        step = self.told.step
        async with step("permissions"):
            members = {"permissions": ["read"]}
            hold((await self.ours.rest("PATCH", f"shares/{self.share['id']}", json=members))[0] == 200, "refused")
            mount = await self.peer.mount(self.share["id"])
            hold(await mount.permissions() == {"read"}, await mount.permissions())
            status, _ = await mount.ask("PUT", "no.txt", body=b"x")
            hold(status == 403, status)
        async with step("outage"):
            await self.outage()
        async with step("rotation"):
            await self.rotation()
        async with step("leave"):
            if self.peer.tells_decline:
                share = await self.ours.share("/Project", self.peer.address)
                hold(await self.peer.leave(share["id"]) in self.peer.note_wanted, "refused")
                hold((await self.ours.sent(share["id"]))["state"] == "declined", "not declined")

    async def outage(self) -> None:
        """The storage is away: it keeps its mount, and finds everything when it is back."""
        mount = await self.peer.mount(self.share["id"])
        away = self.files.with_name("away")
        self.files.rename(away)
        try:
            for attempt in (mount.names, lambda: mount.read("hello.txt")):
                try:
                    await attempt()
                except Unavailable as error:
                    hold("503" in str(error), error)
                else:
                    raise Cell("answered")
            hold(await self.status_page() == 404, "a status page would make it look for reasons to remove the share")
        finally:
            away.rename(self.files)
        hold("hello.txt" in await mount.names(), "not back")

    async def status_page(self) -> int:
        async with self.peer.session.get(f"{self.ours.config.public_url}/status.php") as answer:
            return answer.status

    async def rotation(self) -> None:
        """We sign with another key: the next share is taken as the last was, also by who keeps our key set."""
        peer = self.peer
        old_key = key_named(peer.judged[-1])
        exchange_keys(self.ours, KeyRing.rotate, since=2 * DAY_SECONDS)
        if peer.signing is Signing.RFC9421:
            # It has read our keys while the next one was shown and not used, and reads them no more.
            await peer.look()
            peer.keeps_keys = True
        exchange_keys(self.ours, KeyRing.advance)
        before = len(peer.judged)
        share = await self.ours.share("/Project", peer.address)
        peer.keeps_keys = False
        hold(share["state"] == "delivered", [one.why for one in peer.judged[before:]])
        is_other = key_named(peer.judged[-1]) != old_key
        hold(is_other is (peer.signing is not Signing.NONE), "signed with the old key")

    async def end(self) -> None:
        """How it ends."""
        step = self.told.step
        async with step("unshare"):
            mount = await self.peer.mount(self.share["id"])
            before = len(self.peer.messages("notifications"))
            status, _ = await self.ours.rest("DELETE", f"shares/{self.share['id']}")
            hold(status == 200, status)
            heard = self.peer.messages("notifications")[before:]
            hold(heard and not heard[-1].why, heard)
            hold(self.peer.told[-1] == "SHARE_UNSHARED", self.peer.told)
        async with step("revoked"):
            await self.revoked(mount)
        async with step("always signed"):
            self.signatures()

    async def revoked(self, mount: Any) -> None:
        """Nothing opens any more, with the plain word that makes a mount go."""
        expected: type[Exception] = Removed if mount.removes_on else Unavailable
        try:
            await mount.names()
        except expected as error:
            hold("401" in str(error), error)
        else:
            raise Cell("still open")

    def signatures(self) -> None:
        """Once we signed to it, nothing unsigned follows; who knows no signatures gets none."""
        names = [{name.lower() for name in one.message.headers} for one in self.peer.judged]
        signed = ["signature" in fields for fields in names]
        hold(len(signed) >= 4, signed)
        hold(all(signed) if self.peer.signing is not Signing.NONE else not any(signed), signed)
        kinds = {"signature-input" in fields for fields in names}
        hold(kinds == {self.peer.signing is Signing.RFC9421}, kinds)

    async def rows(self) -> None:
        """The rows of the table of receivers, on the share that was taken."""
        for name, holds in RECEIVER_ROWS.items():
            async with self.told.step(name):
                holds(self.peer, self.peer.share_told)


def key_named(judged: Judged) -> str:
    """Return the name of the key that a message of ours was signed with, in either way of signing."""
    fields = " ".join(value for name, value in judged.message.headers.items() if name.lower().startswith("signature"))
    return next(iter(re.findall(r'(?i)keyid="([^"]+)"', fields)), "")


def exchange_keys(ours: Side, step: Callable[[KeyRing, float], KeyRing], *, since: float = 0.0) -> None:
    """Let the gateway take a step of an exchange of keys, as if so many seconds ago."""
    path = ours.config.data_dir / "keys.json"
    save_key_file(path, step(load_key_file(path), ours.clock() - since))
    ours.gateway.tasks.deliver_sent.client.signer.keys.__self__.read_again()


# As the sender to us


async def as_sender(kind: type[Peer], folder: Any) -> Told:
    """Tell how we get a share of a peer's, use it, and lose it."""
    told = Told()
    async with (
        side(folder, "here", RECIPIENT, folder_storage(folder / "files", RECIPIENT), clock=Clock()) as ours,
        kind.meeting(ours) as peer,
    ):
        story = Sending(told, ours, peer)
        await story.tell()
    return told


@dataclass
class Sending:
    """The steps of a peer that sends."""

    told: Told
    ours: Side
    peer: Peer
    offer: Offer = field(default_factory=lambda: Offer("17", f"{SECRET}17"))
    share: dict[str, Any] = field(default_factory=dict)

    async def tell(self) -> None:
        """Tell all of it."""
        await self.begin()
        await self.use()
        await self.change()
        await self.end()

    async def send(self, offer: Offer, *, is_signed: bool = True) -> tuple[int, str]:
        """Let the peer send a share."""
        return await self.peer.share(self.ours.address, offer, is_signed=is_signed)

    async def begin(self) -> None:
        """How a share arrives and is accepted."""
        step, peer = self.told.step, self.peer
        async with step("discovery"):
            found = await peer.look()
            hold(found is None or found.end_point, "not found")
        async with step("invite"):
            if peer.has_invites:
                await self.invite()
        async with step("share"):
            status, body = await self.send(self.offer)
            hold(status in peer.wanted, (status, body))
            hold(isinstance(json.loads(body), dict | list), body)
            (self.share,) = await self.ours.received()
            hold(self.share["is_signed"] is (peer.signing is not Signing.NONE), self.share)
        await self.rows(status)
        async with step("addresses"):
            hold(self.share["peer"] == peer.host, self.share["peer"])
            hold(self.share["sender"].endswith(f"@{peer.host}"), self.share["sender"])
            hold("://" not in self.share["owner"], self.share["owner"])
        async with step("unknown recipient"):
            status, body = await peer.share(f"nobody@{self.ours.config.authority}", Offer("99", f"{SECRET}99"))
            hold(status == 400, (status, body))
            hold(json.loads(body)["message"], body)
        async with step("accept"):
            await self.accept()

    async def invite(self) -> None:
        """Its user invites, ours accepts: the share that comes is from a contact."""
        self.peer.invites["tok123"] = None
        status, contact = await self.ours.rest("POST", "invites/accept", json={"invite": f"tok123@{self.peer.host}"})
        hold(status == 201, contact)
        hold(self.peer.invites["tok123"] == self.ours.address, self.peer.invites)
        sender = self.peer.payload(self.ours.address, self.offer)["owner"]
        hold(contact["address"] == sender, (contact, sender))
        unknown = {"invite": f"other@{self.peer.host}"}
        status, body = await self.ours.rest("POST", "invites/accept", json=unknown)
        hold(status == 400, (status, body))

    async def accept(self) -> None:
        status, body = await self.ours.rest("POST", f"received/{self.share['id']}/accept")
        hold(status == 200, body)
        # Who knows no such notice says so, or keeps silent; the share is accepted all the same.
        hold(self.peer.messages("notifications"), "not told")
        heard = self.peer.messages("notifications")[-1]
        hold(heard.message.json["notificationType"] == "SHARE_ACCEPTED", heard)
        hold(not heard.why or not self.peer.tells_accept, heard.why)
        hold((await self.state()) == "accepted", await self.state())

    async def state(self, share_id: str = "") -> str:
        """Return the state of a received share."""
        return (await self.ours.rest("GET", f"received/{share_id or self.share['id']}"))[1]["state"]

    async def files(self, method: str, path: str = "", **options: Any) -> tuple[int, Any]:
        """Do something with the files of the share as its recipient."""
        return await self.ours.rest(method, f"received/{self.share['id']}/files/{path}", **options)

    async def use(self) -> None:
        """How our user uses it."""
        step = self.told.step
        async with step("list"):
            status, body = await self.files("GET")
            hold(status == 200, (status, body))
            hold({entry["path"].strip("/") for entry in body["entries"]} == {"hello.txt", "sub"}, body)
        async with step("read"):
            hold(await self.files("GET", "hello.txt") == (200, b"hello from afar"), "content")
        async with step("write"):
            hold((await self.files("PUT", "new.txt", data=b"uploaded"))[0] == 201, "new")
            hold((await self.files("PUT", "hello.txt", data=b"changed"))[0] == 204, "changed")
            hold((await self.files("PUT", "made/"))[0] == 201, "made")
            tree = self.offer.tree.files
            hold((tree["new.txt"], tree["hello.txt"], tree["made"]) == (b"uploaded", b"changed", None), tree)
        async with step("rename"):
            await self.rename()
        async with step("our credential"):
            is_basic = isinstance(self.peer, OLD) and self.peer.signing is not Signing.RFC9421
            hold(self.peer.opened_by == {"basic" if is_basic else "bearer"}, self.peer.opened_by)
        async with step("one file"):
            await self.one_file()

    async def one_file(self) -> None:
        """A share of one file: its root is the file."""
        offer = Offer("21", f"{SECRET}21", Tree({"": b"all of it"}))
        await self.send(offer)
        share = (await self.ours.received())[0]
        hold((await self.ours.rest("POST", f"received/{share['id']}/accept"))[0] == 200, "not accepted")
        answer = await self.ours.rest("GET", f"received/{share['id']}/files/")
        hold(answer == (200, b"all of it"), answer)

    async def rows(self, status: int) -> None:
        """The rows of the table of senders, on the share that arrived."""
        (record,) = (await self.ours.gateway.tasks.received.page("recipient", RECIPIENT, limit=2)).records
        for name, holds in SENDER_ROWS.items():
            async with self.told.step(name):
                holds(self.peer, Arrived(self.peer.sent[-1], record, status))

    async def rename(self) -> None:
        """Our user renames in her mount of all that she received, and removes it again."""
        root = f"{self.ours.local}/ocm/received/"
        name = quote(self.share["name"])
        headers = {"Destination": f"{root}{name}/renamed.txt"}
        hold(await self.mounted("MOVE", f"{root}{name}/new.txt", headers) in (201, 204), "MOVE")
        hold(self.offer.tree.files["renamed.txt"] == b"uploaded", self.offer.tree.files)
        hold((await self.files("DELETE", "renamed.txt"))[0] == 204, "DELETE")
        hold("renamed.txt" not in self.offer.tree.files, self.offer.tree.files)

    async def mounted(self, method: str, url: str, headers: dict[str, str]) -> int:
        fields = headers | basic(RECIPIENT, self.ours.password)
        async with self.ours.session.request(method, url, headers=fields) as answer:
            return answer.status

    async def change(self) -> None:
        """What changes while the share stands."""
        step = self.told.step
        async with step("outage"):
            await self.outage()
        async with step("rotation"):
            await self.rotation()
        async with step("unsigned"):
            await self.unsigned()
        async with step("leave"):
            await self.leave()

    async def outage(self) -> None:
        """Its storage is away: our user is told so, and the share stays."""
        self.offer.tree.is_out = True
        status, body = await self.files("GET")
        hold(status == 503, (status, body))
        await self.ours.gateway.tasks.check_received.check(self.share["id"])
        hold(await self.state() == "accepted", await self.state())
        self.offer.tree.is_out = False
        hold((await self.files("GET"))[0] == 200, "not back")

    async def rotation(self) -> None:
        """It signs with another key: after the pause in which we ask nobody twice, its messages are taken again."""
        if self.peer.signing is Signing.NONE:
            return
        self.peer.rotate()
        self.ours.clock.ahead += 120
        status, body = await self.send(Offer("18", f"{SECRET}18"))
        hold(status == 201, (status, body))
        hold((await self.ours.received())[0]["is_signed"], "not taken as signed")

    async def unsigned(self) -> None:
        """Who signs has to go on signing; who never signed may go on as well."""
        status, body = await self.send(Offer("19", f"{SECRET}19"), is_signed=False)
        hold(status == (201 if self.peer.signing is Signing.NONE else 401), (status, body))

    async def leave(self) -> None:
        """Our user gives a share back."""
        await self.send(Offer("20", f"{SECRET}20"))
        newest = (await self.ours.received())[0]
        status, _ = await self.ours.rest("POST", f"received/{newest['id']}/decline")
        hold(status == 200, status)
        heard = self.peer.messages("notifications")[-1]
        hold(heard.message.json["notificationType"] == "SHARE_DECLINED", heard.message.json)
        hold(not heard.why or not self.peer.tells_decline, heard.why)

    async def end(self) -> None:
        """How it ends: by a word of the sender, or because its storage opens no more."""
        step = self.told.step
        async with step("unshare"):
            if self.peer.tells_unshare:
                status = await self.peer.unshare(self.offer, self.ours.address)
                hold(status in self.peer.note_wanted, status)
            else:
                await self.silent_end()
            if await self.state() == "accepted":
                # A word without proof: we look for ourselves.
                await self.ours.gateway.tasks.check_received.check(self.share["id"])
            hold(await self.state() == "unshared", await self.state())
        async with step("revoked"):
            hold((await self.files("GET"))[0] == 409, await self.files("GET"))
        async with step("always signed"):
            names = [{name.lower() for name in one.message.headers} for one in self.peer.messages("notifications")]
            is_signing = self.peer.signing is not Signing.NONE
            hold(len(names) >= 2, names)
            hold({"signature" in fields for fields in names} == {is_signing}, names)

    async def silent_end(self) -> None:
        """It ends a share without a word: we look from time to time, and believe the second refusal."""
        tasks = self.ours.gateway.tasks
        self.offer.is_ended = True
        before = len(self.offer.tree.seen)
        self.ours.clock.ahead += DAY_SECONDS
        while await tasks.sweep():
            pass
        hold(await self.state() == "accepted", "one refusal is no end")
        hold(len(self.offer.tree.seen) == before, "it was not ended")
        self.ours.clock.ahead += DAY_SECONDS
        async with asyncio.timeout(20):
            while await self.state() == "accepted":
                await tasks.sweep()
