"""The account that a user has at her storage: a page and three REST requests to store, see and withdraw it.

For users whose log-in here does not open their storage. The secret goes in and never comes out again: what is shown is
its name, its kind and when it was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp_jinja2
from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.store_account import StoreAccount
from gateway.model.account import Account, StoredAccount
from gateway.model.secret import Secret
from gateway.web.apiparts import ApiParts
from gateway.web.doors import Door
from gateway.web.pages import Pages
from gateway.web.status import http_status

_MEMBERS = frozenset({"login", "password", "private_key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDoors:
    """Handlers of `/api/v1/storage-account` and of the page “My storage”.

    Attributes:
        is_offered: whether any storage takes accounts; else no page leads here.
    """

    parts: ApiParts
    pages: Pages
    flow: StoreAccount
    is_offered: bool

    def set_up(self, app: web.Application) -> None:
        """Let the pages of `app`, which can be rendered already, lead here."""
        aiohttp_jinja2.get_env(app).globals["offers_accounts"] = self.is_offered

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        rest, page = self.parts.door, self.pages.door
        return (
            rest("GET", "storage-account", "the account that the user has at her storage", self.show),
            rest("PUT", "storage-account", "store that account", self.store),
            rest("DELETE", "storage-account", "withdraw that account", self.withdraw),
            page("GET", "/my-storage", "the account that the user has at her storage", self.page),
            page("POST", "/my-storage", "store that account", self.send),
            page("POST", "/my-storage/withdraw", "withdraw that account", self.send_withdrawal),
        )

    async def show(self, request: web.Request) -> web.Response:
        """Tell which account is stored."""
        stored = await self.flow.show(await self.parts.user(request))
        if stored is None:
            raise GatewayError(Kind.NOT_FOUND, "You have stored no account for your storage.")
        return web.json_response(_document(stored))

    async def store(self, request: web.Request) -> web.Response:
        """Try an account and keep it."""
        user = await self.parts.user(request)
        account = _account_of(await self.parts.document(request, "An account is described as application/json."))
        return web.json_response(_document(await self.flow.store(user, account, address=request.remote or "")))

    async def withdraw(self, request: web.Request) -> web.Response:
        """Forget the account."""
        await self.flow.withdraw(await self.parts.user(request))
        return web.Response(status=204)

    async def page(self, request: web.Request) -> web.Response:
        """Show which account is stored, and the form for another."""
        return await self._page(request, "", None)

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Try the account in the form and keep it."""
        visitor, fields = await self.pages.form(request)
        login = fields.get("login", "").strip()
        # Browsers write line ends as CR LF; keys have plain ones.
        key = fields.get("private_key", "").replace("\r\n", "\n")
        account = _account(login, fields.get("password", ""), key)
        try:
            await self.flow.store(visitor.user, account, address=request.remote or "")
        except GatewayError as error:
            if error.kind not in (Kind.INVALID, Kind.LIMITED, Kind.UNAVAILABLE):
                raise
            return await self._page(request, login, error)
        return self.pages.go("/my-storage", notice="account-stored")

    async def send_withdrawal(self, request: web.Request) -> web.StreamResponse:
        """Forget the account."""
        visitor, _ = await self.pages.form(request)
        await self.flow.withdraw(visitor.user)
        return self.pages.go("/my-storage", notice="account-withdrawn")

    async def _page(self, request: web.Request, login: str, error: GatewayError | None) -> web.Response:
        visitor = await self.pages.visitor(request)
        is_offered = self.flow.is_offered(visitor.user)
        return self.pages.show(
            request,
            "my-storage.html",
            visitor,
            status=200 if error is None else http_status(error),
            tab="storage",
            is_offered=is_offered,
            takes_keys=self.flow.takes_keys(visitor.user),
            stored=await self.flow.show(visitor.user) if is_offered else None,
            login=login,
            error=error,
        )


def _account_of(document: Mapping[str, object]) -> Account:
    faults = [Fault(name, "This member is not known.") for name in sorted(set(document) - _MEMBERS)]
    texts = {name: document.get(name, "") for name in _MEMBERS}
    faults += [Fault(name, "This is a text.") for name, text in texts.items() if not isinstance(text, str)]
    if faults:
        raise GatewayError(Kind.INVALID, "The account is not described well.", faults=tuple(faults))
    return _account(str(texts["login"]), str(texts["password"]), str(texts["private_key"]))


def _account(login: str, password: str, private_key: str) -> Account:
    return Account(
        login=login,
        password=Secret(password) if password else None,
        private_key=Secret(private_key) if private_key.strip() else None,
    )


def _document(stored: StoredAccount) -> dict[str, object]:
    return {
        "storage": stored.storage,
        "login": stored.account.login,
        "kind": "password" if stored.account.password else "private_key",
        "stored_at": int(stored.stored_at),
    }
