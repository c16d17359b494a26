"""Who may see the dashboard: who came by its own name and shows its token.

The name, because a page elsewhere may give its own name our address (DNS rebinding) and then read
what we answer. The token comes in the URL that the user opens, and is then kept in a cookie that
scripts cannot read and other sites' pages do not send; Prometheus sends it as a bearer token.
Cookies are shared by all ports of a host, so the cookie's name has the port in it.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from plait.scheduler.dashboard.place import Place

# Nothing from elsewhere, no scripts or styles in the page's text, in nobody's frame.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def cookie_name(place: Place) -> str:
    """The name of the cookie that keeps the token."""
    return f"plait-dashboard-{place.port}"


def is_own_name(place: Place, host: str) -> bool:
    """Whether a request's Host header names us."""
    try:
        return urlsplit(f"//{host}").hostname in place.names
    except ValueError:
        return False


def may_see(place: Place, given: str | None) -> bool:
    """Whether this is the token. Takes as long for a wrong one as for the right one."""
    return hmac.compare_digest((given or "").encode(), place.token.encode())
