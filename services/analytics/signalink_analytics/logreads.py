"""What a rebuild reads: the log's events of a stretch of time that the consumer has counted, and what figures say now.

An event was counted when the consumer's position of its channel, or its list of processed facts, has it, and it is
neither parked nor late. Asked with the window's lock held, that is exactly what was added to the window so far.
"""

from typing import Final

# Facts leave `processed_events` after 7 days; nothing stays unread in Kafka so long.
_COUNTED: Final = """
    f.topic IN ('messages', 'analytics')
    AND CASE WHEN f.channel_id IS NULL
        THEN f.occurred_at < clock_timestamp() - interval '6 days' OR EXISTS (
            SELECT FROM analytics.processed_events d WHERE d.consumer_group = $1 AND d.event_id = f.event_id)
        ELSE EXISTS (
            SELECT FROM analytics.positions p WHERE p.consumer_group = $1 AND p.topic = f.topic
            AND p.channel_id = f.channel_id AND (p.epoch, p.seq) >= (f.epoch, f.seq)) END
    AND NOT EXISTS (SELECT FROM analytics.parked k WHERE k.consumer_group = $1 AND k.event_id = f.event_id)
    AND NOT EXISTS (SELECT FROM analytics.late_events l WHERE l.event_id = f.event_id)
"""
_COLUMNS: Final = """
    f.type, f.channel_id::text AS channel, f.seq, f.data, f.characters,
    floor(extract(epoch FROM f.occurred_at) * 1000)::bigint AS at
"""
# $1 group, $2 start, $3 end of the window. An event from the future is in the window in which it was counted.
EVENTS: Final = f"""
SELECT {_COLUMNS} FROM messaging.figure_feed f
WHERE f.occurred_at >= $2 AND f.occurred_at < $3 AND {_COUNTED}
    AND NOT EXISTS (SELECT FROM analytics.clamped_events c WHERE c.event_id = f.event_id)
UNION ALL
SELECT {_COLUMNS} FROM analytics.clamped_events c
JOIN messaging.figure_feed f ON f.occurred_at = c.event_time AND f.event_id = c.event_id
WHERE c.counted_at >= $2 AND c.counted_at < $3 AND {_COUNTED}
"""
# $1 group, $2 type, $3 channels, $4 seqs: the message before each of these
BEFORE: Final = """
SELECT w.channel, w.seq, b.sender, b.at FROM unnest($3::text[], $4::bigint[]) w (channel, seq)
CROSS JOIN LATERAL (
    SELECT f.data ->> 'sender_id' AS sender, floor(extract(epoch FROM f.occurred_at) * 1000)::bigint AS at
    FROM messaging.figure_feed f
    WHERE f.channel_id = w.channel::uuid AND f.seq < w.seq AND f.type = $2
        AND NOT EXISTS (SELECT FROM analytics.parked k WHERE k.consumer_group = $1 AND k.event_id = f.event_id)
    ORDER BY f.seq DESC LIMIT 1
) b
"""
# $1 start, $2 end: windows that have anything, in the log or in the figures
WINDOWS: Final = """
SELECT date_bin('1 min', occurred_at, '2000-01-01 00:00:00+00') AS start FROM messaging.figure_feed
WHERE occurred_at >= $1 AND occurred_at < $2 AND topic IN ('messages', 'analytics')
UNION SELECT window_start FROM analytics.message_metrics WHERE window_start >= $1 AND window_start < $2
UNION SELECT window_start FROM analytics.channel_metrics WHERE window_start >= $1 AND window_start < $2
UNION SELECT window_start FROM analytics.user_metrics WHERE window_start >= $1 AND window_start < $2
UNION SELECT date_bin('1 min', counted_at, '2000-01-01 00:00:00+00') FROM analytics.clamped_events
WHERE counted_at >= $1 AND counted_at < $2
ORDER BY 1
"""
# $1 topic, $2 group. Up to when the log lacks events: of a channel whose beginning is gone, to the first that is there;
# of one that is gone altogether, to its last message.
GONE: Final = """
SELECT max(coalesce(kept.occurred_at, c.sent_at)) FROM analytics.positions p
LEFT JOIN analytics.conversations c USING (channel_id)
LEFT JOIN LATERAL (
    SELECT f.seq, f.occurred_at FROM messaging.figure_feed f WHERE f.channel_id = p.channel_id ORDER BY f.seq LIMIT 1
) kept ON true
WHERE p.topic = $1 AND p.consumer_group = $2 AND coalesce(kept.seq, 2) > 1
"""
