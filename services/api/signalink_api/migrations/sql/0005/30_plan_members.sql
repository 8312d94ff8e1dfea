-- Which members a managed channel is to have: decided here, from what is asked and what is, before anything is written.

CREATE TYPE messaging.member_change AS (user_id uuid, change text, role text);
CREATE TYPE messaging.member_plan AS (
    changes messaging.member_change[], members bigint, unresolved jsonb, doubled boolean, kept_owner boolean
);

-- [{given, role, user_id, username}], of the last two one is set -> who that is; `usable` false: unknown or disabled.
CREATE FUNCTION messaging.resolve_members(wanted jsonb)
RETURNS TABLE (given text, role text, user_id uuid, usable boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT w.given, w.role, u.id, u.id IS NOT NULL AND u.disabled_at IS NULL
    FROM jsonb_to_recordset(wanted) AS w(given text, role text, user_id uuid, username text)
    LEFT JOIN LATERAL (
        SELECT p.id, p.disabled_at FROM messaging.users p WHERE p.id = w.user_id
        UNION ALL
        SELECT p.id, p.disabled_at FROM messaging.users p WHERE lower(p.username) = lower(w.username)
    ) u ON true;
END $$;

-- `exact` also removes who is not listed. An owner stays who would leave the channel without any: the one who joined
-- first. New owners come first, so that at no seq there is none; removals before new members, to make space.
CREATE FUNCTION messaging.plan_members(channel uuid, wanted jsonb, exact boolean) RETURNS messaging.member_plan
LANGUAGE plpgsql STABLE AS $$
DECLARE
    plan messaging.member_plan;
BEGIN
    WITH listed AS MATERIALIZED (
        SELECT * FROM messaging.resolve_members(wanted)
    ), present AS MATERIALIZED (
        SELECT m.user_id, m.role, m.joined_at FROM messaging.channel_members m WHERE m.channel_id = channel
    ), asked AS MATERIALIZED (
        SELECT l.user_id, CASE WHEN p.user_id IS NULL THEN 'add' ELSE 'role' END AS change, l.role, p.role AS held,
            p.joined_at
        FROM listed l LEFT JOIN present p USING (user_id) WHERE l.usable AND p.role IS DISTINCT FROM l.role
        UNION ALL
        SELECT p.user_id, 'remove', NULL, p.role, p.joined_at FROM present p
        WHERE exact AND NOT EXISTS (SELECT FROM listed l WHERE l.user_id = p.user_id)
    ), keeper AS MATERIALIZED (
        SELECT a.user_id FROM asked a WHERE a.held = 'owner'
            AND NOT EXISTS (SELECT FROM asked o WHERE o.role = 'owner')
            AND NOT EXISTS (SELECT FROM present p WHERE p.role = 'owner'
                            AND NOT EXISTS (SELECT FROM asked o WHERE o.user_id = p.user_id))
        ORDER BY a.joined_at, a.user_id LIMIT 1
    ), decided AS (
        SELECT a.user_id, a.change, a.role,
            CASE WHEN a.role = 'owner' AND a.change = 'add' THEN 1 WHEN a.role = 'owner' THEN 2
                 WHEN a.change = 'role' THEN 3 WHEN a.change = 'remove' THEN 4 ELSE 5 END AS step
        FROM asked a WHERE NOT EXISTS (SELECT FROM keeper k WHERE k.user_id = a.user_id)
    )
    SELECT coalesce(array_agg((d.user_id, d.change, d.role)::messaging.member_change ORDER BY d.step, d.user_id), '{}'),
        (SELECT count(*) FROM present) + count(*) FILTER (WHERE d.change = 'add')
            - count(*) FILTER (WHERE d.change = 'remove'),
        (SELECT coalesce(jsonb_agg(l.given ORDER BY l.given), '[]') FROM listed l WHERE NOT l.usable),
        EXISTS (SELECT FROM listed l WHERE l.user_id IS NOT NULL GROUP BY l.user_id HAVING count(*) > 1),
        EXISTS (SELECT FROM keeper)
    INTO plan FROM decided d;
    RETURN plan;
END $$;
