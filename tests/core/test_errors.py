"""The error tree: the drawing is the tree, codes are unique, and problem documents carry what RFC 9457 asks."""

import re

import pytest

from signalink_core import errors
from signalink_core.errors import DependencyUnavailable, RateLimited, Retryable, SignalinkError, TokenInvalid


def every_error(root: type[SignalinkError] = SignalinkError) -> list[type[SignalinkError]]:
    below = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(found for child in below for found in every_error(child))]


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = re.findall(r"^[ │├└─]*([A-Z]\w+) +(\S+) +(\d{3}|-)", errors.__doc__ or "", re.MULTILINE)
    shown = {name: (code, status) for name, code, status in drawn if name != "Retryable"}
    assert shown == {kind.__name__: (kind.code, str(kind.status)) for kind in every_error() if kind is not Retryable}


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in every_error() if kind is not Retryable]
    assert len(set(codes)) == len(codes)


def test_a_problem_document_carries_code_status_fields_and_next_step() -> None:
    error = RateLimited("Too many.", retry_after=2, next_step="wait.", scope="posts_user")
    assert error.problem("req-1") == {
        "type": "https://signalink.dev/problems/rate_limited",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Too many.",
        "code": "rate_limited",
        "instance": "req-1",
        "next_step": "wait.",
        "scope": "posts_user",
    }
    assert str(error) == "Too many. Next: wait."


def test_fields_cannot_replace_what_a_problem_says() -> None:
    error = SignalinkError("x", status=200, code="ok")
    assert (error.problem()["status"], error.problem()["code"]) == (500, "internal")


@pytest.mark.parametrize("kind", [kind for kind in every_error() if issubclass(kind, DependencyUnavailable)])
def test_an_unavailable_dependency_is_a_503_that_may_say_when_to_come_back(kind: type[DependencyUnavailable]) -> None:
    assert kind.status == 503
    assert kind("down", retry_after=1.5).retry_after == 1.5


def test_a_refused_token_tells_the_reason_only() -> None:
    assert TokenInvalid("expired").problem()["reason"] == "expired"
