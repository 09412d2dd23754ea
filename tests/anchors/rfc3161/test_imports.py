import subprocess
import sys

LOADED = "import sys; import anchors.rfc3161.verifier; print('\\n'.join(sys.modules))"


def test_the_verifier_loads_no_network_client_and_no_other_asn1_library() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "anchors.rfc3161.verify" in loaded
    heavy = {"rfc3161ng", "httpx", "requests", "asn1crypto", "pyasn1", "http.client", "ssl", "sqlalchemy"}
    assert not loaded & (heavy | {"anchors.rfc3161.submit", "anchors.rfc3161.devtsa"})
