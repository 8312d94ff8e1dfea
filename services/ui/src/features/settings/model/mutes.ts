/* For how long nothing is told of a channel. */

export const MUTES = [
  { key: "hour", label: "For an hour", minutes: 60 },
  { key: "day", label: "For a day", minutes: 24 * 60 },
  { key: "week", label: "For a week", minutes: 7 * 24 * 60 },
  { key: "good", label: "For good", minutes: null },
] as const;

export type MuteKey = (typeof MUTES)[number]["key"];

/** The end of a mute; null: it has none. */
export function untilOf(key: MuteKey, now: number): string | null {
  const minutes = MUTES.find((each) => each.key === key)?.minutes ?? null;
  return minutes === null ? null : new Date(now + minutes * 60_000).toISOString();
}

export interface Mute {
  readonly channel: string;
  readonly until: string | null;
}

/** The mute of a channel that still holds; what has ended is none. */
export function muteOf(mutes: readonly Mute[], channel: string, now: number): Mute | null {
  const found = mutes.find((each) => each.channel === channel);
  return found === undefined || (found.until !== null && Date.parse(found.until) <= now) ? null : found;
}
