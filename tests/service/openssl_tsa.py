"""A time-stamping authority that we did not write: OpenSSL's `ts -reply` behind a small HTTP server."""

import contextlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[tsa_certificate]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpensslTsa:
    """Where it answers, and the root that it leads to."""

    url: str
    root_pem: str


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


KEYS = {
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "p256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
}


def _make_keys(folder: Path, name: str, kind: str) -> None:
    """A root and a TSA certificate, with OpenSSL's own tools."""
    config = str(folder / "openssl.cnf")
    (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    key, root, tsa = (str(folder / file) for file in ("root.key", "root.pem", "tsa"))
    _openssl("genpkey", *KEYS["p256"], "-out", key)
    subject = f"/O={name}/CN={name} root"
    _openssl("req", "-x509", "-new", "-key", key, "-subj", subject, "-days", "3650", "-out", root,
             "-config", config, "-extensions", "root")  # fmt: skip
    _openssl("genpkey", *KEYS[kind], "-out", f"{tsa}.key")
    _openssl("req", "-new", "-key", f"{tsa}.key", "-subj", f"/O={name}/CN={name} TSA", "-out", f"{tsa}.csr",
             "-config", config)  # fmt: skip
    _openssl("x509", "-req", "-in", f"{tsa}.csr", "-CA", root, "-CAkey", key, "-CAcreateserial", "-days", "365",
             "-extfile", config, "-extensions", "tsa_certificate", "-out", f"{tsa}.pem")  # fmt: skip


@contextlib.contextmanager
def openssl_tsa(folder: Path, name: str, *, key: str = "rsa") -> Iterator[OpensslTsa]:
    """Run an authority on loopback until the block ends. key: of KEYS, what its tokens are signed with."""
    folder.mkdir()
    _make_keys(folder, name, key)
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:  # one file of serial numbers
                (folder / "query.tsq").write_bytes(query)
                _openssl("ts", "-reply", "-config", str(folder / "openssl.cnf"), "-section", "tsa_config",
                         "-queryfile", str(folder / "query.tsq"), "-out", str(folder / "reply.tsr"))  # fmt: skip
                reply = (folder / "reply.tsr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield OpensslTsa(
            url=f"http://127.0.0.1:{server.server_port}/tsr", root_pem=(folder / "root.pem").read_text()
        )
        server.shutdown()
        thread.join()
