"""The frame reader against the websockets library as the other side, byte by byte, and against everything forbidden."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as Peer
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from signalink_gateway import frames
from signalink_gateway.frames import Frame, FrameReader


def masked(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Peer(Opcode(opcode), data, fin).serialize(mask=True)


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


def read(data: bytes, cuts: list[int] | None = None) -> list[Frame]:
    reader, found, start = FrameReader(), [], 0
    for cut in [*sorted(cuts or []), len(data)]:
        found += reader.feed(data[start:cut])
        start = cut
    return found


MESSAGES = st.lists(st.text(max_size=300), min_size=1, max_size=5)


@given(MESSAGES, st.lists(st.integers(0, 3000), max_size=8))
def test_messages_survive_any_segmentation(messages: list[str], cuts: list[int]) -> None:
    data = b"".join(masked(frames.TEXT, message.encode()) for message in messages)
    found = read(data, [cut for cut in cuts if cut < len(data)])
    assert [frame.data.decode() for frame in found] == messages


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=6), st.booleans())
def test_fragments_with_pings_between_join_to_the_message(text: str, cuts: list[int], one_by_one: bool) -> None:
    data = text.encode()
    edges = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    parts = [data[a:b] for a, b in pairwise(edges)]
    wire = b""
    for index, part in enumerate(parts):
        wire += masked(frames.TEXT if index == 0 else frames.CONT, part, fin=index == len(parts) - 1)
        if index < len(parts) - 1:
            wire += masked(frames.PING, b"between")
    found = read(wire, list(range(len(wire))) if one_by_one else None)
    assert [frame.data for frame in found if frame.opcode == frames.TEXT] == [data]
    assert sum(frame.opcode == frames.PING for frame in found) == len(parts) - 1


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_every_length_form_is_read_and_written(length: int) -> None:
    payload = b"x" * length
    assert read(masked(frames.TEXT, payload)) == [Frame(frames.TEXT, payload)]
    peer = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    peer.receive_data(frames.text_frame(payload))
    (event,) = peer.events_received()
    assert isinstance(event, Peer)
    assert event.data == payload


FORBIDDEN = {
    "unmasked": (raw(0x81, 0x00), 1002),
    "reserved bit 1": (raw(0xC1, 0x80, bytes(4)), 1002),
    "reserved bit 3": (raw(0x91, 0x80, bytes(4)), 1002),
    "reserved opcode 3": (raw(0x83, 0x80, bytes(4)), 1002),
    "reserved control opcode 11": (raw(0x8B, 0x80, bytes(4)), 1002),
    "fragmented ping": (raw(0x09, 0x80, bytes(4)), 1002),
    "long ping": (raw(0x89, 0xFE, (126).to_bytes(2, "big")), 1002),
    "continuation of nothing": (raw(0x80, 0x80, bytes(4)), 1002),
    "text inside fragments": (masked(frames.TEXT, b"a", fin=False) + masked(frames.TEXT, b"b"), 1002),
    "length 16 for 5": (raw(0x81, 0xFE, (5).to_bytes(2, "big")), 1002),
    "length 64 for 500": (raw(0x81, 0xFF, (500).to_bytes(8, "big")), 1002),
    "length with the top bit": (raw(0x81, 0xFF, (1 << 63).to_bytes(8, "big")), 1002),
    "binary": (masked(frames.BINARY, b"x"), 1003),
    "bad UTF-8": (masked(frames.TEXT, b"\xff\xfe"), 1007),
    "surrogate": (masked(frames.TEXT, b"\xed\xa0\x80"), 1007),
    "bad UTF-8 over fragments": (
        masked(frames.TEXT, b"\xc3", fin=False) + masked(frames.CONT, b"(", fin=True),
        1007,
    ),
    "one byte too many": (raw(0x81, 0xFF, (65_537).to_bytes(8, "big")), 1009),
    "fragments too large together": (
        masked(frames.TEXT, b"x" * 40_000, fin=False) + masked(frames.CONT, b"x" * 40_000),
        1009,
    ),
    "endless fragments": (masked(frames.TEXT, b"", fin=False) + masked(frames.CONT, b"", fin=False) * 1_030, 1008),
    "close of one byte": (masked(frames.CLOSE, b"\x03"), 1002),
    "close code 1005": (masked(frames.CLOSE, (1005).to_bytes(2, "big")), 1002),
    "close code 999": (masked(frames.CLOSE, (999).to_bytes(2, "big")), 1002),
    "close reason not UTF-8": (masked(frames.CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_refused_with_its_code_and_ends_reading(name: str) -> None:
    wire, code = FORBIDDEN[name]
    for cuts in (None, list(range(1, min(len(wire), 4000)))):
        reader_output = read(wire + masked(frames.TEXT, b"after"), cuts)
        assert reader_output[-1].opcode == frames.VIOLATION
        assert reader_output[-1].code == code
        assert not any(frame.data == b"after" for frame in reader_output)


def test_utf8_split_over_fragments_is_one_valid_text() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    wire = masked(frames.TEXT, first, fin=False) + masked(frames.CONT, second)
    assert read(wire) == [Frame(frames.TEXT, "é".encode())]


def test_an_oversized_frame_is_refused_before_its_body_arrives() -> None:
    reader = FrameReader()
    assert reader.feed(raw(0x81, 0xFF, (1 << 40).to_bytes(8, "big")))[0].code == 1009
    assert reader.feed(b"x" * 1000) == []


def test_a_close_frame_gives_code_and_reason_and_ends_reading() -> None:
    wire = masked(frames.CLOSE, (1001).to_bytes(2, "big") + b"bye") + masked(frames.TEXT, b"after")
    assert read(wire) == [Frame(frames.CLOSE, b"bye", 1001)]
    assert read(masked(frames.CLOSE)) == [Frame(frames.CLOSE, b"", frames.NO_STATUS)]


@given(st.integers(3000, 4999), st.text(max_size=80))
def test_close_frames_are_valid_for_any_reason(code: int, reason: str) -> None:
    peer = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN)
    peer.receive_data(frames.close_frame(code, reason))
    assert peer.close_rcvd is not None
    assert peer.close_rcvd.code == code
    assert reason.startswith(peer.close_rcvd.reason)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes_never_raise_and_never_grow_the_buffer(noise: bytes) -> None:
    reader = FrameReader()
    for start in range(0, len(noise), 7):
        reader.feed(noise[start : start + 7])
    assert len(reader._buffer or b"") <= len(noise)


def test_the_reader_agrees_with_the_websockets_library_on_mutated_streams() -> None:
    """The oracle reads the same damaged bytes; both accept the same messages up to the first violation."""
    rng = random.Random(7)
    for _ in range(500):
        wire = bytearray(b"".join(masked(frames.TEXT, rng.randbytes(3).hex().encode()) for _ in range(4)))
        wire[rng.randrange(len(wire))] ^= 1 << rng.randrange(8)
        ours = [frame.data for frame in read(bytes(wire)) if frame.opcode == frames.TEXT]
        assert ours[: len(theirs := oracle(bytes(wire)))] == theirs[: len(ours)]


def oracle(wire: bytes) -> list[bytes]:
    from websockets.server import ServerProtocol

    peer = ServerProtocol(state=State.OPEN, max_size=frames.MAX_BYTES)
    peer.receive_data(wire)
    texts: list[bytes] = []
    for event in peer.events_received():
        if not isinstance(event, Peer) or event.opcode is not Opcode.TEXT or not event.fin:
            break
        texts.append(bytes(event.data))
    return texts
