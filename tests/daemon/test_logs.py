"""Log lines: JSON ones are read, all others are kept."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.daemon.logs import Level, parse_line, parse_lines

RECEIVED = (
    '{"timestamp":"2021-06-16 06:15:27.040850Z","level":"Debug","source":{"module":"Block_sink","location":"a.ml"},'
    '"message":"Received a block from $sender","metadata":{"state_hash":"3NK","sender":{"Remote":{"host":"1.2.3.4"}}},'
    '"event_id":"abc"}'
)


def test_a_structured_line() -> None:
    line = parse_line(RECEIVED)
    assert line.timestamp == datetime(2021, 6, 16, 6, 15, 27, 40850, tzinfo=UTC)
    assert (line.level, line.event_id, line.source.module) == (Level.DEBUG, "abc", "Block_sink")
    assert line.metadata["state_hash"] == "3NK"


def test_the_message_keeps_its_placeholders_and_the_text_fills_them() -> None:
    line = parse_line(RECEIVED)
    assert line.message == "Received a block from $sender"
    assert line.text == 'Received a block from {"Remote":{"host":"1.2.3.4"}}'


def test_lines_without_source_or_with_an_unknown_level_are_kept() -> None:
    line = parse_line('{"timestamp":"","level":"Shout","message":"m","metadata":{}}')
    assert (line.level, line.structured, line.timestamp) == (Level.INFO, True, None)


def test_a_crash_banner_is_kept() -> None:
    lines = list(parse_lines(["☠ Coda Daemon crashed.\n", "\n", RECEIVED, b"Mina process exited with status code 1"]))
    assert [line.structured for line in lines] == [False, True, False]
    assert lines[0].text == "☠ Coda Daemon crashed."


def test_levels_are_ordered_as_the_logger_orders_them() -> None:
    assert Level.FATAL > Level.FAULTY_PEER > Level.ERROR > Level.WARN > Level.INFO > Level.DEBUG > Level.TRACE


@given(st.binary())
def test_no_line_makes_the_parser_fail(line: bytes) -> None:
    parse_line(line)
