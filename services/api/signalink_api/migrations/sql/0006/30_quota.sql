-- The channel's own quota of messages a second, exact over every second and every process: it is counted under the
-- channel's lock, from the messages that are there.
ALTER TYPE messaging.judged_post ADD ATTRIBUTE quota integer;

-- How many messages of the channel are younger than `since`, counted up to `most`: from the newest on by the index of
-- seqs, until one is older. Times of a channel ascend with seq, since both are given under its lock.
CREATE FUNCTION messaging.posted_since(wanted uuid, since timestamptz, most integer) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    at timestamptz;
    young bigint := 0;
BEGIN
    FOR at IN SELECT m.created_at FROM messaging.messages m WHERE m.channel_id = wanted ORDER BY m.seq DESC LIMIT most
    LOOP
        EXIT WHEN at <= since;
        young := young + 1;
    END LOOP;
    RETURN young;
END $$;
REVOKE EXECUTE ON FUNCTION messaging.posted_since(uuid, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.posted_since(uuid, timestamptz, integer) TO signalink_api;

-- What each row would get if it were alone: replay or conflict, then archived, forbidden, muted, limits.
CREATE OR REPLACE FUNCTION messaging.judge_each_post(posts jsonb, held uuid[], moment timestamptz)
RETURNS SETOF messaging.judged_post
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT a.n,
        CASE
            WHEN a.channel_id <> ALL (held) THEN 'busy'
            WHEN first.request_hash = decode(a.request_hash, 'hex') THEN 'replayed'
            WHEN first.id IS NOT NULL THEN 'conflict'
            WHEN u.id IS NULL THEN 'forbidden'
            WHEN c.id IS NULL OR NOT messaging.may(u.role, m.role, c.kind, 'see') THEN 'not_found'
            WHEN c.archived_at IS NOT NULL THEN 'archived'
            WHEN NOT messaging.may(u.role, m.role, c.kind, 'post') THEN 'forbidden'
            WHEN m.muted_until > moment THEN 'muted'
            WHEN char_length(a.body) NOT BETWEEN 1 AND 16000 OR char_length(a.client_id) NOT BETWEEN 1 AND 64
                OR octet_length(a.metadata::text) > 16384 THEN 'invalid'
            WHEN a.reply_to IS NOT NULL AND parent.id IS NULL THEN 'reply_unknown'
            WHEN m.last_post_at + make_interval(secs => c.slow_mode_seconds) > moment
                AND messaging.acting_rank(u.role, m.role, c.kind) < 3 THEN 'too_fast'
            ELSE 'created'
        END,
        a.channel_id, a.sender_id, a.client_id, a.body, a.format, a.metadata, a.reply_to,
        CASE WHEN first.id IS NULL THEN coalesce(parent.thread_root, parent.id) ELSE first.thread_root END,
        decode(a.request_hash, 'hex'), coalesce(first.id, a.message_id), a.event_id, a.traceparent,
        c.event_topic, coalesce(first.seq, c.last_seq), coalesce(first.created_at, moment),
        c.slow_mode_seconds > 0 AND messaging.acting_rank(u.role, m.role, c.kind) < 3, c.messages_per_second
    FROM jsonb_to_recordset(posts) AS a(
        n integer, channel_id uuid, sender_id uuid, client_id text, body text, format text, metadata jsonb,
        reply_to uuid, request_hash text, message_id uuid, event_id uuid, traceparent text)
    LEFT JOIN messaging.messages first ON first.sender_id = a.sender_id AND first.client_id = a.client_id
    LEFT JOIN messaging.channels c ON c.id = a.channel_id AND c.deleted_at IS NULL
    LEFT JOIN messaging.users u ON u.id = a.sender_id AND u.disabled_at IS NULL
    LEFT JOIN messaging.channel_members m ON m.channel_id = a.channel_id AND m.user_id = a.sender_id
    -- IS TRUE, so that no plan finds the parent by channel: one that was made on empty tables, where every index looks
    -- equally good, did, was kept by its connection, and read the whole channel for each row.
    LEFT JOIN messaging.messages parent ON parent.id = a.reply_to AND (parent.channel_id = a.channel_id) IS TRUE;
END $$;

-- What each row gets beside its neighbours: repeats inside the batch, slow mode, and the seqs of the fresh ones.
CREATE OR REPLACE FUNCTION messaging.judge_posts(posts jsonb, held uuid[], moment timestamptz)
RETURNS SETOF messaging.judged_post
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH alone AS MATERIALIZED (
        SELECT j.*,
            first_value(j.n) OVER (PARTITION BY j.sender_id, j.client_id ORDER BY j.verdict <> 'created', j.n) AS leader
        FROM messaging.judge_each_post(posts, held, moment) j
    ), leaders AS MATERIALIZED (
        SELECT l.n, l.request_hash, l.message_id, l.seq AS last_seq, l.channel_id, l.thread_root, l.created_at,
            CASE WHEN l.slow_mode
                AND row_number() OVER (PARTITION BY l.channel_id, l.sender_id ORDER BY l.n) > 1 THEN 'too_fast'
            ELSE 'created' END AS verdict
        FROM alone l WHERE l.verdict = 'created' AND l.n = l.leader
    ), numbered AS MATERIALIZED (
        SELECT l.*, l.last_seq + row_number() OVER (PARTITION BY l.channel_id, l.verdict ORDER BY l.n) AS seq
        FROM leaders l
    )
    SELECT a.n,
        CASE
            WHEN a.verdict = 'busy' OR l.n IS NULL OR a.n < l.n THEN a.verdict
            WHEN a.n = l.n THEN l.verdict
            WHEN l.verdict <> 'created' AND (a.request_hash = l.request_hash OR a.verdict = 'created') THEN l.verdict
            WHEN l.verdict <> 'created' THEN a.verdict
            WHEN a.request_hash = l.request_hash THEN 'replayed'
            ELSE 'conflict'
        END,
        a.channel_id, a.sender_id, a.client_id, a.body, a.format, a.metadata, a.reply_to,
        CASE WHEN a.n > l.n THEN l.thread_root ELSE a.thread_root END, a.request_hash,
        CASE WHEN a.n > l.n THEN l.message_id ELSE a.message_id END, a.event_id, a.traceparent, a.topic,
        CASE WHEN a.n >= l.n THEN l.seq ELSE a.seq END,
        CASE WHEN a.n > l.n THEN l.created_at ELSE a.created_at END, a.slow_mode, a.quota
    FROM alone a LEFT JOIN numbered l ON l.n = a.leader;
END $$;

-- Judged rows of which some would be created in a channel with a quota: what is above it becomes over_quota, and so do
-- the repeats that share its fate. It is the end of its channel's part of the batch, so the others keep their seqs.
CREATE FUNCTION messaging.within_quota(judged messaging.judged_post[], moment timestamptz)
RETURNS messaging.judged_post[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        WITH posts AS MATERIALIZED (
            SELECT * FROM unnest(judged)
        ), spaces AS MATERIALIZED (
            SELECT q.channel_id, q.first_seq + q.quota
                - messaging.posted_since(q.channel_id, moment - interval '1 s', q.quota) AS end_seq
            FROM (SELECT p.channel_id, p.quota, min(p.seq) AS first_seq FROM posts p
                  WHERE p.verdict = 'created' AND p.quota IS NOT NULL GROUP BY 1, 2) q
        ), above AS MATERIALIZED (
            SELECT p.n, p.sender_id, p.client_id FROM posts p JOIN spaces s USING (channel_id)
            WHERE p.verdict = 'created' AND p.seq >= s.end_seq
        )
        SELECT (p.n, CASE WHEN a.n IS NULL THEN p.verdict ELSE 'over_quota' END, p.channel_id, p.sender_id, p.client_id,
            p.body, p.format, p.metadata, p.reply_to, p.thread_root, p.request_hash, p.message_id, p.event_id,
            p.traceparent, p.topic, p.seq, p.created_at, p.slow_mode, p.quota)::messaging.judged_post
        FROM posts p LEFT JOIN above a ON (a.sender_id, a.client_id) = (p.sender_id, p.client_id) AND p.n >= a.n
    );
END $$;
REVOKE EXECUTE ON FUNCTION messaging.within_quota(messaging.judged_post[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.within_quota(messaging.judged_post[], timestamptz) TO signalink_api;

-- {"rows": [{n, channel_id, sender_id, client_id, body, format, metadata, reply_to, request_hash (hex), message_id,
--  event_id, traceparent}], "wait": bool} -> {"rows": [{n, verdict, id, seq, epoch, created_at, thread_root}]}
-- Plans without hash and merge joins: batches are small, and a plan made on empty tables is kept by the connection.
CREATE OR REPLACE FUNCTION messaging.post_messages(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    held uuid[];
    log_epoch integer;
    moment timestamptz;
    judged messaging.judged_post[];
BEGIN
    held := messaging.lock_channels(
        ARRAY(SELECT DISTINCT (r ->> 'channel_id')::uuid FROM jsonb_array_elements(command -> 'rows') r),
        (command ->> 'wait')::boolean);
    log_epoch := messaging.current_epoch();
    moment := date_trunc('milliseconds', clock_timestamp());
    judged := ARRAY(SELECT j FROM messaging.judge_posts(command -> 'rows', held, moment) j);
    IF EXISTS (SELECT FROM unnest(judged) WHERE quota IS NOT NULL AND verdict = 'created') THEN
        judged := messaging.within_quota(judged, moment);
    END IF;
    IF EXISTS (SELECT FROM unnest(judged) WHERE verdict = 'created') THEN
        PERFORM messaging.insert_posts(judged, log_epoch);
    ELSIF EXISTS (SELECT FROM unnest(judged) WHERE verdict = 'replayed') THEN
        -- Makes this commit wait for the standby as the first one did: the answer must not outlive its message.
        PERFORM pg_logical_emit_message(true, 'replay', '');
    END IF;
    RETURN jsonb_build_object('rows', (
        SELECT jsonb_agg(CASE WHEN j.verdict IN ('created', 'replayed')
            THEN jsonb_build_object('n', j.n, 'verdict', j.verdict, 'id', j.message_id, 'seq', j.seq,
                'epoch', log_epoch, 'created_at', messaging.iso(j.created_at), 'thread_root', j.thread_root)
            ELSE jsonb_build_object('n', j.n, 'verdict', j.verdict) END ORDER BY j.n)
        FROM unnest(judged) j));
END $$;
