"""Who may use the console: this machine alone, or whoever has the token; and from our page only."""

from __future__ import annotations

import hmac
import ipaddress
import os
import pathlib
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

TOKEN_VARIABLE = 'DRAGSTREAM_CONSOLE_TOKEN'
SHORTEST_TOKEN = 16
COOKIE = 'dragstream_console'
HEADERS = {
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-cache',
}


class AccessError(Exception):
    """The console would be open to strangers; the text is one sentence."""


@dataclass(frozen=True)
class Access:
    """What a request must show. token: empty: none is needed, on this machine alone."""

    token: str = ''

    def may_enter(self, request: web.Request) -> bool:
        """Whether this browser may see the page."""
        if not self.token:
            # A stranger's web page can give its own name our address; it cannot give ours.
            return _is_loopback(_split(f'//{request.host}').hostname or '')
        return self.is_token(request.cookies.get(COOKIE, ''))

    def is_token(self, said: str) -> bool:
        """Whether this is the token; takes as long for a good guess as for a bad one."""
        return bool(self.token) and hmac.compare_digest(
            said.encode(errors='replace'), self.token.encode())

    def may_speak(self, request: web.Request) -> bool:
        """Whether a WebSocket comes from our own page: browsers let any page open one."""
        origin = _split(request.headers.get('Origin', '')).netloc
        return self.may_enter(request) and bool(origin) and origin == request.host


def make_access(address: str, token_file: str) -> Access:
    """Read the token, from the file or else from the environment.

    :raises AccessError: other machines could come in without one, or it is too short
    """
    token = os.environ.get(TOKEN_VARIABLE, '')
    if token_file:
        try:
            token = pathlib.Path(token_file).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f'The token file cannot be read: {error}.') from error
    if not token and not _is_loopback(address):
        raise AccessError(
            f'On the address {address} other machines can reach the console; please give it a '
            f'token, by the parameter token_file or the environment variable {TOKEN_VARIABLE}.')
    if token and len(token) < SHORTEST_TOKEN:
        raise AccessError(
            f'The token has {len(token)} characters; please make it {SHORTEST_TOKEN} or more.')
    return Access(token)


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # no address at all
        return urlsplit('')


def _is_loopback(host: str) -> bool:
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
