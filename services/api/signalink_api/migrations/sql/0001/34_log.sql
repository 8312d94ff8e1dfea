-- Care of the log itself: epochs and retention.

-- Run by the owner, all writers stopped, after a restore or a promotion: accepts this server and separates its positions
-- from everything published before. The lock waits for writers that are still at it.
CREATE FUNCTION messaging.new_epoch() RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    raised integer;
BEGIN
    PERFORM pg_advisory_xact_lock(1397311308, 1);
    UPDATE messaging.log_state SET epoch = epoch + 1, timeline = messaging.server_timeline(),
        system_id = messaging.server_system_id(), since = date_trunc('milliseconds', clock_timestamp())
    RETURNING epoch INTO raised;
    UPDATE messaging.channels SET epoch = raised;
    RETURN raised;
END $$;

-- Deletes the published events of a channel up to and including a seq and records the floor; returns the floor.
CREATE FUNCTION messaging.delete_events(wanted uuid, up_to bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    reached bigint;
BEGIN
    PERFORM messaging.lock_channels(ARRAY[wanted], true);
    WITH gone AS (
        DELETE FROM messaging.events e USING messaging.relay_cursors c
        WHERE e.channel_id = wanted AND e.seq <= up_to AND c.shard = e.shard
          AND (e.epoch, e.xid, e.id) <= (c.epoch, c.xid, c.event_id)
        RETURNING e.seq
    ) SELECT max(seq) INTO reached FROM gone;
    UPDATE messaging.channels SET log_floor = reached WHERE id = wanted AND log_floor < reached;
    RETURN (SELECT log_floor FROM messaging.channels WHERE id = wanted);
END $$;
