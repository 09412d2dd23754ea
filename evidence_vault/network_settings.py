"""Settings of one Ethereum network, by name and chain id; what all tables of the settings have in common.

Networks that everybody knows need no more than a name, a contract and nodes; any other is an entry with its chain
id and genesis. The class of a network is a fact about it, so a test network can't be set to be anything better.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from evidence_vault.core.names import LogClass

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._:-]{0,63}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$")]
Address = Annotated[
    str,
    BeforeValidator(lambda v: v.lower().removeprefix("0x") if isinstance(v, str) else v),
    StringConstraints(pattern=r"^[0-9a-f]{40}$"),
]
BlockHash = Annotated[
    str,
    BeforeValidator(lambda v: v.lower().removeprefix("0x") if isinstance(v, str) else v),
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
]


class Part(BaseModel):
    """A table inside the settings: closed and unchangeable, like the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KnownNetwork(NamedTuple):
    """A public network: its chain id, the hash of its block 0, and what its evidence may be used for."""

    chain_id: int
    genesis: str
    log_class: LogClass


KNOWN_NETWORKS: Mapping[str, KnownNetwork] = {
    "mainnet": KnownNetwork(
        1, "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3", "production"
    ),
    "sepolia": KnownNetwork(
        11155111, "25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9", "test"
    ),
    "hoodi": KnownNetwork(560048, "bbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b", "test"),
}
"""By the name that the settings may call them. A new one needs no entry here: its table says the same."""

LOCAL_CHAINS = (1337, 31337, 0x45564C54)
"""Chain ids of development nodes, the embedded one last: whoever runs one can make it say anything."""


class Network(Part):
    """One Ethereum network and the contract on it that checkpoints are anchored to."""

    name: Code = Field(description="How jobs, logs and the trust policy call it.")
    chain_id: int = Field(ge=1, description="Checked against what the node says, with the genesis.")
    genesis: BlockHash = Field(description="Hash of block 0: a chain id alone can be anybody's.")
    contract: Address = Field(description="The anchor contract.")
    rpc_urls: list[SecretStr] = Field(min_length=1, description="Nodes; secret, for they often hold a key.")
    log_class: LogClass = Field(default="production", description="test for public test networks: they end.")
    timeout_s: float = Field(default=20.0, gt=0, le=300, description="One exchange with a node.")
    poll_s: float = Field(default=12.0, gt=0, description="Between two looks: a block comes every 12 s.")
    watch_interval_s: float = Field(
        default=600.0, gt=0, description="Between two looks whether our newest final anchor is still there."
    )
    first_block: int = Field(default=0, ge=0, description="The search for our anchors ends there.")
    raise_fee_after_s: float = Field(
        default=180.0, gt=0, description="Not included by then: the fee goes up."
    )
    max_fee_gwei: float = Field(default=200.0, gt=0, description="Never pay more per gas; wait instead.")
    max_priority_fee_gwei: float = Field(
        default=5.0,
        gt=0,
        description="Never tip a block's maker more per gas: a node that suggests more is not believed.",
    )
    alarm_days: float = Field(
        default=14.0,
        ge=0,
        description="Warn when the sender's ether lasts no longer at this cadence and price.",
    )
    keystore_file: Path | None = Field(
        default=None, description="The sender's encrypted key (Web3 keystore v3), relative to the home."
    )
    keystore_password: SecretStr | None = Field(
        default=None, description="Opens it; better from the environment than from a file."
    )
    keystore_password_file: Path | None = Field(
        default=None, description="Opens it: the file's first line, relative to the home."
    )
    kms: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:function` that gives the sender's key in a key service, in place of a file.",
    )

    @model_validator(mode="before")
    @classmethod
    def _known_by_name(cls, given: Any) -> Any:
        """A public network is filled in from its name, or from its chain id."""
        if not isinstance(given, Mapping):
            return given
        known = KNOWN_NETWORKS.get(str(given.get("name"))) or _by_chain_id(given.get("chain_id"))
        return {**known._asdict(), **given} if known is not None else given

    @model_validator(mode="after")
    def _what_it_says_is_so(self) -> Self:
        named, by_id = KNOWN_NETWORKS.get(self.name), _by_chain_id(self.chain_id)
        if named is not None and named != by_id:
            raise ValueError(f"{self.name} has the chain id {named.chain_id}, not {self.chain_id}")
        if by_id is not None and by_id.genesis != self.genesis:
            raise ValueError(f"chain {self.chain_id} has the genesis {by_id.genesis}")
        if self.log_class == "production" and (
            self.chain_id in LOCAL_CHAINS or (by_id is not None and by_id.log_class != "production")
        ):
            raise ValueError(
                f"chain {self.chain_id} is no production network: it ends, or anyone can make it"
            )
        return self

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        passwords = [self.keystore_password, self.keystore_password_file]
        if (self.keystore_file is None) != (passwords == [None, None]) or None not in passwords:
            raise ValueError("keystore_file goes with one of keystore_password and keystore_password_file")
        if self.keystore_file is not None and self.kms is not None:
            raise ValueError("the sender's key is in keystore_file or at kms, not in both")
        return self


def class_of_chain(chain_id: int) -> str:
    """Return what is generally known of a chain's class: `unknown` if nothing is."""
    if chain_id in LOCAL_CHAINS:
        return "development"
    known = _by_chain_id(chain_id)
    return "unknown" if known is None else known.log_class


def _by_chain_id(chain_id: object) -> KnownNetwork | None:
    return next((known for known in KNOWN_NETWORKS.values() if known.chain_id == chain_id), None)
