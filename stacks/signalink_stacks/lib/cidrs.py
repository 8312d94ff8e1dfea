"""Owns the address plan of a network of ours: a /16, and in it a public and a private /20 for each zone.

Pure: no cloud is asked. Which zones there are is the caller's to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from signalink_core.errors import ConfigurationError

NETWORK_PREFIX: Final = 16
SUBNET_PREFIX: Final = 20
MAX_ZONES: Final = 2 ** (SUBNET_PREFIX - NETWORK_PREFIX) // 2
PODS, SERVICES, SERVICES_DNS = "172.30.0.0/16", "172.31.0.0/16", "172.31.0.10"
"""Of k3s on a machine of our own: its own choice, 10.42.0.0/16, is the network that machine is in as a rule."""
PRIVATE_SPACES: Final = tuple(IPv4Network(space) for space in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


@dataclass(frozen=True, slots=True)
class Zone:
    """The two subnets of one availability zone."""

    name: str
    public: str
    private: str


def plan(network: str, zones: Sequence[str]) -> tuple[Zone, ...]:
    """Public subnets fill the lower half of the network, private ones the upper: a route table can name a half.

    ConfigurationError for a network that is not a private /16, and for more zones than fit, none, or one twice.
    """
    whole = _private_16(network)
    if not 1 <= len(zones) <= MAX_ZONES or len(set(zones)) != len(zones):
        raise ConfigurationError(
            f"The zones are {', '.join(zones) or 'none'}: 1 to {MAX_ZONES} different ones fit into {network}.",
            next_step="name two or three availability zones of the region.",
        )
    blocks = [str(block) for block in whole.subnets(new_prefix=SUBNET_PREFIX)]
    return tuple(Zone(name, blocks[place], blocks[MAX_ZONES + place]) for place, name in enumerate(zones))


def taken(network: str) -> str:
    """The network of k3s that `network` has addresses of; empty when neither has, and for what is no network."""
    try:
        asked = IPv4Network(network)
    except ValueError:
        return ""
    return next((used for used in (PODS, SERVICES) if asked.overlaps(IPv4Network(used))), "")


def _private_16(network: str) -> IPv4Network:
    try:
        whole = IPv4Network(network)
    except ValueError as error:
        raise ConfigurationError(f"The network {network!r} is no IPv4 network: {error}.", next_step=_FIX) from error
    if whole.prefixlen != NETWORK_PREFIX or not any(whole.subnet_of(space) for space in PRIVATE_SPACES):
        raise ConfigurationError(f"The network {network} is no private /{NETWORK_PREFIX}.", next_step=_FIX)
    return whole


_FIX: Final = "use one like 10.20.0.0/16 that no network you connect to has."
