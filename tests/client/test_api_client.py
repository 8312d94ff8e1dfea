"""The HTTP client repeats what may be repeated, and says exactly what is known about the rest."""

from collections.abc import Callable, Iterator

import httpx
import orjson
import pytest

from signalink_core.client import ApiClient, ApiProblem, OutcomeUnknown
from signalink_core.client.errors import NotConnected

Answer = httpx.Response | Exception
POSTED = {"id": "m1", "channel_id": "c1", "seq": 7, "epoch": 1}


class Api:
    """Answers requests from a script and keeps them."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Iterator[Answer] = iter(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> ApiClient:
        return ApiClient("http://api.test", http=httpx.AsyncClient(transport=httpx.MockTransport(self)))

    @property
    def client_ids(self) -> set[str]:
        return {orjson.loads(request.content)["client_id"] for request in self.requests}


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "no"}, headers=headers)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("signalink_core.client.api.asyncio.sleep", sleep)
    return waited


@pytest.mark.parametrize(
    "unknown",
    [
        lambda: httpx.ReadTimeout("late"),
        lambda: httpx.RemoteProtocolError("reset"),
        lambda: httpx.WriteError("reset"),
        lambda: problem(503, "unknown_outcome"),
        lambda: httpx.Response(502, text="bad gateway"),
    ],
)
async def test_an_unknown_outcome_is_repeated_under_the_same_client_id(unknown: Callable[[], Answer]) -> None:
    api = Api(unknown(), unknown(), httpx.Response(200, json=POSTED))
    told: list[str] = []
    posted = await api.client().post_message("c1", "text", observer=lambda outcome, error: told.append(outcome))
    assert (posted.seq, posted.replayed) == (7, True)
    assert len(api.client_ids) == 1
    assert told == ["invoke", "info", "invoke", "info", "invoke", "ok"]


async def test_a_post_still_unknown_after_its_attempts_says_so() -> None:
    api = Api(*[httpx.ReadTimeout("late")] * 3)
    with pytest.raises(OutcomeUnknown):
        await api.client().post_message("c1", "text")
    assert len(api.requests) == 3


async def test_a_request_that_never_left_is_a_failure_and_no_unknown() -> None:
    told: list[str] = []
    api = Api(httpx.ConnectError("refused"), httpx.Response(201, json=POSTED))
    posted = await api.client().post_message("c1", "text", observer=lambda outcome, error: told.append(outcome))
    assert not posted.replayed
    assert told == ["invoke", "fail", "invoke", "ok"]
    with pytest.raises(NotConnected):
        await Api(httpx.ConnectError("refused")).client().post_message("c1", "text", attempts=1)


async def test_a_refusal_is_raised_at_once_with_its_code() -> None:
    api = Api(problem(409, "idempotency_conflict"))
    with pytest.raises(ApiProblem) as raised:
        await api.client().post_message("c1", "text")
    assert (raised.value.status, raised.value.code) == (409, "idempotency_conflict")
    assert len(api.requests) == 1


async def test_a_limit_is_waited_out_as_long_as_it_asks(no_waiting: list[float]) -> None:
    api = Api(problem(429, "rate_limited", **{"Retry-After": "3"}), httpx.Response(201, json=POSTED))
    await api.client().post_message("c1", "text")
    assert no_waiting[0] >= 3


async def test_a_limit_that_asks_for_too_long_is_raised() -> None:
    api = Api(problem(429, "rate_limited", **{"Retry-After": "3600"}))
    with pytest.raises(ApiProblem) as raised:
        await api.client().post_message("c1", "text")
    assert raised.value.retry_after == 3600


async def test_an_expired_token_is_refreshed_once_and_the_call_repeated() -> None:
    login = {"access_token": "a1", "refresh_token": "r1", "user": {"id": "u1"}}
    api = Api(
        httpx.Response(200, json=login),
        problem(401, "unauthorised"),
        httpx.Response(200, json={"access_token": "a2", "refresh_token": "r2"}),
        httpx.Response(200, json={"id": "u1"}),
    )
    client = api.client()
    await client.login("ann", "secret")
    assert (await client.me())["id"] == "u1"
    assert [request.headers.get("Authorization") for request in api.requests] == [None, "Bearer a1", None, "Bearer a2"]
    assert orjson.loads(api.requests[2].content) == {"refresh_token": "r1"}


async def test_reads_are_repeated_and_creations_are_not() -> None:
    reads = Api(httpx.ReadTimeout("late"), httpx.Response(200, json={"id": "c1"}))
    assert (await reads.client().channel("c1"))["id"] == "c1"
    creations = Api(httpx.ReadTimeout("late"))
    with pytest.raises(OutcomeUnknown):
        await creations.client().create_channel("slug", "Name")
    assert len(creations.requests) == 1
