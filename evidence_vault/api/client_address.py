"""Where a request comes from: the peer, or what a proxy that the operator named says of it.

X-Forwarded-For is read from its end: each proxy adds whom it saw, and only what a trusted one added counts. What
stands further to the left is whatever the client liked to write.
"""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from starlette.requests import Request

MAX_HOPS = 16


def client_address(request: Request, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """Return the address, or `unknown` where a trusted proxy says something that is none."""
    address = request.client.host if request.client is not None else "unknown"
    said = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for hop in list(reversed(said))[:MAX_HOPS]:
        if not _is_trusted(address, trusted) or not hop.strip():
            break
        address = hop.strip()
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return "unknown"


def _is_trusted(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)
