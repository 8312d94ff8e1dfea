-- Membership: each change is an event with a seq, and entitlement starts and ends with it.

CREATE FUNCTION messaging.take_in(e messaging.entered, newcomer uuid, new_role text, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    event jsonb;
BEGIN
    IF EXISTS (SELECT FROM messaging.channel_members WHERE channel_id = (e.channel).id AND user_id = newcomer) THEN
        RETURN messaging.unchanged();
    ELSIF (SELECT count(*) FROM messaging.channel_members WHERE channel_id = (e.channel).id)
          >= (e.channel).max_members THEN
        RETURN messaging.refusal('conflict', 'channel_full');
    END IF;
    event := messaging.append_event(e, 'member.joined', (e.channel).id,
        jsonb_build_object('user_id', newcomer, 'role', new_role, 'by', command -> 'actor_id'), command);
    INSERT INTO messaging.channel_members (channel_id, user_id, role, last_read_seq)
    VALUES ((e.channel).id, newcomer, new_role, (event ->> 'seq')::bigint);
    INSERT INTO messaging.memberships (channel_id, user_id, from_seq)
    VALUES ((e.channel).id, newcomer, (event ->> 'seq')::bigint);
    RETURN messaging.accepted(event);
END $$;

CREATE FUNCTION messaging.let_go(e messaging.entered, leaver uuid, event_type text, data jsonb, command jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    event jsonb;
BEGIN
    IF messaging.is_last_owner((e.channel).id, leaver) THEN
        RETURN messaging.refusal('conflict', 'last_owner');
    END IF;
    event := messaging.append_event(e, event_type, (e.channel).id, data, command);
    DELETE FROM messaging.channel_members WHERE channel_id = (e.channel).id AND user_id = leaver;
    UPDATE messaging.memberships SET to_seq = (event ->> 'seq')::bigint
    WHERE channel_id = (e.channel).id AND user_id = leaver AND to_seq IS NULL;
    RETURN messaging.accepted(event);
END $$;

-- The only owner of a channel that has other members may neither go nor become less.
CREATE FUNCTION messaging.is_last_owner(channel uuid, member uuid) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM messaging.channel_members WHERE channel_id = channel AND user_id = member AND role = 'owner')
    AND EXISTS (SELECT FROM messaging.channel_members WHERE channel_id = channel AND user_id <> member)
    AND NOT EXISTS (SELECT FROM messaging.channel_members
                    WHERE channel_id = channel AND user_id <> member AND role = 'owner');

-- {channel_id, actor_id, event_id, ...}
CREATE FUNCTION messaging.join_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    actor uuid := (command ->> 'actor_id')::uuid;
    e messaging.entered := messaging.enter((command ->> 'channel_id')::uuid, actor, 'join');
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    END IF;
    IF (e.channel).kind <> 'public' AND e.member_role IS NULL THEN  -- an admin; their reading is on record
        INSERT INTO messaging.audit_log (actor_id, action, target, details)
        VALUES (actor, 'channel.join_private', (e.channel).id::text, '{}');
    END IF;
    RETURN messaging.take_in(e, actor, 'member', command);
END $$;

-- {channel_id, actor_id, event_id, ...}; possible in an archived channel too
CREATE FUNCTION messaging.leave_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    actor uuid := (command ->> 'actor_id')::uuid;
    e messaging.entered := messaging.enter((command ->> 'channel_id')::uuid, actor, 'see', true);
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF e.member_role IS NULL THEN
        RETURN messaging.unchanged();
    END IF;
    RETURN messaging.let_go(e, actor, 'member.left', jsonb_build_object('user_id', actor), command);
END $$;

-- Moderators handle members below their own role; owners (and admins) handle everyone.
CREATE FUNCTION messaging.outranks(e messaging.entered, other_role text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN messaging.may(e.actor_role, e.member_role, (e.channel).kind, 'roles')
    OR messaging.acting_rank(e.actor_role, e.member_role, (e.channel).kind) > messaging.role_rank(other_role);

-- {channel_id, actor_id, user_id, role, event_id, ...}
CREATE FUNCTION messaging.add_member(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    newcomer uuid := (command ->> 'user_id')::uuid;
    new_role text := coalesce(command ->> 'role', 'member');
    e messaging.entered := messaging.enter(
        (command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid, 'manage_members');
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF messaging.role_rank(new_role) = 0 THEN
        RETURN messaging.refusal('invalid', 'role');
    ELSIF NOT messaging.outranks(e, new_role) THEN
        RETURN messaging.refusal('forbidden');
    ELSIF NOT EXISTS (SELECT FROM messaging.users WHERE id = newcomer AND disabled_at IS NULL) THEN
        RETURN messaging.refusal('not_found', 'user');
    END IF;
    RETURN messaging.take_in(e, newcomer, new_role, command);
END $$;

-- {channel_id, actor_id, user_id, event_id, ...}; possible in an archived channel too
CREATE FUNCTION messaging.remove_member(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    leaver uuid := (command ->> 'user_id')::uuid;
    e messaging.entered := messaging.enter(
        (command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid, 'manage_members', true);
    held_role text;
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    END IF;
    SELECT role INTO held_role FROM messaging.channel_members
    WHERE channel_id = (e.channel).id AND user_id = leaver;
    IF held_role IS NULL THEN
        RETURN messaging.refusal('not_found', 'member');
    ELSIF NOT messaging.outranks(e, held_role) THEN
        RETURN messaging.refusal('forbidden');
    END IF;
    RETURN messaging.let_go(e, leaver, 'member.removed',
        jsonb_build_object('user_id', leaver, 'by', command -> 'actor_id'), command);
END $$;

-- {channel_id, actor_id, user_id, role, event_id, ...}
CREATE FUNCTION messaging.set_member_role(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    member uuid := (command ->> 'user_id')::uuid;
    new_role text := command ->> 'role';
    e messaging.entered := messaging.enter((command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid, 'roles');
    held_role text;
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF messaging.role_rank(new_role) = 0 THEN
        RETURN messaging.refusal('invalid', 'role');
    END IF;
    SELECT role INTO held_role FROM messaging.channel_members WHERE channel_id = (e.channel).id AND user_id = member;
    IF held_role IS NULL THEN
        RETURN messaging.refusal('not_found', 'member');
    ELSIF held_role = new_role THEN
        RETURN messaging.unchanged();
    ELSIF messaging.is_last_owner((e.channel).id, member) THEN
        RETURN messaging.refusal('conflict', 'last_owner');
    END IF;
    UPDATE messaging.channel_members SET role = new_role WHERE channel_id = (e.channel).id AND user_id = member;
    RETURN messaging.accepted(messaging.append_event(e, 'member.role_changed', (e.channel).id,
        jsonb_build_object('user_id', member, 'role', new_role, 'by', command -> 'actor_id'), command));
END $$;
