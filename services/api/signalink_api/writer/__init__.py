"""The write path of messages: many posts, one statement, one commit."""

from signalink_api.writer.drafts import Draft, PostFailed, PostUnknown, Verdict
from signalink_api.writer.writer import MessageWriter

__all__ = ["Draft", "MessageWriter", "PostFailed", "PostUnknown", "Verdict"]
