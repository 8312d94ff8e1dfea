-- may(): the table of design/security.md 3. signalink_api.rights says the same in Python; a test compares all cases.

CREATE FUNCTION messaging.role_rank(member_role text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE member_role WHEN 'reader' THEN 1 WHEN 'member' THEN 2 WHEN 'moderator' THEN 3 WHEN 'owner' THEN 4 ELSE 0 END;

-- Global moderators and admins are moderators in public channels, joined or not.
CREATE FUNCTION messaging.acting_rank(actor_role text, member_role text, channel_kind text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN GREATEST(
    messaging.role_rank(member_role),
    CASE WHEN channel_kind = 'public' AND actor_role IN ('moderator', 'admin') THEN 3 ELSE 0 END
);

-- actor_role NULL: no such user, or disabled. member_role NULL: outside. An unknown action is refused.
CREATE FUNCTION messaging.may(actor_role text, member_role text, channel_kind text, action text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN actor_role IS NULL THEN false
    WHEN actor_role = 'admin'
        AND action IN ('see', 'join', 'slow_mode', 'manage_members', 'update', 'archive', 'webhooks', 'roles', 'owners')
        THEN channel_kind <> 'direct' OR messaging.role_rank(member_role) > 0
    WHEN action IN ('see', 'join') THEN channel_kind = 'public' OR messaging.role_rank(member_role) > 0
    -- Live delivery is entitled by seq, so it needs a membership and not just a global role.
    WHEN action IN ('subscribe', 'resume') THEN messaging.role_rank(member_role) > 0
    ELSE messaging.acting_rank(actor_role, member_role, channel_kind) >= CASE
        WHEN action IN ('read', 'search', 'figures') THEN 1
        WHEN action IN ('post', 'react', 'typing', 'edit_own', 'delete_own') THEN 2
        WHEN action IN ('delete_others', 'mute', 'slow_mode', 'manage_members') THEN 3
        WHEN action IN ('update', 'archive', 'webhooks', 'roles', 'owners') THEN 4
        ELSE 99
    END
END;
