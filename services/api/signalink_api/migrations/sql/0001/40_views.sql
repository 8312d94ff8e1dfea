-- All that recovery and history read: a deleted body is blank from then on. `epoch` is the channel's, since a position
-- that clients keep is valid in that one only; the row's own epoch stays with the relay (docs/decisions/0012).
CREATE VIEW messaging.event_feed AS
SELECT e.channel_id, e.seq, c.epoch, e.event_id, e.type,
    CASE WHEN m.deleted_at IS NULL OR NOT e.payload ? 'body' THEN e.payload
         WHEN e.payload ? 'metadata' THEN e.payload || '{"body": "", "metadata": {}}'
         ELSE e.payload || '{"body": ""}' END AS payload,
    e.traceparent, e.occurred_at
FROM messaging.events e
JOIN messaging.channels c ON c.id = e.channel_id
LEFT JOIN messaging.messages m ON m.id = e.aggregateid AND e.aggregatetype = 'message';
