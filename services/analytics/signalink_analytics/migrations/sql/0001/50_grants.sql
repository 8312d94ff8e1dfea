-- One role for the service; what it may read of schema messaging is granted there.

REVOKE ALL ON ALL TABLES IN SCHEMA analytics FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics FROM PUBLIC;

GRANT USAGE ON SCHEMA analytics TO signalink_analytics, signalink_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    analytics.message_metrics, analytics.channel_metrics, analytics.user_metrics,
    analytics.message_hours, analytics.channel_hours, analytics.user_hours,
    analytics.message_days, analytics.channel_days, analytics.user_days, analytics.rollups,
    analytics.late_events, analytics.clamped_events, analytics.conversations,
    analytics.presence_now, analytics.presence_changes, analytics.presence_metrics, analytics.presence_levels,
    analytics.rebuilds
    TO signalink_analytics;
GRANT SELECT, UPDATE ON analytics.progress TO signalink_analytics;
GRANT USAGE ON SEQUENCE analytics.generations TO signalink_analytics;
GRANT SELECT ON
    analytics.message_by_minute, analytics.message_by_hour, analytics.message_by_day,
    analytics.channel_by_hour, analytics.channel_by_day, analytics.user_by_hour, analytics.user_by_day,
    analytics.presence_by_minute, analytics.freshness
    TO signalink_analytics;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO signalink_analytics;

GRANT SELECT, DELETE ON
    analytics.message_metrics, analytics.channel_metrics, analytics.user_metrics,
    analytics.message_hours, analytics.channel_hours, analytics.user_hours,
    analytics.message_days, analytics.channel_days, analytics.user_days, analytics.rollups,
    analytics.late_events, analytics.clamped_events,
    analytics.presence_changes, analytics.presence_metrics, analytics.presence_levels
    TO signalink_retention;
