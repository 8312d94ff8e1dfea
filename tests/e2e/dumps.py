"""What the stores hold at the end, as `dump` lines of a history. Reading them is `stores`'."""

from stores import Told

from signalink_labs.history import Recorder, event_fields


def write(recorder: Recorder, store: str, events: list[Told]) -> None:
    """Record a whole dump."""
    for event in events:
        fields = event_fields(event.id, event.type, event.data)
        sender = event.data.get("sender_id")
        fields["user"] = str(sender) if sender else None
        recorder.record("note", "dump", view=store, ch=event.channel, seq=event.seq, **fields)
    recorder.record("ok", "dump", view=store, n=len(events))
