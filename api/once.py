"""Idempotency keys: a request that comes twice with the same key is done once, and answered the same both times."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from api.problems import ApiError
from api.state import Caller
from api.store.models import AnswerRow, now

KEPT = timedelta(days=2)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any text of your own. The same request sent again with it is not done again: the first answer is given again",
    ),
]


@dataclass(frozen=True)
class Once:
    """The idempotency key of a request, if it bears one."""

    key: str | None
    subject: str
    fingerprint: str

    def of(self, content: str) -> Once:
        """The same for a request whose content is not its body as read, e.g. an upload."""
        return Once(self.key, self.subject, hashlib.sha256(f"{self.fingerprint} {content}".encode()).hexdigest())

    def earlier(self, session: Session) -> Response | None:
        """The answer given before. Raises ApiError (422) when the key was used for something else."""
        if self.key is None:
            return None
        if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
            session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"{self.subject} {self.key}"})
        row = session.get(AnswerRow, (self.subject, self.key))
        if row is None:
            return None
        if row.request_sha256 != self.fingerprint:
            raise ApiError(422, "idempotency-key-reused", "This Idempotency-Key was used for another request. Take a new one.")
        return Response(row.body, row.status, {**row.headers, "Idempotency-Replayed": "true"})

    def keep(self, session: Session, answer: Response) -> Response:
        """The answer, kept for when the request comes again; in the transaction that did what was asked."""
        if self.key is not None:
            session.execute(delete(AnswerRow).where(AnswerRow.created_at < now() - KEPT))
            headers = {name: value for name, value in answer.headers.items() if name in ("content-type", "location", "etag")}
            session.add(
                AnswerRow(
                    subject=self.subject,
                    key=self.key,
                    request_sha256=self.fingerprint,
                    status=answer.status_code,
                    headers=headers,
                    body=bytes(answer.body),
                )
            )
        return answer


async def once(request: Request, caller: Caller, key: Key = None) -> Once:
    """The idempotency key of the request, with a fingerprint of what is asked."""
    is_form = request.headers.get("content-type", "").startswith("multipart/")
    body = b"" if is_form else await request.body()
    # with other rights it is another request: an answer given before is not given again to one who has lost them
    asked = f"{request.method} {request.url.path} {caller.rights} ".encode() + body
    return Once(key, caller.subject, hashlib.sha256(asked).hexdigest())


OnceDep = Annotated[Once, Depends(once)]
