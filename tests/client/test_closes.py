"""The range of a close code says what the client does next."""

import pytest

from signalink_core.client.closes import Advice, advice, handshake_advice


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (4000, Advice.BACKOFF),
        (4001, Advice.BACKOFF),
        (4099, Advice.BACKOFF),
        (4100, Advice.RENEW),
        (4101, Advice.RENEW),
        (4199, Advice.RENEW),
        (4400, Advice.STOP),
        (4401, Advice.STOP),
        (4410, Advice.STOP),
        (4499, Advice.STOP),
        (1006, Advice.BACKOFF),
        (1001, Advice.BACKOFF),
        (1011, Advice.BACKOFF),
        (1008, Advice.STOP),
        (1009, Advice.STOP),
        (1002, Advice.STOP),
        (4300, Advice.BACKOFF),
    ],
)
def test_a_close_code_is_judged_by_its_range(code: int, expected: Advice) -> None:
    assert advice(code) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, Advice.RENEW), (403, Advice.STOP), (404, Advice.STOP), (429, Advice.BACKOFF), (503, Advice.BACKOFF)],
)
def test_a_refused_handshake_is_judged_by_its_status(status: int, expected: Advice) -> None:
    assert handshake_advice(status) is expected
