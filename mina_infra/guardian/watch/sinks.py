"""Where messages go: lines on standard output, and webhooks that may be slow or away without holding up the watch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mina_infra.errors import MinaInfraError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.messages import Message, value

TIMEOUT_S = 10.0
ATTEMPTS = 8
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
WAITING = 50
"""Messages that may wait for one webhook; of more, the oldest are given up, and that is said."""
# Discord cuts at 2000 UTF-16 units and answers 400 to more (docs/facts.md: guardian/webhooks).
CONTENT_UNITS = 1900

Warn = Callable[[str], None]
Counted = Callable[[str, str], None]
"""Sink and result of one message, for the metrics."""


class WebhookError(MinaInfraError):
    """The address of a webhook cannot be used."""


@dataclass(frozen=True)
class Lines:
    """Standard output: each message at once, in order."""

    write: Callable[[Message], None]
    name: str = "stdout"


@dataclass(frozen=True)
class Webhook:
    """A URL that gets each message as a POST of JSON. The URL is a secret: only its host is ever shown."""

    url: str

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:
            raise WebhookError(
                "--notify wants a URL that begins with https:// or http:// (it is not shown: it is a secret)"
            )

    @property
    def shown(self) -> str:
        """`https://chat.example/…`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}/…"

    @property
    def name(self) -> str:
        """How the history calls it, without telling it."""
        return f"webhook-{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"


def body_of(message: Message) -> dict[str, Any]:
    """What is posted: the message as data, `text` for a person (Slack's field) and `content`, cut (Discord's)."""
    plain = value(message)
    return {**plain, "content": _cut(plain["text"]), "allowed_mentions": {"parse": []}}


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CONTENT_UNITS:
        return text
    return units[: 2 * CONTENT_UNITS].decode("utf-16-le", "ignore") + " …"


@dataclass
class Post:
    """Delivers what the history holds to all sinks. `wake` after each look; `close` gives webhooks a last moment."""

    history: History
    lines: Lines
    webhooks: tuple[Webhook, ...] = ()
    clock: Clock | None = None
    warn: Warn = lambda line: None
    counted: Counted = lambda sink, result: None
    client: httpx2.AsyncClient | None = None
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _bells: list[asyncio.Event] = field(default_factory=list)

    def start(self) -> None:
        """Make the receivers known and begin to deliver to webhooks. Needs a running loop when there are any."""
        self.history.add_sink(self.lines.name)
        for hook in self.webhooks:
            self.history.add_sink(hook.name)
            bell = asyncio.Event()
            bell.set()
            self._bells.append(bell)
            self._workers.append(asyncio.create_task(self._work(hook, bell)))

    def wake(self) -> None:
        """Print what is new, and tell the webhooks that something may be."""
        for message in self.history.undelivered(self.lines.name):
            self.lines.write(message)
            self._done(self.lines.name, "stdout", message, "delivered")
        for bell in self._bells:
            bell.set()

    async def close(self, patience_s: float = 5.0) -> None:
        """Let webhooks deliver what is left, then stop. What they did not get, the next watch sends."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for hook in self.webhooks if self._workers else ():
            try:
                async with asyncio.timeout(patience_s):
                    await self._deliver_all(hook, last=True)
            except TimeoutError:
                self.warn(f"{hook.shown} did not take its last messages; the next watch sends them")
        if self.client is not None:
            await self.client.aclose()

    async def _work(self, hook: Webhook, bell: asyncio.Event) -> None:
        while True:
            await bell.wait()
            bell.clear()
            await self._deliver_all(hook)

    async def _deliver_all(self, hook: Webhook, *, last: bool = False) -> None:
        """In order, so that a closing never comes before its opening."""
        waiting = self.history.undelivered(hook.name, most=10_000)
        too_many = waiting[:-WAITING]
        for message in too_many:
            self._done(hook.name, "webhook", message, "given-up")
        if too_many:
            self.warn(f"{hook.shown}: {len(too_many)} old messages given up, {WAITING} wait")
        for message in waiting[-WAITING:]:
            if not await self._deliver(hook, message, attempts=1 if last else ATTEMPTS) and last:
                return

    async def _deliver(self, hook: Webhook, message: Message, attempts: int) -> bool:
        pause, told = FIRST_PAUSE_S, "no attempt"
        for attempt in range(attempts):
            told, wait = await self._attempt(hook, message)
            if not told:
                self._done(hook.name, "webhook", message, "delivered")
                return True
            if wait is None:
                break
            if attempt + 1 < attempts:
                await self._sleep(min(max(pause, wait), LONGEST_PAUSE_S))
                pause *= 2
        else:
            if attempts < ATTEMPTS:
                return False  # the end of the watch: the next one tries again
        self._done(hook.name, "webhook", message, "given-up")
        self.warn(f"{hook.shown}: message {message.id} given up: {told}")
        return False

    async def _attempt(self, hook: Webhook, message: Message) -> tuple[str, float | None]:
        """Empty when it was taken; else why not, and the seconds to wait, None when it is of no use to try again."""
        if self.client is None:
            self.client = httpx2.AsyncClient(timeout=TIMEOUT_S)
        try:
            answer = await self.client.post(
                hook.url, json=body_of(message), headers={"Idempotency-Key": value(message)["id"]}
            )
        except httpx2.HTTPError as error:
            return type(error).__name__, 0.0  # its text would name the URL
        except (httpx2.InvalidURL, ValueError) as error:
            return type(error).__name__, None
        if answer.is_success:
            return "", 0.0
        again = answer.status_code == 429 or answer.status_code >= 500
        return f"HTTP {answer.status_code}", _retry_after(answer) if again else None

    def _done(self, sink: str, kind: str, message: Message, result: str) -> None:
        self.history.delivered(sink, message.id, result)
        self.counted(kind, result)

    async def _sleep(self, seconds: float) -> None:
        await (self.clock.sleep(seconds) if self.clock else asyncio.sleep(seconds))


def _retry_after(answer: httpx2.Response) -> float:
    try:
        return max(0.0, float(answer.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
