-- The outbox, of the same shape and under the same rules as messaging.events (its migration explains them), so that the
-- core's OutboxRelay runs on it. Its events belong to users and have neither channel nor seq.

CREATE FUNCTION notifications.shard_of(aggregate uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(uuid_send(aggregate), 15) % 64)::smallint;

CREATE TABLE notifications.events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      uuid NOT NULL UNIQUE,
    epoch         integer NOT NULL,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    shard         smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    topic         text NOT NULL,
    aggregatetype text NOT NULL CHECK (aggregatetype = 'user'),
    aggregateid   uuid NOT NULL,
    type          text NOT NULL,
    channel_id    uuid CHECK (channel_id IS NULL),
    seq           bigint CHECK (seq IS NULL),
    payload       jsonb NOT NULL,
    traceparent   text,
    occurred_at   timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX events_log_order_idx ON notifications.events (shard, epoch, xid, id);
CREATE INDEX events_occurred_at_idx ON notifications.events USING brin (occurred_at);

CREATE TABLE notifications.relay_cursors (
    shard         smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    epoch         integer NOT NULL DEFAULT 0,
    xid           xid8 NOT NULL DEFAULT '0',
    event_id      bigint NOT NULL DEFAULT 0,  -- events.id of the last published row
    holder        text,
    lease_until   timestamptz,
    fencing_epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO notifications.relay_cursors (shard) SELECT generate_series(0, 63);

CREATE FUNCTION notifications.server_timeline() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN ('x' || lpad(left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 16, '0'))::bit(64)::bigint;

CREATE FUNCTION notifications.server_system_id() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (SELECT system_identifier FROM pg_control_system());

CREATE TABLE notifications.log_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch     integer NOT NULL DEFAULT 1,
    timeline  bigint NOT NULL,
    system_id bigint NOT NULL,
    failover  text NOT NULL DEFAULT 'detect' CHECK (failover IN ('detect', 'lossless')),
    since     timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
INSERT INTO notifications.log_state (timeline, system_id)
VALUES (notifications.server_timeline(), notifications.server_system_id());

CREATE FUNCTION notifications.current_epoch() RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    state notifications.log_state;
BEGIN
    SELECT * INTO STRICT state FROM notifications.log_state;
    IF state.failover = 'detect'
       AND (state.timeline, state.system_id)
           <> (notifications.server_timeline(), notifications.server_system_id()) THEN
        RAISE EXCEPTION 'the outbox was written on server % timeline %, this is server % timeline %',
            state.system_id, state.timeline, notifications.server_system_id(), notifications.server_timeline()
            USING ERRCODE = 'SL001', HINT = 'after a restore or a promotion run: signalink log new-epoch';
    END IF;
    RETURN state.epoch;
END $$;

-- By the owner, all writers stopped; the lock waits for writers that are still at it.
CREATE FUNCTION notifications.new_epoch() RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    raised integer;
BEGIN
    PERFORM pg_advisory_xact_lock(1397311308, 3);
    UPDATE notifications.log_state SET epoch = epoch + 1, timeline = notifications.server_timeline(),
        system_id = notifications.server_system_id(), since = date_trunc('milliseconds', clock_timestamp())
    RETURNING epoch INTO raised;
    RETURN raised;
END $$;

CREATE FUNCTION notifications.events_are_immutable() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'signalink_retention' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'events are immutable: % refused', TG_OP USING ERRCODE = 'SL003';
END $$;
CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON notifications.events
    FOR EACH STATEMENT EXECUTE FUNCTION notifications.events_are_immutable();

CREATE FUNCTION notifications.events_go_when_published() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT gone.event_id INTO wrong FROM gone JOIN notifications.relay_cursors c USING (shard)
    WHERE (gone.epoch, gone.xid, gone.id) > (c.epoch, c.xid, c.event_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % is not published yet', wrong USING ERRCODE = 'SL003';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_go_when_published AFTER DELETE ON notifications.events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION notifications.events_go_when_published();

-- Appends `dev.signalink.notification.requested` for each wanted plan that is new, in the caller's transaction, and
-- answers how many were. A wanted plan: {user_id, message_id, notification_id, kind, channels, digest, traceparent, data}.
CREATE FUNCTION notifications.request(wanted jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    made integer;
    log_epoch integer;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1397311308, 3);
    log_epoch := notifications.current_epoch();
    WITH planned AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(wanted) AS w (
            user_id uuid, message_id uuid, notification_id uuid, kind text, channels text[], digest boolean,
            traceparent text, data jsonb)
    ), fresh AS (
        INSERT INTO notifications.plans (message_id, user_id, notification_id, kind, channels, digest)
        SELECT message_id, user_id, notification_id, kind, channels, digest FROM planned
        ORDER BY message_id, user_id
        ON CONFLICT (message_id, user_id) DO NOTHING
        RETURNING notification_id
    )
    INSERT INTO notifications.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, payload,
                                      traceparent)
    SELECT p.notification_id, log_epoch, notifications.shard_of(p.user_id), 'notifications', 'user', p.user_id,
        'dev.signalink.notification.requested', p.data, p.traceparent
    FROM planned p JOIN fresh USING (notification_id);
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
