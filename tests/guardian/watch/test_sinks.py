"""Webhooks: in order, tried again, given up in the end, never holding up the watch, never telling their URL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from mina_infra.guardian.watch.history import History, LookRecord
from mina_infra.guardian.watch.messages import Message
from mina_infra.guardian.watch.sinks import (
    ATTEMPTS,
    CONTENT_UNITS,
    WAITING,
    Lines,
    Post,
    Webhook,
    WebhookError,
    body_of,
)
from mina_infra.simulator import virtual_time
from tests.guardian.watch.test_history import WHOSE, change

SECRET = "https://chat.example/hooks/S3CRET"
Answer = Callable[[httpx2.Request], httpx2.Response]


class LoopClock:
    """The virtual loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Sending:
    """A post with one webhook that answers as the test says."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.folder, self.answer = folder, answer
        self.got: list[dict[str, object]] = []
        self.requests: list[httpx2.Request] = []
        self.warnings: list[str] = []
        self.results: list[tuple[str, str]] = []
        self.printed: list[int] = []

    def run(self, messages: int, wait_s: float = 10_000.0, patience_s: float = 5.0) -> float:
        """Seconds (virtual) that the watch itself was held up by telling."""
        return virtual_time.run(self._run(messages, wait_s, patience_s))

    async def _run(self, messages: int, wait_s: float, patience_s: float) -> float:
        def handle(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            answer = self.answer(request)
            if answer.is_success:
                self.got.append(json.loads(request.content))
            return answer

        with History.open(self.folder / "qa.db", WHOSE) as history:
            first = 1 + (history.rows("SELECT coalesce(max(id), 0) FROM messages")[0][0])
            post = Post(
                history, Lines(lambda message: self.printed.append(message.id)), (Webhook(SECRET),), LoopClock(),
                self.warnings.append, lambda *result: self.results.append(result),
                httpx2.AsyncClient(transport=httpx2.MockTransport(handle)),
            )  # fmt: skip
            post.start()
            began = asyncio.get_running_loop().time()
            for number in range(first, first + messages):
                told = Message(number, "qa", float(number), "unstable", 1, (change(number),))
                history.record(LookRecord(float(number), 1.0, "unstable", {}, (), (), told, {}))
                post.wake()
            held_up = asyncio.get_running_loop().time() - began
            if wait_s:
                await asyncio.sleep(wait_s)
            await post.close(patience_s)
            return held_up


def ok(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(204)


def test_every_message_arrives_once_and_in_order(tmp_path: Path) -> None:
    sending = Sending(tmp_path, ok)
    assert sending.run(5) == 0.0
    assert [each["id"] for each in sending.got] == [f"qa-{number}" for number in range(1, 6)]
    assert [request.headers["idempotency-key"] for request in sending.requests] == [each["id"] for each in sending.got]
    assert sending.printed == [1, 2, 3, 4, 5]
    sending.run(1)
    assert len(sending.got) == 6


def test_what_people_read_is_in_the_fields_of_their_chats(tmp_path: Path) -> None:
    sending = Sending(tmp_path, ok)
    sending.run(1)
    body = sending.got[0]
    assert body["text"] == body["content"]
    assert "forks: fork (#1)" in str(body["text"])
    assert body["allowed_mentions"] == {"parse": []}


def test_a_long_text_is_cut_where_a_chat_would_refuse_it() -> None:
    long = Message(1, "qa", 0.0, "unstable", 1, tuple(change(number) for number in range(8)), held_s=1.0)
    from dataclasses import replace

    wordy = replace(long, changes=tuple(replace(each, summary="𝕏" * 400) for each in long.changes))
    content = body_of(wordy)["content"]
    assert len(content.encode("utf-16-le")) // 2 <= CONTENT_UNITS + 2
    assert content.endswith(" …")


def test_an_outage_is_waited_for_and_the_order_kept(tmp_path: Path) -> None:
    answers = iter([httpx2.Response(503), httpx2.Response(500), httpx2.Response(429, headers={"Retry-After": "7"})])
    sending = Sending(tmp_path, lambda request: next(answers, httpx2.Response(200)))
    assert sending.run(3) == 0.0
    assert [each["id"] for each in sending.got] == ["qa-1", "qa-2", "qa-3"]
    assert sending.warnings == []


def test_a_webhook_that_is_gone_is_given_up_and_its_url_is_not_told(tmp_path: Path) -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError(f"cannot reach {request.url}", request=request)

    sending = Sending(tmp_path, away)
    assert sending.run(1) == 0.0
    assert len(sending.requests) == ATTEMPTS
    assert ("webhook", "given-up") in sending.results
    assert sending.warnings == ["https://chat.example/…: message 1 given up: ConnectError"]


def test_what_a_webhook_refuses_is_not_tried_again(tmp_path: Path) -> None:
    sending = Sending(tmp_path, lambda request: httpx2.Response(404))
    sending.run(1)
    assert len(sending.requests) == 1
    assert sending.warnings == ["https://chat.example/…: message 1 given up: HTTP 404"]


def test_of_too_many_the_oldest_are_given_up_and_that_is_said(tmp_path: Path) -> None:
    sending = Sending(tmp_path, ok)
    sending.run(WAITING + 20)
    assert len(sending.got) == WAITING
    assert sending.got[-1]["id"] == f"qa-{WAITING + 20}"
    assert sending.warnings == [f"https://chat.example/…: 20 old messages given up, {WAITING} wait"]


def test_what_could_not_be_sent_at_the_end_is_sent_by_the_next_watch(tmp_path: Path) -> None:
    sending = Sending(tmp_path, lambda request: httpx2.Response(503))
    sending.run(2, wait_s=0.0)
    assert (sending.got, sending.results.count(("webhook", "given-up"))) == ([], 0)
    sending.answer = ok
    sending.run(1)
    assert [each["id"] for each in sending.got] == ["qa-1", "qa-2", "qa-3"]
    assert sending.printed == [1, 2, 3]


@pytest.mark.parametrize(
    "url", ["chat.example/hook", "ftp://chat.example", "https://", "https://a:99999/x", "", "http://["]
)
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(WebhookError) as told:
        Webhook(url)
    assert "https://" in str(told.value)
    assert not url.strip() or url == "https://" or url not in str(told.value)
