-- How far a channel's events are in its further topic (channels.also_topic). A cursor per channel and topic, beside
-- those of the relay: a topic that takes nothing holds up this channel's copies alone.
CREATE TABLE messaging.topic_cursors (
    channel_id uuid NOT NULL REFERENCES messaging.channels,
    topic      text NOT NULL,
    shard      smallint NOT NULL,
    seq        bigint NOT NULL,  -- of the last event that is in the topic, or that is not for it
    until_seq  bigint,           -- of the last one that is for it; NULL: all that come
    PRIMARY KEY (channel_id, topic)
);
CREATE INDEX topic_cursors_shard_idx ON messaging.topic_cursors (shard);

-- Runs under the channel's lock, so last_seq is where the old topic ends and the new one begins; that of a new channel
-- gets everything.
CREATE FUNCTION messaging.keep_topic_cursors() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE messaging.topic_cursors SET until_seq = NEW.last_seq
        WHERE channel_id = NEW.id AND topic = OLD.also_topic AND until_seq IS NULL;
    END IF;
    IF NEW.also_topic IS NOT NULL THEN
        INSERT INTO messaging.topic_cursors (channel_id, topic, shard, seq)
        VALUES (NEW.id, NEW.also_topic, messaging.shard_of(NEW.id), NEW.last_seq)
        ON CONFLICT (channel_id, topic) DO UPDATE SET until_seq = NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER channels_topic_made AFTER INSERT ON messaging.channels
    FOR EACH ROW WHEN (NEW.also_topic IS NOT NULL) EXECUTE FUNCTION messaging.keep_topic_cursors();
CREATE TRIGGER channels_topic_changed AFTER UPDATE OF also_topic ON messaging.channels
    FOR EACH ROW WHEN (NEW.also_topic IS DISTINCT FROM OLD.also_topic) EXECUTE FUNCTION messaging.keep_topic_cursors();

-- Channels that named a topic before there was anything to follow it begin here.
INSERT INTO messaging.topic_cursors (channel_id, topic, shard, seq)
SELECT id, also_topic, messaging.shard_of(id), last_seq FROM messaging.channels WHERE also_topic IS NOT NULL;

-- Retention stays below these cursors too.
CREATE OR REPLACE FUNCTION messaging.events_go_as_prefix() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT gone.event_id INTO wrong FROM gone JOIN messaging.relay_cursors c USING (shard)
    WHERE (gone.epoch, gone.xid, gone.id) > (c.epoch, c.xid, c.event_id) LIMIT 1;
    IF NOT FOUND THEN
        SELECT gone.event_id INTO wrong FROM gone JOIN messaging.topic_cursors t USING (channel_id)
        WHERE gone.seq > t.seq AND gone.seq <= coalesce(t.until_seq, gone.seq) LIMIT 1;
    END IF;
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

CREATE OR REPLACE FUNCTION messaging.delete_events(wanted uuid, up_to bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    copied bigint := (SELECT min(t.seq) FROM messaging.topic_cursors t
                      WHERE t.channel_id = wanted AND t.seq < coalesce(t.until_seq, t.seq + 1));
    reached bigint;
BEGIN
    PERFORM messaging.lock_channels(ARRAY[wanted], true);
    WITH gone AS (
        DELETE FROM messaging.events e USING messaging.relay_cursors c
        WHERE e.channel_id = wanted AND e.seq <= least(up_to, copied) AND c.shard = e.shard
          AND (e.epoch, e.xid, e.id) <= (c.epoch, c.xid, c.event_id)
        RETURNING e.seq
    ) SELECT max(seq) INTO reached FROM gone;
    UPDATE messaging.channels SET log_floor = reached WHERE id = wanted AND log_floor < reached;
    RETURN (SELECT log_floor FROM messaging.channels WHERE id = wanted);
END $$;

REVOKE ALL ON messaging.topic_cursors FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION messaging.keep_topic_cursors() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON messaging.topic_cursors TO signalink_api;
GRANT EXECUTE ON FUNCTION messaging.keep_topic_cursors() TO signalink_api;
GRANT SELECT, UPDATE, DELETE ON messaging.topic_cursors TO signalink_relay;
GRANT SELECT ON messaging.topic_cursors TO signalink_retention, signalink_prober;
