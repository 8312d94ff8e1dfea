-- The log and the outbox in one (DESIGN.md 5.3, log.md 1-3). Rows never change.

-- `fixed for ever`: the last byte of a UUID is random in every version that Signalink makes.
CREATE FUNCTION messaging.shard_of(aggregate uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(uuid_send(aggregate), 15) % 64)::smallint;

CREATE TABLE messaging.events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      uuid NOT NULL,
    epoch         integer NOT NULL,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    shard         smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    topic         text NOT NULL,
    aggregatetype text NOT NULL CHECK (aggregatetype IN ('message', 'channel', 'user')),
    aggregateid   uuid NOT NULL,
    type          text NOT NULL,
    channel_id    uuid,
    seq           bigint CHECK (seq > 0),
    payload       jsonb NOT NULL,
    traceparent   text,
    occurred_at   timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    UNIQUE (channel_id, seq),
    CHECK ((channel_id IS NULL) = (seq IS NULL))
);
CREATE INDEX events_log_order_idx ON messaging.events (shard, epoch, xid, id);

CREATE TABLE messaging.relay_cursors (
    shard         smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    epoch         integer NOT NULL DEFAULT 0,
    xid           xid8 NOT NULL DEFAULT '0',
    event_id      bigint NOT NULL DEFAULT 0,  -- events.id of the last published row
    holder        text,
    lease_until   timestamptz,
    fencing_epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO messaging.relay_cursors (shard) SELECT generate_series(0, 63);

-- The server this log was written on. A difference means a restore or a promotion: xids may repeat (log.md 2).
-- pg_current_wal_lsn() and pg_walfile_name() know a promotion at once; the control file only after a checkpoint.
CREATE FUNCTION messaging.server_timeline() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN ('x' || lpad(left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 16, '0'))::bit(64)::bigint;

CREATE FUNCTION messaging.server_system_id() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (SELECT system_identifier FROM pg_control_system());

CREATE TABLE messaging.log_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch     integer NOT NULL DEFAULT 1,
    timeline  bigint NOT NULL,
    system_id bigint NOT NULL,
    failover  text NOT NULL DEFAULT 'detect' CHECK (failover IN ('detect', 'lossless')),
    since     timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
INSERT INTO messaging.log_state (timeline, system_id)
VALUES (messaging.server_timeline(), messaging.server_system_id());
