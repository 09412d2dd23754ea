"""Other people's verifiers, asked about the same bytes."""

import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from tests.conftest import absent


def openssl_accepts(
    *,
    response: bytes,
    root: Path,
    at: datetime,
    folder: Path,
    request: bytes | None = None,
    data: Path | None = None,
    digest: bytes | None = None,
    chain: Path | None = None,
    is_token: bool = False,
) -> bool:
    """Whether `openssl ts -verify` accepts a response (or a bare token) at the given time."""
    if shutil.which("openssl") is None:
        absent("no openssl command")
    response_file, request_file = folder / "response.tsr", folder / "request.tsq"
    response_file.write_bytes(response)
    command = ["openssl", "ts", "-verify", "-in", str(response_file), "-CAfile", str(root)]
    command += ["-attime", str(int(at.timestamp()))]
    if is_token:
        command += ["-token_in"]
    if request is not None:
        request_file.write_bytes(request)
        command += ["-queryfile", str(request_file)]
    elif data is not None:
        command += ["-data", str(data)]
    elif digest is not None:
        command += ["-digest", digest.hex()]
    if chain is not None:
        command += ["-untrusted", str(chain)]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
