"""The twin of a channel: keeps what it was given, answers what it was told to."""

from collections import deque

from signalink_notifications.channels.port import Never, Outcome, Outgoing, Sent, Target

MOST_ANSWERS = 1000


class MemoryChannel:
    """`answers` are given in their order, then always Sent. Targets in `gone` do not exist."""

    def __init__(self, name: str = "email", disabled: str = "") -> None:
        self.name, self.disabled = name, disabled
        self.sent: list[Outgoing] = []
        self.calls: list[Outgoing] = []
        self.answers: deque[Outcome] = deque(maxlen=MOST_ANSWERS)
        self.gone: set[str] = set()

    def provider(self, target: Target) -> str:
        return self.name

    async def send(self, outgoing: Outgoing) -> Outcome:
        self.calls.append(outgoing)
        if outgoing.target.address in self.gone:
            return Never("unregistered", gone=True)
        outcome: Outcome = self.answers.popleft() if self.answers else Sent(f"memory-{len(self.sent) + 1}")
        if isinstance(outcome, Sent):
            self.sent.append(outgoing)
        return outcome
