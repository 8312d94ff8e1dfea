-- What other services see of messaging: views, never tables.

CREATE VIEW messaging.contacts AS
SELECT id AS user_id, username, email, display_name, disabled_at IS NOT NULL AS disabled FROM messaging.users;

CREATE VIEW messaging.actors AS
SELECT id AS user_id, role, disabled_at IS NOT NULL AS disabled FROM messaging.users;

CREATE VIEW messaging.channel_people AS
SELECT c.id AS channel_id, c.kind, c.name, c.slug, m.user_id, m.role, m.muted_until
FROM messaging.channels c JOIN messaging.channel_members m ON m.channel_id = c.id;

CREATE VIEW messaging.channel_kinds AS
SELECT id AS channel_id, kind, name, slug, archived_at IS NOT NULL AS archived FROM messaging.channels;

CREATE VIEW messaging.message_authors AS
SELECT id AS message_id, channel_id, seq, sender_id, reply_to, thread_root, deleted_at IS NOT NULL AS deleted
FROM messaging.messages;

-- As it reads now: edited, or blank once it is deleted.
CREATE VIEW messaging.message_texts AS
SELECT id AS message_id, channel_id, seq, sender_id, body, format, created_at, edited_at,
    deleted_at IS NOT NULL AS deleted
FROM messaging.messages;

CREATE VIEW messaging.push_devices AS
SELECT id AS device_id, user_id, kind, push_token FROM messaging.devices;

-- Facts: events of the log without a channel.
CREATE VIEW messaging.fact_feed AS
SELECT event_id, epoch, xid, id, topic, type, aggregateid, payload, occurred_at
FROM messaging.events WHERE channel_id IS NULL;

-- Messages of others above the last one read, counted up to 100.
CREATE VIEW messaging.unread_counts AS
SELECT m.user_id, m.channel_id, m.last_read_seq, c.last_seq, n.unread
FROM messaging.channel_members m
JOIN messaging.channels c ON c.id = m.channel_id
CROSS JOIN LATERAL (
    SELECT count(*) AS unread FROM (
        SELECT FROM messaging.messages t
        WHERE t.channel_id = m.channel_id AND t.seq > m.last_read_seq AND t.sender_id <> m.user_id
            AND t.deleted_at IS NULL
        LIMIT 100
    ) counted
) n;
