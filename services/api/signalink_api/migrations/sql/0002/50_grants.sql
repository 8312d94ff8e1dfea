REVOKE ALL ON ALL TABLES IN SCHEMA messaging FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA messaging FROM PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON messaging.devices TO signalink_api;
GRANT SELECT ON messaging.unread_counts TO signalink_api;
GRANT EXECUTE ON FUNCTION messaging.direct_key(uuid, uuid), messaging.open_direct(jsonb), messaging.read_channel(jsonb),
    messaging.mute_member(jsonb) TO signalink_api;

GRANT USAGE ON SCHEMA messaging TO signalink_analytics, signalink_notifications, signalink_prober;
GRANT SELECT ON messaging.event_feed, messaging.fact_feed, messaging.channel_people, messaging.channel_kinds,
    messaging.actors, messaging.revocations TO signalink_analytics;
GRANT SELECT ON messaging.contacts, messaging.channel_people, messaging.channel_kinds, messaging.actors,
    messaging.message_authors, messaging.message_texts, messaging.push_devices, messaging.revocations
    TO signalink_notifications;
GRANT EXECUTE ON FUNCTION messaging.delete_device(text, text) TO signalink_notifications;
GRANT SELECT ON messaging.relay_cursors, messaging.events, messaging.log_state, messaging.event_feed
    TO signalink_prober;
