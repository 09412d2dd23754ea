"""Which addresses are public, whatever disguise they wear."""

import socket
import time
from typing import Any

import pytest

from evidence_vault.client.addresses import endpoint, is_public, resolve_permitted
from evidence_vault.errors import UnavailableError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "ff0e::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:db8::1",
    ],
)
def test_is_public_address_inside_a_network_no(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_is_public_address_of_the_internet_yes(address: str) -> None:
    assert is_public(address)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_resolve_permitted_mixed_answer_keeps_public_only(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "93.184.216.34", "93.184.216.34")
    assert resolve_permitted("tsa.example", 80, permitted=(), timeout_s=1) == ["93.184.216.34"]


def test_resolve_permitted_private_answer_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "169.254.169.254")
    with pytest.raises(UnavailableError, match=r"tsa\.example:80: resolves to 169\.254\.169\.254"):
        resolve_permitted("tsa.example", 80, permitted=("tsa.example:8080",), timeout_s=1)


def test_resolve_permitted_named_endpoint_keeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "10.1.2.3")
    assert resolve_permitted("TSA.example", 80, permitted=("tsa.example:80",), timeout_s=1) == ["10.1.2.3"]


def test_resolve_permitted_unknown_name_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UnavailableError, match="Name or service not known"):
        resolve_permitted("nowhere.example", 80, permitted=(), timeout_s=1)


def test_resolve_permitted_silent_resolver_ends_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_silent(*_: Any, **__: Any) -> list[Any]:
        time.sleep(1)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", fall_silent)
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="did not resolve in time"):
        resolve_permitted("slow.example", 80, permitted=(), timeout_s=0.1)
    assert time.monotonic() - began < 0.9


def test_resolve_permitted_address_asks_no_resolver_and_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> list[Any]:
        raise AssertionError("an address needs no resolver")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    assert resolve_permitted("93.184.216.34", 80, permitted=(), timeout_s=1) == ["93.184.216.34"]
    assert resolve_permitted("::1", 80, permitted=("[::1]:80",), timeout_s=1) == ["::1"]
    disguised = ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1")
    for private in ("127.0.0.1", "::1", *disguised):
        with pytest.raises(UnavailableError, match="not a public address"):
            resolve_permitted(private, 80, permitted=(), timeout_s=1)


@pytest.mark.parametrize("disguised", ["127.1", "0x7f.0.0.1", "2130706433", "017700000001"])
def test_resolve_permitted_address_in_an_old_form_is_judged_as_what_it_is(disguised: str) -> None:
    with pytest.raises(UnavailableError):
        resolve_permitted(disguised, 80, permitted=(), timeout_s=5)


def test_endpoint_ipv6_has_brackets() -> None:
    assert endpoint("::1", 443) == "[::1]:443"
