"""Providers that speak the real protocols and record what they took: SMTP (aiosmtpd), FCM v1 with its token endpoint,
a webhook receiver with TLS. Each fails on demand: a status, Retry-After, slowness, a redirect, a hang-up, being down.

They run in threads of the calling process, so tests and the long proofs use them alike. Certificates for them are in
`authorities`; what is sent to them is the dispatcher's business.
"""

import asyncio
import email
import email.policy
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jwt
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LOOPBACK = "127.0.0.1"
PROJECT = "signalink-test"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
SLICE_SECONDS = 0.05
CODES = {
    400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a server says instead of yes. `seconds`: it waits so long first; `hang_up`: it says nothing at all."""

    status: int = 200
    seconds: float = 0.0
    retry_after: str | None = None
    location: str | None = None
    body: bytes = b""
    hang_up: bool = False


class Answers:
    """Those that were asked for, one request each, then `always` (None: the server's own yes)."""

    def __init__(self) -> None:
        self._next: deque[Answer] = deque(maxlen=10_000)
        self.always: Answer | None = None

    def queue(self, *answers: Answer) -> None:
        self._next.extend(answers)

    def take(self) -> Answer | None:
        try:
            return self._next.popleft()
        except IndexError:
            return self.always


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A context: up on entry, gone on exit; `down` and `up` between keep the port."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.port = free_port()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        raise NotImplementedError

    def down(self) -> None:
        """Connections are refused from now on; safe to repeat."""
        raise NotImplementedError


@dataclass(frozen=True)
class Mail:
    """One mail that was accepted."""

    sender: str
    recipients: Sequence[str]
    message: EmailMessage
    at: float
    raw: bytes

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    def part(self, kind: str) -> str:
        """The text of the `text/<kind>` part."""
        body = self.message.get_body((kind,))
        assert body is not None, f"no {kind} part"
        content: str = body.get_content()
        return content


class SmtpServer(Server):
    """`mails` is the mailbox. An Answer's status is an SMTP code, said to DATA, or to RCPT with `at_recipient`.

    A `login` is wanted over TLS only.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, login: tuple[str, str] | None = None
    ) -> None:
        super().__init__()
        self.mails: list[Mail] = []
        self.refused = 0
        self.at_recipient = False
        self.bad_recipients: set[str] = set()
        self._tls, self._implicit, self._login = tls, implicit, login
        self._controller: Controller | None = None

    def up(self) -> None:
        if self._controller is not None:
            return
        options: dict[str, Any] = {"decode_data": False, "enable_SMTPUTF8": True}
        if self._tls is not None and not self._implicit:
            options |= {"tls_context": self._tls, "require_starttls": True}
        if self._login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
        context = self._tls if self._implicit else None
        self._controller = Controller(self, hostname=LOOPBACK, port=self.port, ssl_context=context, **options)
        self._controller.start()

    def down(self) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self._login, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.bad_recipients:
            self.refused += 1
            return "550 5.1.1 no such user here"
        if self.at_recipient and (said := await self._said()) is not None:
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if not self.at_recipient and (said := await self._said()) is not None:
            return said
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), parsed, time.time(), envelope.content))
        return f"250 2.0.0 OK queued as {len(self.mails):08d}"

    async def _said(self) -> str | None:
        answer = self.answers.take()
        if answer is None:
            return None
        await asyncio.sleep(answer.seconds)
        if answer.status < 400:
            return None
        self.refused += 1
        return f"{answer.status} not now" if answer.status < 500 else f"{answer.status} never"


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class HttpServer(Server):
    """Threads per connection; `connections` counts those accepted, before any TLS; `requests` all that were read."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.connections = 0
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def up(self) -> None:
        if self._server is not None:
            return
        self._server = _Threads(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(SLICE_SECONDS,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join(5)

    def accepted(self) -> None:
        with self._lock:
            self.connections += 1

    def handle(self, request: Request) -> Answer:
        """What to answer; called in the connection's thread."""
        raise NotImplementedError

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, owner: HttpServer) -> None:
        self.owner = owner
        super().__init__((LOOPBACK, owner.port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.owner.accepted()
        connection.settimeout(30)
        tls = self.owner._tls
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Threads

    def log_message(self, *said: Any) -> None:
        """Silent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body, time.time())
        self.server.owner.record(request)
        answer = self.server.owner.handle(request)
        time.sleep(answer.seconds)
        self.close_connection = True
        if answer.hang_up:
            return
        self.send_response(answer.status)
        if answer.retry_after is not None:
            self.send_header("Retry-After", answer.retry_after)
        if answer.location is not None:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)


class WebhookReceiver(HttpServer):
    """`taken`: posts that were answered with a 2xx. A sink is one whose `connections` must stay 0."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.taken: list[Request] = []

    def handle(self, request: Request) -> Answer:
        answer = self.answers.take() or Answer(204)
        if answer.status < 300 and not answer.hang_up:
            with self._lock:
                self.taken.append(request)
        return answer

    @property
    def keys(self) -> Counter[str]:
        """Idempotency key -> how often it was taken."""
        return Counter(request.headers.get("idempotency-key", "") for request in self.taken)


class FcmServer(HttpServer):
    """FCM v1 and the OAuth token endpoint of the service account in `credentials`.

    `messages`: those accepted. `dead` and `malformed`: registration tokens that are refused as FCM refuses them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.messages: list[dict[str, Any]] = []
        self.dead: set[str] = set()
        self.malformed: set[str] = set()
        self.tokens: set[str] = set()
        self.token_answers = Answers()

    def credentials(self, path: Path) -> Path:
        """Write the service account's key file."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "test",
            "private_key": pem.decode(),
            "client_email": f"sender@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(account), encoding="utf-8")
        path.chmod(0o600)
        return path

    @property
    def keys(self) -> Counter[str]:
        """(idempotency key, registration token) as `key token` -> how often it was accepted."""
        return Counter(f"{m['data']['idempotency_key']} {m['token']}" for m in self.messages)

    def handle(self, request: Request) -> Answer:
        if request.path == "/token":
            return self.token_answers.take() or self._token(request)
        if request.path != f"/v1/projects/{PROJECT}/messages:send":
            return _fcm_error(404, "NOT_FOUND", "NOT_FOUND")
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _fcm_error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")
        return self._send(request)

    def _token(self, request: Request) -> Answer:
        form = urllib.parse.parse_qs(request.body.decode())
        claims = jwt.decode(
            form["assertion"][0], self._key.public_key(), algorithms=["RS256"], options={"verify_aud": False}
        )
        assert claims["iss"].endswith("gserviceaccount.com")
        token = f"access-{len(self.tokens)}"
        self.tokens.add(token)
        return Answer(body=json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}).encode())

    def _send(self, request: Request) -> Answer:
        message = json.loads(request.body)["message"]
        if message["token"] in self.dead:
            return _fcm_error(404, "NOT_FOUND", "UNREGISTERED")
        if message["token"] in self.malformed:
            return _fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", field="message.token")
        answer = self.answers.take()
        if answer is not None and answer.status >= 300:
            code = CODES.get(answer.status, "UNKNOWN")
            fcm = {429: "QUOTA_EXCEEDED", 503: "UNAVAILABLE"}.get(answer.status, "INTERNAL")
            said = _fcm_error(answer.status, code, fcm)
            return Answer(answer.status, answer.seconds, answer.retry_after, body=said.body)
        if answer is not None and answer.hang_up:
            return answer
        with self._lock:
            self.messages.append(message)
            name = f"projects/{PROJECT}/messages/{len(self.messages)}"
        body = json.dumps({"name": name}).encode()
        return Answer(seconds=0.0 if answer is None else answer.seconds, body=body)


def _fcm_error(status: int, code: str, fcm: str, field: str | None = None) -> Answer:
    details: list[dict[str, Any]] = [{"@type": FCM_ERROR, "errorCode": fcm}]
    if field is not None:
        violation = {"field": field, "description": "Invalid registration token"}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    error = {"code": status, "message": f"refused: {fcm}", "status": code, "details": details}
    return Answer(status, body=json.dumps({"error": error}).encode())
