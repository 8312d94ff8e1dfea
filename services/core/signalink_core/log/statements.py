"""The named SQL of the log's reads and care; a comment above each has its parameters. Writes are functions."""

# $1 channel, $2 user, $3 after seq (NULL: no events), $4 bytes, $5 rows. One statement, so one snapshot: membership,
# last_seq and events agree. Each entitled interval is its own index range, so a late joiner reads no old row.
RESUME = """
WITH state AS (
    SELECT c.id, c.epoch, c.last_seq, c.log_floor, m.user_id IS NOT NULL AS member,
        CASE WHEN m.user_id IS NULL THEN '{}' WHEN c.history = 'all' THEN '{"[1,)"}'
             ELSE (SELECT array_agg(int8range(h.from_seq, h.to_seq, '[]') ORDER BY h.from_seq)
                   FROM messaging.memberships h WHERE h.channel_id = c.id AND h.user_id = $2)
        END::int8range[] AS entitled
    FROM messaging.channels c
    LEFT JOIN messaging.channel_members m ON m.channel_id = c.id AND m.user_id = $2
    WHERE c.id = $1
), page AS (
    SELECT f.*, count(*) OVER () AS found,
        sum(octet_length(f.payload::text)) OVER (ORDER BY f.seq) - octet_length(f.payload::text) AS bytes_before
    FROM (
        SELECT e.* FROM state, unnest(state.entitled) held CROSS JOIN LATERAL (
            SELECT * FROM messaging.event_feed
            WHERE channel_id = $1 AND seq > greatest($3::bigint, lower(held) - 1)
              AND seq < coalesce(upper(held), 9223372036854775807)
            ORDER BY seq LIMIT $5
        ) e
        WHERE $3 IS NOT NULL ORDER BY e.seq LIMIT $5
    ) f
)
SELECT s.member, s.epoch AS channel_epoch, s.last_seq, s.log_floor, s.entitled, p.*
FROM state s LEFT JOIN page p ON p.bytes_before < $4 ORDER BY p.seq
"""

# $1 channel, $2 seq, $3 rows
EVENTS_AFTER = """
SELECT * FROM messaging.event_feed WHERE channel_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""

# $1 channels
HEADS = "SELECT id, epoch, last_seq FROM messaging.channels WHERE id = ANY ($1::uuid[])"

# $1 seconds. By time and with overlap, never `id > last`: that would lose rows that commit late.
REVOCATIONS = """
SELECT subject_kind, subject_id, at, reason FROM messaging.revocations
WHERE at > clock_timestamp() - make_interval(secs => $1) ORDER BY id
"""

CURRENT_EPOCH = "SELECT messaging.current_epoch()"
NEW_EPOCH = "SELECT messaging.new_epoch()"
# Services that keep an outbox of the log's shape name this function alike. The log itself comes first.
OUTBOXES = """
SELECT n.nspname AS schema FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = 'new_epoch' AND has_schema_privilege(n.oid, 'USAGE') ORDER BY n.nspname <> 'messaging', 1
"""
DELETE_EVENTS = "SELECT messaging.delete_events($1, $2)"
