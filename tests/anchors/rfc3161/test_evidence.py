"""Fetching revocation evidence from servers that answer well, badly, slowly, and with lies."""

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from anchors.base import HttpReply
from anchors.errors import UnavailableError
from anchors.rfc3161.evidence import (
    MAX_FETCHED_BYTES,
    MAX_SOURCES,
    OCSP_QUERY,
    OCSP_REPLY,
    Evidence,
    Source,
    fetch_evidence,
    sources_of,
)
from anchors.rfc3161.revocation import judge_revocation
from evidence_vault.client.http import GuardedClient
from tests.anchors.rfc3161.pki import Holder, authority, signer
from tests.anchors.rfc3161.test_revocation import DAY, NOW, crl, ocsp_response

OCSP_URL, CRL_URL = "http://ocsp.example/", "http://lists.example/ca.crl"


def asks_ocsp(url: str) -> tuple[x509.ExtensionType, bool]:
    method = AuthorityInformationAccessOID.OCSP
    where = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(method, where)]), False


def has_list(*urls: str) -> tuple[x509.ExtensionType, bool]:
    names = [x509.UniformResourceIdentifier(url) for url in urls]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)]), False


ROOT = authority("Root")
OTHER = authority("Other root")
LEAF = signer(ROOT, extra=[asks_ocsp(OCSP_URL), has_list(CRL_URL)])
SIBLING = signer(ROOT, "Sibling")


@dataclass
class Web:
    """`EvidenceClient`: answers by URL, and what was asked."""

    answers: Mapping[str, bytes | Exception] = field(default_factory=dict)
    status: int = 200
    ocsp_type: str = OCSP_REPLY
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def get(self, url: str, **_: object) -> HttpReply:
        return self._answer(url, b"", "application/pkix-crl")

    def post(self, url: str, body: bytes, *, content_type: str, **_: object) -> HttpReply:
        assert content_type == OCSP_QUERY
        return self._answer(url, body, self.ocsp_type)

    def _answer(self, url: str, body: bytes, content_type: str) -> HttpReply:
        self.asked.append((url, body))
        answer = self.answers.get(url, UnavailableError(url, "connection refused"))
        if isinstance(answer, Exception):
            raise answer
        return HttpReply(status=self.status, content_type=content_type, body=answer)


def fetch(web: Web, leaf: Holder = LEAF, issuer: Holder = ROOT, *, now: datetime = NOW) -> Evidence:
    return fetch_evidence(leaf.certificate, issuer.certificate, http=web, moment=NOW, now=now, timeout_s=1)


def test_fetch_prefers_ocsp_and_asks_about_this_certificate() -> None:
    good = ocsp_response(LEAF, ROOT, this_update=NOW)
    web = Web({OCSP_URL: good})
    found = fetch(web)
    assert (found.kind, found.der, found.this_update) == ("ocsp", good, NOW)
    [(url, query)] = web.asked
    assert url == OCSP_URL
    assert ocsp.load_der_ocsp_request(query).serial_number == LEAF.x509.serial_number
    path = (LEAF.certificate, ROOT.certificate)
    assert judge_revocation(path, evidence=[found.der], moment=NOW).checked


def test_fetch_takes_the_list_where_the_responder_is_down() -> None:
    web = Web({CRL_URL: crl(ROOT, this_update=NOW - DAY)})
    found = fetch(web)
    assert (found.kind, found.next_update) == ("crl", NOW + 6 * DAY)
    assert [url for url, _ in web.asked] == [OCSP_URL, CRL_URL]


def test_fetch_keeps_a_revocation_as_evidence() -> None:
    web = Web({CRL_URL: crl(ROOT, LEAF, revoked_at=NOW - DAY, this_update=NOW)})
    assert fetch(web).revoked_at == NOW - DAY


LIES: Mapping[str, bytes] = {
    "list_of_another_issuer": crl(OTHER, this_update=NOW),
    "list_signed_by_another_key": crl(ROOT, this_update=NOW, key=OTHER),
    "expired_list": crl(ROOT, this_update=NOW - 30 * DAY),
    "list_of_the_future": crl(ROOT, this_update=NOW + DAY),
    "ocsp_for_another_serial_number": ocsp_response(SIBLING, ROOT, this_update=NOW),
    "ocsp_by_another_issuer": ocsp_response(LEAF, OTHER, this_update=NOW),
    "ocsp_of_last_month_again": ocsp_response(LEAF, ROOT, this_update=NOW - 30 * DAY),
    "ocsp_of_the_future": ocsp_response(LEAF, ROOT, this_update=NOW + DAY),
    "ocsp_unknown": ocsp_response(LEAF, ROOT, status=ocsp.OCSPCertStatus.UNKNOWN, this_update=NOW),
    "ocsp_error": ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
        encoding=serialization.Encoding.DER
    ),
    "web_page": b"<html>sign in to the hotel's network</html>",
    "nothing": b"",
    "truncated": crl(ROOT, this_update=NOW)[:-1],
    "trailing_bytes": crl(ROOT, this_update=NOW) + b"\0",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_fetch_keeps_no_lie(lie: bytes) -> None:
    with pytest.raises(UnavailableError) as refused:
        fetch(Web({OCSP_URL: lie, CRL_URL: lie}))
    assert "ocsp: " in str(refused.value)
    assert "crl: " in str(refused.value)


def test_fetch_after_a_lying_responder_still_takes_the_list() -> None:
    web = Web({OCSP_URL: LIES["ocsp_for_another_serial_number"], CRL_URL: crl(ROOT, this_update=NOW)})
    assert fetch(web).kind == "crl"


def test_fetch_refuses_wrong_status_and_content_type() -> None:
    good = {OCSP_URL: ocsp_response(LEAF, ROOT, this_update=NOW), CRL_URL: crl(ROOT, this_update=NOW)}
    with pytest.raises(UnavailableError, match="HTTP status"):
        fetch(Web(good, status=404))
    assert fetch(Web(good, ocsp_type="text/html")).kind == "crl"


def test_sources_are_web_addresses_only_and_few() -> None:
    odd = signer(
        ROOT,
        extra=[asks_ocsp("ldap://ocsp.example/"), has_list("ldap://a/", "file:///etc/passwd", "ftp://b/c")],
    )
    assert sources_of(odd.certificate) == ()
    with pytest.raises(UnavailableError, match="no address"):
        fetch(Web(), odd)
    many = signer(ROOT, extra=[has_list(*(f"http://{n}.example/" for n in range(20)))])
    assert len(sources_of(many.certificate)) == MAX_SOURCES
    assert sources_of(LEAF.certificate)[0] == Source(kind="ocsp", url=OCSP_URL)
    assert sources_of(ROOT.certificate) == ()


def test_sources_leave_out_partial_and_indirect_lists() -> None:
    name = [x509.UniformResourceIdentifier("http://lists.example/partial.crl")]
    reasons = frozenset([x509.ReasonFlags.key_compromise])
    partial = x509.DistributionPoint(name, None, reasons, None)
    indirect = x509.DistributionPoint(name, None, None, [x509.DirectoryName(OTHER.x509.subject)])
    leaf = signer(ROOT, extra=[(x509.CRLDistributionPoints([partial, indirect]), False)])
    assert sources_of(leaf.certificate) == ()


@contextlib.contextmanager
def lists_at(behave: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                behave(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ca.crl"
        server.shutdown()


def fetch_over_network(url: str, *, permitted: bool = True, timeout_s: float = 0.5) -> Evidence:
    leaf = signer(ROOT, extra=[has_list(url)])
    guarded = GuardedClient(permitted=[url.split("/")[2]] if permitted else [])
    return fetch_evidence(
        leaf.certificate, ROOT.certificate, http=guarded, moment=NOW, now=NOW, timeout_s=timeout_s
    )


def _send(handler: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.socket
def test_fetch_over_http_takes_a_good_list() -> None:
    good = crl(ROOT, this_update=NOW)
    with lists_at(lambda handler: _send(handler, good)) as url:
        assert fetch_over_network(url).der == good


@pytest.mark.socket
def test_fetch_refuses_private_addresses_that_the_operator_did_not_name() -> None:
    asked: list[str] = []
    with (
        lists_at(lambda handler: asked.append(handler.path)) as url,
        pytest.raises(UnavailableError, match="not a public address"),
    ):
        fetch_over_network(url, permitted=False)
    assert asked == []


@pytest.mark.socket
def test_fetch_refuses_a_redirect_and_an_oversize_list() -> None:
    with (
        lists_at(lambda handler: _send(handler, b"", 302)) as url,
        pytest.raises(UnavailableError, match="redirect"),
    ):
        fetch_over_network(url)
    too_much = bytes(MAX_FETCHED_BYTES + 1)
    with (
        lists_at(lambda handler: _send(handler, too_much)) as url,
        pytest.raises(UnavailableError, match=f"more than {MAX_FETCHED_BYTES} bytes"),
    ):
        fetch_over_network(url, timeout_s=5)


@pytest.mark.socket
def test_fetch_ends_on_time_however_slowly_a_list_drips() -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"\x30")
            time.sleep(0.05)

    began = time.monotonic()
    with lists_at(drip) as url, pytest.raises(UnavailableError, match=r"within 0\.5 s"):
        fetch_over_network(url)
    assert timedelta(seconds=time.monotonic() - began) < timedelta(seconds=3)
