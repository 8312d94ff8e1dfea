-- What other services see: of a deleted channel nothing, of its messages that they are deleted.
CREATE OR REPLACE VIEW messaging.channel_kinds AS
SELECT id AS channel_id, kind, name, slug, archived_at IS NOT NULL AS archived FROM messaging.channels
WHERE deleted_at IS NULL;

CREATE OR REPLACE VIEW messaging.message_authors AS
SELECT m.id AS message_id, m.channel_id, m.seq, m.sender_id, m.reply_to, m.thread_root,
    m.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL AS deleted
FROM messaging.messages m JOIN messaging.channels c ON c.id = m.channel_id;

CREATE OR REPLACE VIEW messaging.message_texts AS
SELECT m.id AS message_id, m.channel_id, m.seq, m.sender_id,
    CASE WHEN c.deleted_at IS NULL THEN m.body ELSE '' END AS body, m.format, m.created_at, m.edited_at,
    m.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL AS deleted
FROM messaging.messages m JOIN messaging.channels c ON c.id = m.channel_id;
