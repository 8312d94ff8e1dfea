-- Present members and the seqs they are entitled to: all with history `all`, else those of each interval (log.md 5).
CREATE VIEW messaging.entitlements AS
SELECT m.channel_id, m.user_id, m.last_read_seq, c.history, h.from_seq, h.to_seq
FROM messaging.channel_members m
JOIN messaging.channels c ON c.id = m.channel_id
LEFT JOIN messaging.memberships h ON h.channel_id = m.channel_id AND h.user_id = m.user_id;

-- What an edit replaced: the body that revision `revision + 1` took the place of. Gone once the message is deleted.
CREATE VIEW messaging.earlier_texts AS
SELECT message_id, revision, body FROM messaging.message_revisions;

CREATE VIEW messaging.blocked_people AS
SELECT user_id, blocked_id FROM messaging.blocks;
