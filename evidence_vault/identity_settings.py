"""Settings of logins: how long sessions live, what a password costs to guess, which providers vouch for people."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from evidence_vault.network_settings import Code, Part, Url

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]


class Identity(Part):
    """Sessions, passwords, codes and proposals."""

    session_idle_minutes: int = Field(
        default=30, ge=1, le=1440, description="A session ends after so long a silence: a desk that was left."
    )
    session_hours: int = Field(
        default=12, ge=1, le=168, description="And at the latest after this: one working day."
    )
    max_sessions: int = Field(
        default=20, ge=1, le=1000, description="Live sessions of one person; the oldest gives way."
    )
    max_tokens: int = Field(default=50, ge=1, le=10_000, description="Live tokens that one person made.")
    code_hours: int = Field(
        default=72, ge=1, le=720, description="A code to set a password is good so long: a weekend."
    )
    proposal_days: int = Field(
        default=14, ge=1, le=90, description="A proposal waits so long for its second person: a holiday."
    )
    password_min_chars: int = Field(
        default=12, ge=8, le=64, description="Shorter ones are refused; NIST SP 800-63B asks 8 at the least."
    )
    password_memory_kib: int = Field(
        default=65_536,
        ge=19_456,
        le=2**21,
        description="argon2id: 64 MiB each hash (RFC 9106 §4, second choice); 19 MiB at the least (OWASP).",
    )
    password_passes: int = Field(default=3, ge=2, le=20, description="argon2id: passes over that memory.")
    password_lanes: int = Field(default=4, ge=1, le=16, description="argon2id: lanes (RFC 9106 §4).")
    password_hashes_at_once: int = Field(
        default=2, ge=1, le=64, description="Of each process; more wait, or a flood would take the memory."
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Whose X-Forwarded-For says where a login comes from; else everybody shares one address.",
    )


class OidcProvider(Part):
    """One OpenID provider whose word about a person's identity is taken."""

    name: Code = Field(description="How addresses and answers call it.")
    issuer: Url = Field(
        max_length=300, description="Exactly as its tokens say; `.well-known` is looked up below."
    )
    client_id: str = Field(min_length=1, max_length=200, description="What it calls this vault.")
    client_secret: SecretStr | None = Field(
        default=None, description="None: a public client, held by PKCE alone."
    )
    scopes: list[str] = Field(default_factory=lambda: ["openid"], description="What is asked for: no more.")
    algorithms: list[Algorithm] = Field(
        default_factory=lambda: list[Algorithm](["RS256", "PS256", "ES256", "Ed25519"]),
        min_length=1,
        description="Signatures that are accepted; never `none`, never a shared secret.",
    )
    mfa_acr: list[str] = Field(
        default_factory=list, description="Values of `acr` that mean more than one factor."
    )
    ask_acr: list[str] = Field(default_factory=list, description="Sent along as `acr_values`.")
    skew_s: int = Field(default=60, ge=0, le=300, description="How far its clock may be off.")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="One exchange: somebody waits for it.")
    keys_minutes: int = Field(
        default=60, ge=1, le=1440, description="Its keys are asked for again after this, or for a new one."
    )

    @model_validator(mode="after")
    def _asks_for_an_identity(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes: openid is missing, so that no identity comes back")
        if not self.issuer.startswith("https://") and not self.issuer.startswith(
            ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")
        ):
            raise ValueError("issuer: https, or somebody between could be anybody")
        return self
