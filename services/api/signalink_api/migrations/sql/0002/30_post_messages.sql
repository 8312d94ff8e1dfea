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
        c.slow_mode_seconds > 0 AND messaging.acting_rank(u.role, m.role, c.kind) < 3
    FROM jsonb_to_recordset(posts) AS a(
        n integer, channel_id uuid, sender_id uuid, client_id text, body text, format text, metadata jsonb,
        reply_to uuid, request_hash text, message_id uuid, event_id uuid, traceparent text)
    LEFT JOIN messaging.messages first ON first.sender_id = a.sender_id AND first.client_id = a.client_id
    LEFT JOIN messaging.channels c ON c.id = a.channel_id
    LEFT JOIN messaging.users u ON u.id = a.sender_id AND u.disabled_at IS NULL
    LEFT JOIN messaging.channel_members m ON m.channel_id = a.channel_id AND m.user_id = a.sender_id
    -- IS TRUE, so that no plan finds the parent by channel: one that was made on empty tables, where every index looks
    -- equally good, did, was kept by its connection, and read the whole channel for each row.
    LEFT JOIN messaging.messages parent ON parent.id = a.reply_to AND (parent.channel_id = a.channel_id) IS TRUE;
END $$;
