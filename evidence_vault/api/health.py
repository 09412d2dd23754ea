"""Is the process alive, and does the vault take deposits in? And what the problem documents' types mean."""

import logging

from fastapi import APIRouter, Response
from sqlalchemy import text
from sqlalchemy.orm import Session

from evidence_vault.api.authorities import authority_views
from evidence_vault.api.caller import VaultHere
from evidence_vault.api.problems import KINDS, PATH
from evidence_vault.api.schemas import NetworkView, ProblemKind, Readiness, SweepView, WitnessView
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, UnavailableError
from evidence_vault.pipeline.log.cosign import witness_states
from evidence_vault.pipeline.platform.incidents import incidents_of
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries.sweep import fixity_state

LOG = logging.getLogger("evidence_vault.api")

probes = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


@probes.get("/healthz", response_class=Response)
async def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", media_type="text/plain")


@probes.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
def readyz(vault: VaultHere, response: Response) -> Readiness:
    """The vault takes deposits in; 503 and the reasons if it doesn't."""
    reasons, witnesses, authorities, fixity = list(vault.gate.reasons), [], [], None
    incidents: list[str] = []
    try:
        with vault.database.read() as session:
            session.execute(text("SELECT 1"))
            witnesses = [
                WitnessView(
                    name=state.name,
                    size=state.size,
                    at=None if state.at is None else encode_time(state.at),
                    answered_at=None if state.answered_at is None else encode_time(state.answered_at),
                    behind=state.behind,
                )
                for state in witness_states(vault, session)
            ]
            authorities = authority_views(session, vault.settings)
            fixity = fixity_view(session)
            incidents = [
                f"{one.kind} since {encode_time(one.began_at)}: {one.summary}"
                for one in incidents_of(session).values()
                if one.ended_at is None
            ]
    except UnavailableError as error:
        LOG.warning("database unavailable", extra={"reason": error.reason})
        reasons.append("the database doesn't answer")
    if reasons:
        response.status_code = 503
    return Readiness(
        ready=not reasons,
        reasons=reasons,
        witnesses=witnesses,
        authorities=authorities,
        networks=network_views(vault),
        damaged=sorted(map(str, vault.damage.values())),
        fixity=fixity,
        incidents=incidents,
    )


def fixity_view(session: Session) -> SweepView:
    """Return how the contents were when they were last read again, without naming any."""
    state = fixity_state(session)
    sweep = state.sweep if state.sweep is not None and state.sweep.number else None
    finished = None if sweep is None else sweep.finished_at
    return SweepView(
        since=None if sweep is None else encode_time(sweep.started_at),
        finished_at=None if finished is None else encode_time(finished),
        failing=state.failures,
    )


def network_views(vault: Vault) -> list[NetworkView]:
    """Return every network of the settings with what was seen of it."""
    views = []
    for network in vault.settings.networks:
        purse = vault.purses.find(network.name)
        views.append(
            NetworkView(
                name=network.name,
                chain_id=network.chain_id,
                chain_class=network.log_class,
                in_log=network.name in vault.watchers,
                lasts_days=None if purse is None else round(purse.lasts_days, 1),
                low_balance=purse is not None and purse.low,
                seen_at=None if purse is None else encode_time(purse.at),
            )
        )
    return views


@router.get(PATH.removeprefix("/v1") + "/{name}")
async def explain_problem(name: str) -> ProblemKind:
    """What a problem document of this type means, and what to do."""
    kind = KINDS.get(name)
    if kind is None:
        raise AccessRefused("read", name)
    return ProblemKind(type=f"{PATH}/{name}", title=kind.title, status=int(kind.status), advice=kind.advice)
