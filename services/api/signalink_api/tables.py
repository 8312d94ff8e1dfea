"""SQLAlchemy Core tables of the rows the api reads or writes itself; the migrations own the schema (a test compares).

The event log is not here: the api touches it only through the functions of `messaging` and signalink_core.log.
"""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, LargeBinary, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, UUID

metadata = MetaData(schema="messaging")
_now = func.date_trunc("milliseconds", func.clock_timestamp())


def _id(name: str = "id") -> Column[object]:
    return Column(name, UUID(as_uuid=True), primary_key=True)


def _uuid(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, UUID(as_uuid=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else _now)


users = Table(
    "users",
    metadata,
    _id(),
    _text("username"),
    _text("email"),
    _text("display_name"),
    _text("password_hash"),
    _text("role"),
    _text("status"),
    _time("disabled_at"),
    _time("created_at", nullable=False),
    _time("updated_at", nullable=False),
    _text("kind"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    _uuid("user_id"),
    _uuid("family_id"),
    Column("generation", Integer, nullable=False),
    Column("refresh_hash", LargeBinary, nullable=False),
    _uuid("device_id", nullable=True),
    _text("user_agent"),
    Column("ip", INET, nullable=True),
    _time("created_at", nullable=False),
    _time("expires_at", nullable=False),
    _time("rotated_at"),
    _time("revoked_at"),
    _text("reason", nullable=True),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _text("subject_kind"),
    _uuid("subject_id"),
    _text("reason"),
    _time("at", nullable=False),
)

service_tokens = Table(
    "service_tokens",
    metadata,
    _id(),
    _uuid("account_id"),
    _text("name"),
    Column("scopes", ARRAY(Text), nullable=False),
    _time("issued_at", nullable=False),
    _time("expires_at", nullable=False),
    _time("revoked_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _uuid("actor_id", nullable=True),
    _text("action"),
    _text("target"),
    Column("details", JSONB, nullable=False),
    _text("trace_id", nullable=True),
    _time("at", nullable=False),
)

channels = Table(
    "channels",
    metadata,
    _id(),
    _text("slug", nullable=True),
    _text("name"),
    _text("description"),
    _text("kind"),
    _text("history"),
    _uuid("created_by"),
    Column("last_seq", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("log_floor", BigInteger, nullable=False),
    _time("archived_at"),
    Column("slow_mode_seconds", Integer, nullable=False),
    Column("max_members", Integer, nullable=True),
    _text("event_topic"),
    Column("version", Integer, nullable=False),
    _time("created_at", nullable=False),
    _time("updated_at", nullable=False),
    _text("direct_key", nullable=True),
    _text("managed_by", nullable=True),
    Column("messages_per_second", Integer, nullable=True),
    Column("retention_days", Integer, nullable=True),
    _text("also_topic", nullable=True),
    _time("deleted_at"),
)

channel_members = Table(
    "channel_members",
    metadata,
    _id("channel_id"),
    _id("user_id"),
    _text("role"),
    _time("joined_at", nullable=False),
    _time("muted_until"),
    Column("last_read_seq", BigInteger, nullable=False),
    _time("last_read_at"),
    _time("last_post_at"),
)

memberships = Table(
    "memberships",
    metadata,
    _id("channel_id"),
    _id("user_id"),
    Column("from_seq", BigInteger, primary_key=True),
    Column("to_seq", BigInteger, nullable=True),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    _uuid("channel_id"),
    Column("seq", BigInteger, nullable=False),
    _uuid("sender_id"),
    _text("client_id"),
    Column("request_hash", LargeBinary, nullable=False),
    _text("body"),
    _text("format"),
    Column("metadata", JSONB, nullable=False, key="meta"),
    _uuid("reply_to", nullable=True),
    _uuid("thread_root", nullable=True),
    Column("revision", Integer, nullable=False),
    _time("created_at", nullable=False),
    _time("edited_at"),
    _uuid("edited_by", nullable=True),
    _time("deleted_at"),
    _uuid("deleted_by", nullable=True),
)

devices = Table(
    "devices",
    metadata,
    _id(),
    _uuid("user_id"),
    _text("kind"),
    _text("push_token"),
    _text("name"),
    _time("created_at", nullable=False),
    _time("last_seen_at", nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    _id("user_id"),
    _id("blocked_id"),
    _time("created_at", nullable=False),
)
