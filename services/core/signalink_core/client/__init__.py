"""Client library: what a program needs to talk to a Signalink platform over HTTP and WebSocket.

Owns retries by client_id, reconnects by close code and resuming by position. It keeps no messages: what a socket
received is handed on as bytes, before anything is dropped.
"""

from signalink_core.client.api import ApiClient, Posted
from signalink_core.client.closes import Advice, advice
from signalink_core.client.errors import ApiProblem, ClientError, OutcomeUnknown, SendRefused, SocketRefused
from signalink_core.client.socket import SocketClient

__all__ = [
    "Advice",
    "ApiClient",
    "ApiProblem",
    "ClientError",
    "OutcomeUnknown",
    "Posted",
    "SendRefused",
    "SocketClient",
    "SocketRefused",
    "advice",
]
