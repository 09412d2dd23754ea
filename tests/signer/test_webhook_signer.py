"""Signed messages before a judge that is not ours: the Standard Webhooks library."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Judge
from standardwebhooks.webhooks import WebhookVerificationError

from evidence_vault.signer.webhook_signer import WINDOW_S, WebhookSigner

BODY = b'{"type":"ITEM_RECEIVED"}'
SIGNER = WebhookSigner(bytes(range(32)))


def sign(at: datetime) -> dict[str, str]:
    return dict(SIGNER.sign("wh_1", message_id="ab" * 32, at=at, body=BODY))


def now() -> datetime:
    return datetime.now(UTC)


def test_sign_is_accepted_by_another_implementation() -> None:
    assert Judge(SIGNER.secret_of("wh_1")).verify(BODY, sign(now())) == {"type": "ITEM_RECEIVED"}


@pytest.mark.parametrize("field", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_sign_with_another_field_is_refused(field: str) -> None:
    headers = sign(now())
    other = {
        "webhook-id": "cd" * 32,
        "webhook-timestamp": str(int(now().timestamp()) + 1),
        "webhook-signature": "v1," + "A" * 43 + "=",
    }
    with pytest.raises(WebhookVerificationError):
        Judge(SIGNER.secret_of("wh_1")).verify(BODY, {**headers, field: other[field]})


def test_sign_of_another_body_is_refused() -> None:
    with pytest.raises(WebhookVerificationError):
        Judge(SIGNER.secret_of("wh_1")).verify(BODY.replace(b"RECEIVED", b"REVOKED "), sign(now()))


def test_sign_for_another_receiver_is_refused() -> None:
    assert SIGNER.secret_of("wh_1") != SIGNER.secret_of("wh_2")
    with pytest.raises(WebhookVerificationError):
        Judge(SIGNER.secret_of("wh_2")).verify(BODY, sign(now()))


@pytest.mark.parametrize("seconds", [-WINDOW_S - 2, WINDOW_S + 2])
def test_sign_replayed_outside_the_window_is_refused(seconds: int) -> None:
    with pytest.raises(WebhookVerificationError):
        Judge(SIGNER.secret_of("wh_1")).verify(BODY, sign(now() + timedelta(seconds=seconds)))
