"""Public RFC 3161 authorities that people use: where they are, and nothing that makes them trusted.

Gathered from their public documentation, from public lists of such services and from tokens they gave; nobody has
checked that an entry is right or still answers. No root is here: a fingerprint that comes with a program is no
second source. What they allow (limits, contracts, purposes such as code signing alone) is theirs to say: read it.
"""

from collections.abc import Iterator

from anchors.values import value


@value
class KnownAuthority:
    """One service. group: who runs the root, as we know. policy: seen in its tokens. limit_s: between requests.

    account: whether a contract is needed. note: what to know before one relies on it.
    """

    name: str
    group: str
    url: str
    policy: str | None = None
    account: bool = False
    limit_s: float | None = None
    note: str = ""


KNOWN: tuple[KnownAuthority, ...] = (
    KnownAuthority(
        name="digicert", group="digicert", url="http://timestamp.digicert.com", policy="2.16.840.1.114412.7.1"
    ),
    KnownAuthority(
        name="sectigo",
        group="sectigo",
        url="https://timestamp.sectigo.com",
        limit_s=15,
        note="asks scripts to wait 15 s; /qualified is its qualified service",
    ),
    KnownAuthority(
        name="globalsign",
        group="globalsign",
        url="http://timestamp.globalsign.com/tsa/r6advanced1",
        policy="1.3.6.1.4.1.4146.2.3",
    ),
    KnownAuthority(name="swisssign", group="swisssign", url="http://tsa.swisssign.net"),
    KnownAuthority(
        name="freetsa",
        group="freetsa",
        url="https://freetsa.org/tsr",
        policy="1.2.3.4.1",
        note="run by one person, under no audit; changed its key in February 2026",
    ),
    KnownAuthority(
        name="dfn",
        group="dfn",
        url="http://zeitstempel.dfn.de",
        limit_s=5,
        note="of the German research network, for its members",
    ),
    KnownAuthority(
        name="apple",
        group="apple",
        url="http://timestamp.apple.com/ts01",
        note="for code signed by Apple's developers",
    ),
    KnownAuthority(
        name="microsoft",
        group="microsoft",
        url="http://timestamp.acs.microsoft.com",
        policy="1.3.6.1.4.1.601.10.3.1",
        note="for code signing",
    ),
    KnownAuthority(name="certum", group="certum", url="http://time.certum.pl"),
    KnownAuthority(name="ssl.com", group="ssl.com", url="http://ts.ssl.com"),
    KnownAuthority(
        name="quovadis",
        group="digicert",
        url="http://ts.quovadisglobal.com/eu",
        note="bought by DigiCert: counted as one group here",
    ),
    KnownAuthority(
        name="identrust",
        group="identrust",
        url="http://timestamp.identrust.com",
        policy="2.16.840.1.113839.0.6.13.3",
    ),
    KnownAuthority(
        name="sigstore",
        group="sigstore",
        url="https://timestamp.sigstore.dev/api/v1/timestamp",
        policy="1.3.6.1.4.1.57264.2",
        note="for software signed through Sigstore",
    ),
    KnownAuthority(name="belgium", group="belgium", url="http://tsa.belgium.be/connect"),
    KnownAuthority(name="baltstamp", group="baltstamp", url="http://tsa.baltstamp.lt"),
    KnownAuthority(name="accv", group="accv", url="http://tss.accv.es:8318/tsa"),
    KnownAuthority(name="izenpe", group="izenpe", url="http://tsa.izenpe.com"),
    KnownAuthority(
        name="d-trust",
        group="d-trust",
        url="https://address.from.your.contract.example/",
        policy="0.4.0.2023.1.1",
        account=True,
        note="gives each customer an address and a certificate",
    ),
)


def known_text() -> str:
    """Return the list as tables for `vault.toml`, each with the file where its roots are expected."""
    return "\n".join([*_HEAD, *(line for one in KNOWN for line in _table(one))]) + "\n"


_HEAD = (
    "# Public time-stamping authorities, not verified by anybody: addresses change, and terms are theirs to say.",
    "# Nothing here is trusted. Get an authority's roots from its own site, compare the fingerprint with another",
    "# source, and add it: evidence-vault trust add-tsa ROOTS --url URL --name NAME --group GROUP --sha256 …",
)


def _table(one: KnownAuthority) -> Iterator[str]:
    yield ""
    if one.account:
        yield "# Needs an account or a contract."
    if one.note:
        yield f"# {one.note[0].upper()}{one.note[1:]}."
    if one.policy:
        yield f"# Policy seen in its tokens: {one.policy}"
    yield from ("[[authorities]]", f'name = "{one.name}"', f'group = "{one.group}"', f'url = "{one.url}"')
    yield f'roots_file = "roots/{one.name}.pem"'
    if one.limit_s is not None:
        yield f"min_interval_s = {one.limit_s:.1f}"
