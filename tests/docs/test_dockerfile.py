"""The image's recipe, as far as it can be judged without building: what it copies, as whom it runs."""

import re

from evidence_vault.api.health import probes
from evidence_vault.settings import Settings
from tests.docs.pages import ROOT

RECIPE = (ROOT / "Dockerfile").read_text("utf-8")
FINAL = RECIPE[RECIPE.rindex("\nFROM ") :]


def test_what_is_copied_exists_and_is_let_through() -> None:
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.*)$", RECIPE, re.M) for source in line.split()[:-1]
    ]
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignore, "everything else stays out"
    assert sorted(copied) == sorted(line[1:] for line in ignore if line.startswith("!"))
    assert all((ROOT / source).exists() for source in copied)


def test_everything_that_is_installed_is_pinned_by_hash() -> None:
    installs = re.findall(r"install (?:[^&]|&(?!&))*", RECIPE[: RECIPE.rindex("\nFROM ")])
    installs = [line for line in installs if "-r " in line or ".whl" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line
    for name in ("build", "server"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        assert text.count("==") <= text.count("--hash=sha256:")


def test_final_stage_runs_without_privileges_and_is_asked_for_its_health() -> None:
    port = Settings.model_fields["listen_port"].default
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", FINAL, re.M)
    assert f"http://127.0.0.1:{port}/healthz" in FINAL
    assert f"EXPOSE {port}" in FINAL
    assert "/healthz" in {getattr(route, "path", "") for route in probes.routes}
    assert "pip" not in FINAL
