REVOKE ALL ON messaging.blocks, messaging.entitlements, messaging.earlier_texts, messaging.blocked_people FROM PUBLIC;

GRANT SELECT, INSERT, DELETE ON messaging.blocks TO signalink_api;
GRANT SELECT ON messaging.entitlements, messaging.earlier_texts, messaging.blocked_people TO signalink_notifications;
