"""Server-sent events, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longhaul import Unintelligible
from longhaul._http import sse
from longhaul._http.sse import Message, Messages

words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
messages = st.builds(
    Message,
    words.map(lambda word: word or "message"),
    st.none() | words,
    st.lists(words, min_size=1, max_size=3).map("\n".join),
)
ends = st.sampled_from(["\n", "\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Message], list[bytes]]:
    """Draws messages, and parts of the stream that has them, with comments, unknown fields and an unfinished end."""
    drawn = draw(st.lists(messages, max_size=6))
    text = draw(st.sampled_from(["", "\ufeff"]))
    for message in drawn:
        lines = [f"event: {message.kind}", *(f"data: {line}" for line in message.data.split("\n"))]
        lines += [] if message.id is None else [f"id: {message.id}"]
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([": a comment", "retry: 7", "other"])))
        text += "".join(line + draw(ends) for line in [*lines, ""])
    text += draw(st.sampled_from(["", "data: {", "event: task\ndata: {}\n"]))
    whole = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    return drawn, [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@given(streams())
def test_messages_are_the_same_however_the_stream_is_cut(stream: tuple[list[Message], list[bytes]]) -> None:
    expected, parts = stream
    reader = Messages()
    assert [message for part in parts for message in reader.feed(part)] == expected


def test_a_message_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST", 1000)
    reader = Messages()
    for _ in range(100):
        assert len(reader.feed(b"data: " + b"x" * 500 + b"\n\n")) == 1
    reader.feed(b"data: " + b"x" * 900)
    with pytest.raises(Unintelligible, match="longer than 1000"):
        reader.feed(b"x" * 100)
