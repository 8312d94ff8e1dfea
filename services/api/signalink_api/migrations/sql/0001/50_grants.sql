-- Least privilege (design/security.md 8). Roles are made by signalink_core.database.roles; a role that does not exist on
-- a server (a target without that part) gets nothing.

REVOKE ALL ON ALL TABLES IN SCHEMA messaging FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA messaging FROM PUBLIC;

GRANT USAGE ON SCHEMA messaging TO signalink_api, signalink_relay, signalink_gateway, signalink_retention;

GRANT SELECT, INSERT, UPDATE ON
    messaging.users, messaging.sessions, messaging.channels, messaging.memberships, messaging.messages TO signalink_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON messaging.channel_members, messaging.message_revisions TO signalink_api;
GRANT SELECT, INSERT ON messaging.events, messaging.revocations, messaging.audit_log TO signalink_api;
GRANT SELECT ON messaging.event_feed, messaging.log_state TO signalink_api;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA messaging TO signalink_api;
REVOKE EXECUTE ON FUNCTION messaging.new_epoch(), messaging.delete_events(uuid, bigint) FROM signalink_api;

GRANT SELECT ON messaging.events, messaging.log_state TO signalink_relay;
GRANT SELECT, UPDATE ON messaging.relay_cursors TO signalink_relay;
GRANT EXECUTE ON FUNCTION messaging.current_epoch(), messaging.server_timeline(), messaging.server_system_id()
    TO signalink_relay;

GRANT SELECT ON messaging.event_feed, messaging.channels, messaging.channel_members, messaging.memberships,
    messaging.revocations TO signalink_gateway;

GRANT SELECT, DELETE ON messaging.events TO signalink_retention;
GRANT SELECT ON messaging.relay_cursors, messaging.channels TO signalink_retention;
GRANT UPDATE (log_floor) ON messaging.channels TO signalink_retention;
GRANT EXECUTE ON FUNCTION messaging.delete_events(uuid, bigint), messaging.lock_channels(uuid[], boolean)
    TO signalink_retention;
