"""README.txt of a bundle: how to check it with other people's tools, in Chinese and English.

It is sealed with the parts, so it names nothing younger than the cut, and no verdict.
"""

from collections.abc import Sequence

from anchors.rfc3161.token import parse_response, parse_token
from anchors.values import value
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.export.statements import StatementLine

_TEXT = """\
存证包 {bundle}
Evidence bundle {bundle}

本包可以离线核验，不需要信任出具它的平台。请使用您自己取得的信任策略（trust.toml）：
This bundle can be checked offline, without trusting the platform that made it. Use a trust policy (trust.toml)
that you obtained yourself:

    evidence-vault verify {base}.zip --trust trust.toml

以下命令使用通用工具，在本文件所在的目录中运行。它们各自只检查一部分。
The commands below use general tools, and run in the folder of this file. Each checks only its part.

1. 文件未损坏 / Files are undamaged (GNU coreutils, bagit-python)

    sha256sum -c manifest-sha256.txt
    sha256sum -c tagmanifest-sha256.txt
    sha256sum -c proof/parts.txt
    bagit.py --validate .

2. RFC 3161 时间戳 / RFC 3161 time-stamps (OpenSSL)

   chain.pem 的最后一张证书是根证书：请与该机构公布的指纹比对。-attime 是时间戳自身的时间，因为证书此后会过期。
   The last certificate in chain.pem is the root: compare its fingerprint with the one that the authority
   publishes. -attime is the token's own time, for certificates expire after it.

{stamps}
3. 区块链锚定 / Anchors on a chain

   proof/anchors/<size>/<seq>.json 中的 header 是区块头的 RLP 编码，其 Keccak-256 摘要即区块哈希。请向任一以太坊节点
   或区块浏览器核对该高度的区块哈希（eth_getBlockByHash）。
   The header in proof/anchors/<size>/<seq>.json is a block header in RLP; its Keccak-256 digest is the block's
   hash. Ask any Ethereum node or explorer for that hash (eth_getBlockByHash).
{networks}
4. 日志 / The log

   proof/log/<size>.note 是 C2SP 格式的签名检查点；inclusion/ 下是每个事件的包含证明（c2sp.org/tlog-proof）。
   proof/log/<size>.note is a signed checkpoint in the C2SP format; inclusion/ holds an inclusion proof for each
   event (c2sp.org/tlog-proof).

{statements}本包不证明：作者、权属、内容真实、存入之前的完整性、产生时间、法律效力。
This bundle does not prove authorship, ownership, truth, integrity before the deposit, time of creation, or
legal validity.
"""

_STATEMENTS = """\
5. 公证人或鉴定人的证明 / Attestations by notaries and appraisers (OpenSSL)

   statement.txt 是签名人看过并签名的文本。chain.pem 的最后一张证书如为根证书，请与该机构公布的指纹比对；-attime
   是平台记录的时间。没有 signature.p7s 的证明未经签名。OpenSSL 3.0 不能核验 Ed25519 的 CMS 签名。
   statement.txt is the text that the signer saw and signed. If the last certificate in chain.pem is a root, compare
   its fingerprint with the one that the authority publishes; -attime is when the vault says that it recorded it.
   A statement without signature.p7s is unsigned. OpenSSL 3.0 verifies no CMS signature by Ed25519.

{lines}"""


@value
class Stamp:
    """A token: its folder, the file it is over, and the raw response."""

    folder: str
    over: str
    response: bytes


def write_readme(
    *,
    bundle_id: str,
    stamps: Sequence[Stamp],
    networks: Sequence[str] = (),
    statements: Sequence[StatementLine] = (),
) -> bytes:
    """Return the text for a bundle with these tokens, signed statements, and anchors on these networks.

    networks: each with its class.
    """
    lines = "".join(map(_cms_lines, statements))
    return _TEXT.format(
        bundle=bundle_id,
        base=f"ev-{bundle_id}",
        stamps="".join(_openssl_lines(stamp) for stamp in stamps),
        networks="".join(f"\n    {network}\n" for network in networks),
        statements=_STATEMENTS.format(lines=lines) if lines else "",
    ).encode()


def _openssl_lines(stamp: Stamp) -> str:
    response = parse_response(stamp.response)
    if response.token is None:
        raise IntegrityError(f"{stamp.folder}/response.tsr", "a granted token", response.status)
    at = int(parse_token(response.token).gen_time.timestamp())
    return (
        f"    openssl ts -verify -attime {at} -data {stamp.over} \\\n"
        f"      -in {stamp.folder}/response.tsr \\\n"
        f"      -CAfile {stamp.folder}/chain.pem -untrusted {stamp.folder}/chain.pem\n\n"
    )


def _cms_lines(line: StatementLine) -> str:
    folder = line.folder
    return (
        f"    openssl cms -verify -cades -binary -inform DER -attime {line.at} -purpose any -partial_chain \\\n"
        f"      -in {folder}/signature.p7s -content {folder}/statement.txt \\\n"
        f"      -CAfile {folder}/chain.pem -certfile {folder}/chain.pem -out /dev/null\n\n"
    )
