"""The rate limits as data: scope, hits, window. `limits.Limiter` applies them."""

from dataclasses import dataclass
from typing import Self

from signalink_core.settings import LimitSettings


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `amount` hits in `seconds`. `scope` is the label of signalink_rate_limited_total."""

    scope: str
    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Rules:
    connects_ip: Rule
    requests_ip: Rule
    requests_user: Rule
    posts_user: Rule
    posts_channel: Rule
    searches_user: Rule
    figures_user: Rule
    login_account: Rule
    login_ip: Rule
    register_ip: Rule
    refresh_family: Rule

    @classmethod
    def of(cls, limits: LimitSettings) -> Self:
        return cls(
            connects_ip=Rule("connects_ip", limits.connects_per_second_per_ip, 1),
            requests_ip=Rule("requests_ip", limits.requests_per_second_per_ip, 1),
            requests_user=Rule("requests_user", limits.requests_per_second_per_user, 1),
            posts_user=Rule("posts_user", limits.posts_per_second_per_user, 1),
            posts_channel=Rule("posts_channel", limits.posts_per_second_per_channel, 1),
            searches_user=Rule("searches_user", limits.searches_per_second_per_user, 1),
            figures_user=Rule("figures_user", limits.figures_per_second_per_user, 1),
            login_account=Rule("login_account", limits.logins_per_minute_per_account, 60),
            login_ip=Rule("login_ip", limits.logins_per_minute_per_ip, 60),
            register_ip=Rule("register_ip", limits.registrations_per_hour_per_ip, 3600),
            refresh_family=Rule("refresh_family", limits.refreshes_per_minute_per_family, 60),
        )
