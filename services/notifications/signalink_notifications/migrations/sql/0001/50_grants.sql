-- One role for the service; what it may read of schema messaging is granted there. Events are only ever added.

REVOKE ALL ON ALL TABLES IN SCHEMA notifications FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA notifications FROM PUBLIC;

GRANT USAGE ON SCHEMA notifications TO signalink_notifications, signalink_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    notifications.preferences, notifications.choices, notifications.mutes, notifications.presence, notifications.plans
    TO signalink_notifications;
GRANT SELECT, INSERT ON notifications.events TO signalink_notifications;
GRANT SELECT, UPDATE ON notifications.relay_cursors TO signalink_notifications;
GRANT SELECT ON notifications.log_state TO signalink_notifications;
GRANT EXECUTE ON FUNCTION notifications.shard_of(uuid), notifications.server_timeline(),
    notifications.server_system_id(), notifications.current_epoch(), notifications.request(jsonb)
    TO signalink_notifications;

GRANT SELECT, DELETE ON notifications.events TO signalink_retention;
GRANT SELECT ON notifications.relay_cursors TO signalink_retention;
