/* The members of a channel and, once the gateway says so, who of them is around. */
import { type ReactNode, useEffect } from "react";
import type { PresenceState } from "@/client";
import { Avatar, IconButton } from "@/components/parts";
import { useClient, useMembers, useMessages } from "@/lib/contexts";

const ORDER: Record<PresenceState, number> = { online: 0, dnd: 1, away: 2, offline: 3 };
const WORDS: Record<PresenceState, string> = { online: "online", dnd: "do not disturb", away: "away", offline: "offline" };
const MOST_WATCHED = 200;

/** Asks for the presence of the members of the channel on the screen. */
export function useWatchedMembers(channel: string): void {
  const { messenger } = useClient();
  const { members } = useMembers(channel);
  useEffect(() => {
    messenger.watch(members.slice(0, MOST_WATCHED).map((member) => member.user_id));
  }, [messenger, members]);
}

interface Props {
  readonly channel: string;
  readonly onClose: () => void;
  /** Below the members: what can be done about one's own membership. */
  readonly children?: ReactNode;
}

export function PeoplePanel({ channel, onClose, children }: Props) {
  const { me } = useClient();
  const { members, nameOf } = useMembers(channel);
  const people = useMessages((messages) => messages.people);
  const rank = (user: string): number => ORDER[people.get(user) ?? "offline"];
  const sorted = members.toSorted((one, other) => rank(one.user_id) - rank(other.user_id) || nameOf(one.user_id).localeCompare(nameOf(other.user_id)));
  return (
    <aside className="people" aria-label="Members">
      <header>
        <h2>Members ({members.length})</h2>
        <IconButton icon="close" label="Close members" onClick={onClose} />
      </header>
      <ul>
        {sorted.map((member) => {
          const state = people.get(member.user_id);
          return (
            <li key={member.user_id}>
              <Avatar id={member.user_id} name={nameOf(member.user_id)} state={state} />
              <span className="people-name">
                {nameOf(member.user_id)}
                {member.user_id === me.id && " (you)"}
              </span>
              <span className="people-role">
                {[state && WORDS[state], member.role !== "member" && member.role].filter(Boolean).join(" · ")}
              </span>
            </li>
          );
        })}
      </ul>
      <div className="people-actions">{children}</div>
    </aside>
  );
}
