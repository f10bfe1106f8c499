"""A refusal, or no answer at all, as one EngineError that says what to do. None of them shows a secret."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import orjson

from kokeshi.engines.calls import Answer, Call
from kokeshi.engines.causes import describe_cause
from kokeshi.engines.connection import Connection
from kokeshi.engines.retry import PROBE_S, Tried
from kokeshi.engines.transport import Reply, TransportError, Trouble
from kokeshi.errors import EngineError

T = TypeVar("T")


def read_result(call: Call[T], tried: Tried, connection: Connection) -> T:
    """Return the result of a call; raises EngineError where the engine refused it, or gave no answer."""
    if isinstance(tried.outcome, TransportError):
        raise describe_trouble(tried, tried.outcome, connection)
    reply = tried.outcome
    if reply.status < 300 or reply.status in call.accept:
        return call.read(_parse_answer(reply, connection))
    clean = connection.blot_out(reply.content.decode("utf-8", "replace"))
    raise _describe_refusal(call, replace(reply, content=clean.encode()), tried, connection)


def _parse_answer(reply: Reply, connection: Connection) -> Answer:
    try:
        body = orjson.loads(reply.content) if reply.content else None
    except orjson.JSONDecodeError:
        text = connection.blot_out(_shorten(reply))
        raise EngineError(
            f"{connection.url}: the answer is not JSON but {text}; check the address, is there a proxy?"
        ) from None
    return Answer(reply.status, body, reply.headers.get("x-elastic-product"))


def _describe_refusal(
    call: Call[Any], reply: Reply, tried: Tried, connection: Connection
) -> EngineError:
    reason = _reason(reply)
    if reply.status < 400:
        text = _describe_redirect(reply)
    elif reply.status == 401:
        text = f"wrong credentials for {connection.who}; check {_origin(connection)} ({reason})"
    elif reply.status == 403 and "block" not in reason:  # a full disk blocks with 403 too
        missing = _missing_privilege(call, reason)
        what = f"{call.operation}: {missing}" if missing else call.operation
        text = f"{connection.who} may not {what} ({reason})"
    elif reply.status == 404 and "index_not_found" in reason:
        text = f"{reason}; create it with: kokeshi ingest FILE"
    else:
        text = f"{reason} ({tried})" if tried.times > 1 else reason
    return EngineError(f"{connection.url}: {text}", status=reply.status)


def _describe_redirect(reply: Reply) -> str:
    parts = urlsplit(reply.headers.get("location", ""))
    to = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "elsewhere"
    return f"redirected (status {reply.status}) to {to}; give the address of the engine itself"


def _missing_privilege(call: Call[Any], reason: str) -> str | None:
    """Return the privilege that both engines name in their reason; None where it names none."""
    if found := re.search(r"granted by the (\w+) privileges \[([^\]]*)\]", reason):
        names = found[2].split(",")
        if call.operation == "bulk":  # the weaker ones only write documents that are new
            names = [name for name in names if name in ("index", "write", "all")]
        where = re.search(r"on indices \[([^\]]*)\]", reason)
        on = f" on '{where[1]}'" if where else f" on '{call.index}'" if call.index else ""
        more = f" (or {', '.join(names[1:])})" if names[1:] else ""
        return f"it lacks the {found[1]} privilege {names[0]}{on}{more}"
    if found := re.search(r"no permissions for \[([^\]]*)\]", reason):
        return f"it lacks the permission {found[1]}"
    return None


def _origin(connection: Connection) -> str:
    if connection.aws_region:
        return "them, the region and the service"
    names = {"user": "KOKESHI_USER and KOKESHI_PASSWORD", "api_key": "KOKESHI_API_KEY"}
    names |= {"bearer": "KOKESHI_BEARER"}
    given = (names[name] for name in names if getattr(connection, name) is not None)
    return next(given, "KOKESHI_USER, KOKESHI_PASSWORD or KOKESHI_API_KEY")


def _reason(reply: Reply) -> str:
    try:
        body = orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        return f"status {reply.status}: {_shorten(reply)}"
    error = body.get("error") if isinstance(body, dict) else None
    return (
        describe_cause(error)
        if isinstance(error, dict)
        else f"status {reply.status}: {_shorten(reply)}"
    )


def _shorten(reply: Reply) -> str:
    """Return the first words of an answer that is no JSON, with what it says it is."""
    text = reply.content.decode("utf-8", "replace")
    words = " ".join(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.S).split())
    kind = reply.headers.get("content-type", "").partition(";")[0]
    return f"{kind or 'something'} {words[:120]!r}" if words else kind or "nothing"


_REMEDIES: Final[dict[Trouble, str]] = {
    "expired": "certificate not valid now ({detail}); renew it, or correct this machine's clock",
    "hostname": "the certificate is for another host ({detail}); use a name that it holds",
    "tls": "no TLS ({detail}); is it an http:// address?",
}


def describe_trouble(tried: Tried, error: TransportError, connection: Connection) -> EngineError:
    """Return the error of a call that got no answer."""
    text = f"{connection.url}: {_describe_trouble(tried, error, connection)}"
    return EngineError(text, away=error.trouble in ("unreachable", "dropped", "timeout"))


def _describe_trouble(tried: Tried, error: TransportError, connection: Connection) -> str:
    often = f", {tried}" if tried.times > 1 else ""
    if error.trouble in _REMEDIES:
        return _REMEDIES[error.trouble].format(detail=error.detail)
    if error.trouble == "untrusted":
        return _describe_untrusted(error, connection)
    if error.trouble == "fingerprint":
        return (
            f"the certificate is another: its SHA-256 fingerprint is {error.detail}; "
            "correct --fingerprint if you know it (an authority's belongs into --ca-file)"
        )
    if error.trouble == "timeout":
        limit = min(connection.timeout, max(tried.seconds, PROBE_S))
        return f"no answer within {limit:g} s{often}; is it busy, or is the address wrong?"
    if error.trouble == "dropped":
        plain = connection.urls[0].startswith("http:")
        hint = "; is it an https:// address?" if plain and not tried.known else ""
        return f"the connection was closed without an answer{often}{hint}"
    return (
        f"engine not reachable ({error.detail}{often}); check the address, "
        "or start one with: kokeshi engine start"
    )


def _describe_untrusted(error: TransportError, connection: Connection) -> str:
    if connection.client_cert and "alert" in error.detail:
        return f"the client certificate '{connection.client_cert}' was refused ({error.detail})"
    by = f" by {connection.ca_file}" if connection.ca_file else ""
    return f"certificate not trusted{by} ({error.detail}); give its authority with --ca-file"
