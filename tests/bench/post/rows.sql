-- One post as one row: the call that the writer makes for a batch, by each of pgbench's clients for itself.
\set channel random(0, :channels - 1)
\set sender random(0, 31)
SELECT messaging.post_messages(jsonb_build_object('wait', true, 'rows', jsonb_build_array(jsonb_build_object(
    'n', 0,
    'channel_id', '00000000-0000-7000-8000-' || lpad(to_hex(CAST(:channel AS integer)), 12, '0'),
    'sender_id', '00000000-0000-7000-8000-' || lpad(to_hex(1048576 + CAST(:sender AS integer)), 12, '0'),
    'client_id', uuidv7()::text,
    'body', '@0000.00000000.00000000000000000000@ A sentence of the length that people write when they answer somebody in a channel, give or take.',
    'format', 'text', 'metadata', '{}'::jsonb, 'reply_to', NULL,
    'request_hash', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'message_id', uuidv7(), 'event_id', uuidv7(),
    'traceparent', '00-11111111111111111111111111111111-2222222222222222-01'))));
