"""Once: an act that is asked for again under the same key is not done again; it is answered as before.

    (1) the key is claimed; whoever uses it at the same time waits here
    (2) it was used: the same call gets the answer of before, another is a conflict
    (3) the act is done, in the same transaction
    (4) the key is bound to its answer

Durable after return: the act, and that its key stands for it. A crash before the commit means that neither was; a
crash after it, that whoever asks again is answered as if he had asked once. What was refused leaves its key free.

An act is what a stage writes, as it stands: its own transactions become parts of this one. So it is short, reads no
contents, and starts no threads: on SQLite nobody else writes meanwhile. Its answer is an id, a number in a history,
or nothing, never what it said: names can be erased, and keys stay for good.
"""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from anchors.values import replace, value
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.errors import Conflict
from evidence_vault.pipeline.intake.wishes import check_key
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import idempotency

Answer = TypeVar("Answer", bound=str | int | None)


@value
class Call:
    """A call that may come twice. key: None if it is not to be told from another one like it.

    endpoint: method and address, with its places unnamed. said: all else that it says: address, body.
    """

    caller: Requester
    endpoint: str
    said: str
    key: str | None

    def sha256(self) -> bytes:
        """Return the digest that the key is bound to. The same in another role, or for another, is another call."""
        caller = self.caller
        bound = encode_canonical(
            {"role": caller.role, "on_behalf_of": caller.on_behalf_of, "said": self.said}
        )
        return hashlib.sha256(bound).digest()


def once(vault: Vault, call: Call, act: Callable[[Vault], Answer]) -> Answer:
    """Do the act, or return what came of it under this key. Raises FormatError, Conflict, and what the act does."""
    check_key(call.key)
    if call.key is None:
        return act(vault)
    scope = idempotency.Scope(actor_id=call.caller.actor_id, endpoint=call.endpoint, key=call.key)
    now = vault.clock()
    with vault.database.write() as session:
        before = idempotency.claim(session, scope, holder="", now=now, lease_until=now)  # (1)
        if before is not None:  # (2)
            if before.request_sha256 != call.sha256():
                raise Conflict("idempotency key", "it was used for another request")
            said: Answer = json.loads(before.answer)
            return said
        answer = act(replace(vault, database=vault.database.within(session)))  # (3)
        idempotency.bind_answer(  # (4)
            session, scope, request_sha256=call.sha256(), answer=json.dumps(answer)
        )
        return answer
