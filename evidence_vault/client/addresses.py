"""Which addresses the vault may connect to: public ones, and the endpoints that its operator named.

A URL can come from outside (a certificate's CRL address, a redirect, a hostile name server), and the vault
stands inside somebody's network. So an address is judged after the name was resolved, and the connection is
made to the very address that was judged: a name that resolves differently the second time gains nothing.
"""

import ipaddress
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from evidence_vault.errors import UnavailableError

_LOCAL = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "fec0::/10")))
"""Local, though Python calls them global: IPv4-compatible, a network's own NAT64 (RFC 8215), site-local."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 inside IPv6 (RFC 6052 §2.1): judged by the address inside."""


class NotPublicError(UnavailableError):
    """The text names private addresses: it is for the operator, not for whoever chose the name."""


def resolve_permitted(host: str, port: int, *, permitted: Collection[str], timeout_s: float) -> list[str]:
    """Return the addresses of `host` that may be connected to, in the resolver's order; at least one.

    permitted: endpoints as `host:port` that the operator named; all their addresses may be used.
    Raises UnavailableError if the name doesn't resolve in time or every address is refused.
    """
    service = endpoint(host, port)
    found = _resolve(host, port, timeout_s)
    if service in permitted:
        return found
    public = [address for address in found if is_public(address)]
    if not public:
        raise NotPublicError(
            service,
            f"resolves to {', '.join(found)}, which is not a public address; "
            "if the operator means it, the settings must name this endpoint",
        )
    return public


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the internet could reach; the address inside counts."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded(ip)
    if inner:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _LOCAL)


def endpoint(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host.lower()}:{port}"


def endpoint_of(url: str) -> str:
    """Return `host:port` of an http or https URL."""
    parts = urlsplit(url)
    return endpoint(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _resolve(host: str, port: int, timeout_s: float) -> list[str]:
    """Ask the system's resolver, which knows no deadline, from a thread that may be left behind."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]  # an address is its own answer; judged it is all the same
    found: list[str] = []
    failed: list[str] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failed.append(str(error))
        else:
            found.extend(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if found:
        return found
    raise UnavailableError(endpoint(host, port), "; ".join(failed) or "its name did not resolve in time")
