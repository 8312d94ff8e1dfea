"""The token that an open socket keeps: small, and the same letter by letter."""

import base64
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner
from signalink_core.clock import utc_now
from signalink_gateway import kept


def test_a_real_token_is_kept_in_less_than_half_of_its_bytes(tmp_path: Path) -> None:
    signer = TokenSigner(KeyRing.generate(tmp_path), "signalink")
    token = signer.socket(uuid4(), uuid4(), utc_now() + timedelta(minutes=5), "http://127.0.0.1:8000")
    assert kept.unpack(kept.pack(token)) == token
    assert len(kept.pack(token)) < len(token) / 2


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert kept.unpack(kept.pack(text)) == text


@given(st.lists(st.binary(), min_size=3, max_size=3), st.sampled_from(["", "=", "A", "\n"]))
def test_three_parts_come_back_also_when_they_are_spelled_strangely(parts: list[bytes], strange: str) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() + strange for part in parts)
    assert kept.unpack(kept.pack(token)) == token
