-- What keeps the log honest: the channel locks, the server check and the triggers of events.

-- Takes the lock of every channel, in key order, before anything is written, and says which ones are held: with row
-- locks alone a smaller xid can get a larger seq (log.md 1). `wait` false skips the busy ones.
-- Also shares the epoch lock, which new_epoch() takes alone.
CREATE FUNCTION messaging.lock_channels(wanted uuid[], wait boolean) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    lock_key bigint;
    channels uuid[];
    held uuid[] := '{}';
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'lock_channels must come before the first write of its transaction'
            USING ERRCODE = 'SL002', HINT = 'call the writing functions of messaging in autocommit, one per transaction';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(1397311308, 1);
    FOR lock_key, channels IN
        SELECT uuid_hash_extended(w, 0), array_agg(DISTINCT w) FROM unnest(wanted) w GROUP BY 1 ORDER BY 1
    LOOP
        IF wait THEN
            PERFORM pg_advisory_xact_lock(lock_key);
        ELSIF NOT pg_try_advisory_xact_lock(lock_key) THEN
            CONTINUE;
        END IF;
        held := held || channels;
    END LOOP;
    -- Ends with the transaction, and with a rolled back sub-transaction, exactly as the locks do.
    PERFORM set_config('signalink.locked', held::text, true);
    RETURN held;
END $$;

-- The epoch for new events; refuses on another server than the one of log_state.
CREATE FUNCTION messaging.current_epoch() RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    state messaging.log_state;
BEGIN
    SELECT * INTO STRICT state FROM messaging.log_state;
    IF state.failover = 'detect'
       AND (state.timeline, state.system_id) <> (messaging.server_timeline(), messaging.server_system_id()) THEN
        RAISE EXCEPTION 'the log was written on server % timeline %, this is server % timeline %',
            state.system_id, state.timeline, messaging.server_system_id(), messaging.server_timeline()
            USING ERRCODE = 'SL001', HINT = 'after a restore or a promotion run: signalink log new-epoch';
    END IF;
    RETURN state.epoch;
END $$;

CREATE FUNCTION messaging.events_need_the_lock() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    locked uuid[] := coalesce(nullif(current_setting('signalink.locked', true), ''), '{}')::uuid[];
    stray uuid;
BEGIN
    -- Facts have no channel; NULL <> ALL of no channels would be true.
    SELECT channel_id INTO stray FROM fresh WHERE channel_id IS NOT NULL AND channel_id <> ALL (locked) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'an event of channel % was inserted without its lock', stray
            USING ERRCODE = 'SL002', HINT = 'call messaging.lock_channels first';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_need_the_lock AFTER INSERT ON messaging.events
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION messaging.events_need_the_lock();

CREATE FUNCTION messaging.events_are_immutable() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'signalink_retention' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'events are immutable: % refused', TG_OP USING ERRCODE = 'SL003';
END $$;
CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON messaging.events
    FOR EACH STATEMENT EXECUTE FUNCTION messaging.events_are_immutable();

-- Retention may only take a published prefix of a channel (or published facts).
CREATE FUNCTION messaging.events_go_as_prefix() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT gone.event_id INTO wrong FROM gone JOIN messaging.relay_cursors c USING (shard)
    WHERE (gone.epoch, gone.xid, gone.id) > (c.epoch, c.xid, c.event_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % is not published yet', wrong USING ERRCODE = 'SL003';
    END IF;
    SELECT e.event_id INTO wrong
    FROM (SELECT channel_id, max(seq) AS seq FROM gone WHERE channel_id IS NOT NULL GROUP BY channel_id) top
    JOIN messaging.events e ON e.channel_id = top.channel_id AND e.seq < top.seq LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % is older than a deleted one of its channel', wrong USING ERRCODE = 'SL003';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_go_as_prefix AFTER DELETE ON messaging.events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION messaging.events_go_as_prefix();

CREATE FUNCTION messaging.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := date_trunc('milliseconds', clock_timestamp());
    RETURN NEW;
END $$;
CREATE TRIGGER users_touch BEFORE UPDATE ON messaging.users
    FOR EACH ROW EXECUTE FUNCTION messaging.touch_updated_at();
-- Not on every post: last_seq alone is no change that people mean by `updated`.
CREATE TRIGGER channels_touch BEFORE UPDATE OF name, description, history, archived_at, slow_mode_seconds, max_members
    ON messaging.channels FOR EACH ROW EXECUTE FUNCTION messaging.touch_updated_at();

CREATE FUNCTION messaging.keep_revision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO messaging.message_revisions (message_id, revision, body, edited_by, edited_at)
    VALUES (OLD.id, OLD.revision, OLD.body, coalesce(OLD.edited_by, OLD.sender_id),
            coalesce(OLD.edited_at, OLD.created_at));
    RETURN NULL;
END $$;
CREATE TRIGGER messages_keep_revision AFTER UPDATE OF body ON messaging.messages
    FOR EACH ROW WHEN (NEW.revision > OLD.revision AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION messaging.keep_revision();
