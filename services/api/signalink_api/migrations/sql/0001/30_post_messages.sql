-- The message path: one call writes a batch (log.md 1). Called in autocommit under READ COMMITTED, never inside BEGIN:
-- VOLATILE, so that every statement after the locks sees what was committed before them.

CREATE FUNCTION messaging.iso(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

CREATE TYPE messaging.judged_post AS (
    n integer, verdict text, channel_id uuid, sender_id uuid, client_id text, body text, format text, metadata jsonb,
    reply_to uuid, thread_root uuid, request_hash bytea, message_id uuid, event_id uuid, traceparent text,
    topic text, seq bigint, created_at timestamptz, slow_mode boolean
);

-- What each row would get if it were alone: replay or conflict, then archived, forbidden, muted, limits.
CREATE FUNCTION messaging.judge_each_post(posts jsonb, held uuid[], moment timestamptz)
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
        c.slow_mode_seconds > 0 AND messaging.acting_rank(u.role, m.role, c.kind) < 3
    FROM jsonb_to_recordset(posts) AS a(
        n integer, channel_id uuid, sender_id uuid, client_id text, body text, format text, metadata jsonb,
        reply_to uuid, request_hash text, message_id uuid, event_id uuid, traceparent text)
    LEFT JOIN messaging.messages first ON first.sender_id = a.sender_id AND first.client_id = a.client_id
    LEFT JOIN messaging.channels c ON c.id = a.channel_id
    LEFT JOIN messaging.users u ON u.id = a.sender_id AND u.disabled_at IS NULL
    LEFT JOIN messaging.channel_members m ON m.channel_id = a.channel_id AND m.user_id = a.sender_id
    LEFT JOIN messaging.messages parent ON parent.id = a.reply_to AND parent.channel_id = a.channel_id;
END $$;

-- What each row gets beside its neighbours: repeats inside the batch, slow mode, and the seqs of the fresh ones.
CREATE FUNCTION messaging.judge_posts(posts jsonb, held uuid[], moment timestamptz)
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
            WHEN l.verdict <> 'created' THEN CASE WHEN a.request_hash = l.request_hash THEN l.verdict ELSE a.verdict END
            WHEN a.request_hash = l.request_hash THEN 'replayed'
            ELSE 'conflict'
        END,
        a.channel_id, a.sender_id, a.client_id, a.body, a.format, a.metadata, a.reply_to,
        CASE WHEN a.n > l.n THEN l.thread_root ELSE a.thread_root END, a.request_hash,
        CASE WHEN a.n > l.n THEN l.message_id ELSE a.message_id END, a.event_id, a.traceparent, a.topic,
        CASE WHEN a.n >= l.n THEN l.seq ELSE a.seq END,
        CASE WHEN a.n > l.n THEN l.created_at ELSE a.created_at END, a.slow_mode
    FROM alone a LEFT JOIN numbered l ON l.n = a.leader;
END $$;

CREATE FUNCTION messaging.insert_posts(judged messaging.judged_post[], log_epoch integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT * FROM unnest(judged) WHERE verdict = 'created'
    ), raised AS (
        UPDATE messaging.channels c SET last_seq = top.seq
        FROM (SELECT channel_id, max(seq) AS seq FROM fresh GROUP BY channel_id) top WHERE c.id = top.channel_id
    ), slowed AS (
        UPDATE messaging.channel_members m SET last_post_at = f.created_at
        FROM fresh f WHERE f.slow_mode AND (m.channel_id, m.user_id) = (f.channel_id, f.sender_id)
    ), kept AS (
        INSERT INTO messaging.messages (id, channel_id, seq, sender_id, client_id, request_hash, body, format, metadata,
                                        reply_to, thread_root, created_at)
        SELECT message_id, channel_id, seq, sender_id, client_id, request_hash, body, format, metadata,
               reply_to, thread_root, created_at
        FROM fresh
    )
    INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, channel_id, seq,
                                  payload, traceparent, occurred_at)
    SELECT event_id, log_epoch, messaging.shard_of(channel_id), topic, 'message', message_id,
           'dev.signalink.message.created', channel_id, seq,
           jsonb_build_object('id', message_id, 'channel_id', channel_id, 'seq', seq, 'sender_id', sender_id,
               'client_id', client_id, 'body', body, 'format', format, 'metadata', metadata, 'reply_to', reply_to,
               'thread_root', thread_root, 'created_at', messaging.iso(created_at)),
           traceparent, created_at
    FROM (SELECT * FROM fresh ORDER BY channel_id, seq) in_order;  -- so id order is seq order inside one xid
END $$;

-- {"rows": [{n, channel_id, sender_id, client_id, body, format, metadata, reply_to, request_hash (hex), message_id,
--  event_id, traceparent}], "wait": bool} -> {"rows": [{n, verdict, id, seq, epoch, created_at, thread_root}]}
-- Plans without hash and merge joins: batches are small, and a plan made on empty tables is kept by the connection.
CREATE FUNCTION messaging.post_messages(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    held uuid[];
    log_epoch integer;
    judged messaging.judged_post[];
BEGIN
    held := messaging.lock_channels(
        ARRAY(SELECT DISTINCT (r ->> 'channel_id')::uuid FROM jsonb_array_elements(command -> 'rows') r),
        (command ->> 'wait')::boolean);
    log_epoch := messaging.current_epoch();
    judged := ARRAY(SELECT j FROM messaging.judge_posts(
        command -> 'rows', held, date_trunc('milliseconds', clock_timestamp())) j);
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
