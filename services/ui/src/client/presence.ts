/* Who is online and who is typing: hints that may be lost, so everything here expires or is forgotten on a reconnect. */
import type { PresenceState } from "./frames.ts";

export const TYPING_MS = 6_000;
export const TYPING_EVERY_MS = 3_000;

export type People = ReadonlyMap<string, PresenceState>;
/** Channel -> user -> until when they count as typing (ms). */
export type Typing = ReadonlyMap<string, ReadonlyMap<string, number>>;

export function noticed(people: People, users: readonly { readonly user: string; readonly state: PresenceState }[]): People {
  const next = new Map(people);
  for (const { user, state } of users) next.set(user, state);
  return next;
}

/** `state` ends typing when it says so; any other, or none, starts it or makes it last. */
export function typed(typing: Typing, channel: string, user: string, state: string | undefined, now: number): Typing {
  const users = new Map(typing.get(channel));
  if (state === "stopped" || state === "stop" || state === "idle") users.delete(user);
  else users.set(user, now + TYPING_MS);
  return new Map(typing).set(channel, users);
}

/** Without those whose time is over; the same object when nothing changed. */
export function expired(typing: Typing, now: number): Typing {
  const over = [...typing.values()].some((users) => [...users.values()].some((until) => until <= now));
  if (!over) return typing;
  const next = new Map<string, ReadonlyMap<string, number>>();
  for (const [channel, users] of typing) next.set(channel, new Map([...users].filter(([, until]) => until > now)));
  return next;
}
