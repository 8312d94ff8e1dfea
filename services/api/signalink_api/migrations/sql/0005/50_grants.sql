REVOKE ALL ON ALL TABLES IN SCHEMA messaging FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA messaging FROM PUBLIC;

-- Issued and revoked by the owner (a command), so that an api that is taken over makes no service of itself.
GRANT SELECT ON messaging.service_tokens TO signalink_api;
GRANT EXECUTE ON FUNCTION
    messaging.admit(messaging.entered, uuid, text, jsonb),
    messaging.release(messaging.entered, uuid, text, jsonb, jsonb),
    messaging.resolve_members(jsonb), messaging.plan_members(uuid, jsonb, boolean), messaging.uuid7(),
    messaging.with_event_id(jsonb), messaging.managed_channel(text), messaging.enter_managed(text, uuid),
    messaging.held_elsewhere(text), messaging.record_management(jsonb, text, uuid, jsonb),
    messaging.insert_managed(jsonb, integer), messaging.change_managed(messaging.entered, jsonb, jsonb),
    messaging.change_members(messaging.entered, messaging.member_change[], jsonb),
    messaging.put_managed_channel(jsonb), messaging.archive_managed(messaging.entered, jsonb),
    messaging.delete_managed(messaging.entered, jsonb), messaging.remove_managed_channel(jsonb)
    TO signalink_api;
