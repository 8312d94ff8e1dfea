-- Events of a stretch of time, found without reading the whole log: rows are written in the order of their time, nearly.
CREATE INDEX events_occurred_at_idx ON messaging.events USING brin (occurred_at) WITH (autosummarize = on);

-- All that figures are made of: what happened, when, to whom, how long a text was, never the text. Each row has its own
-- epoch, as the records in Kafka have, so that it can be compared with what a consumer has applied. The length of a
-- deleted message is what it was.
CREATE VIEW messaging.figure_feed AS
SELECT event_id, epoch, topic, type, channel_id, seq, payload - '{body,metadata}'::text[] AS data,
    char_length(payload ->> 'body') AS characters, occurred_at
FROM messaging.events;

REVOKE ALL ON messaging.figure_feed FROM PUBLIC;
GRANT SELECT ON messaging.figure_feed TO signalink_analytics;
