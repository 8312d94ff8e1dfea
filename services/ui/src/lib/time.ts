/* Times as people read them, in their own zone and language. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export const timeOf = (at: string): string => clock.format(new Date(at));
export const momentOf = (at: string): string => full.format(new Date(at));

export function sameDay(one: string, other: string): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

export function dayOf(at: string, now = new Date()): string {
  const date = new Date(at);
  if (date.toDateString() === now.toDateString()) return "Today";
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  return date.toDateString() === yesterday.toDateString() ? "Yesterday" : day.format(date);
}

const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const whenOf = (at: string): string => short.format(new Date(at));

/** "22:00" as the reader writes it. */
export function clockOf(time: string): string {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return clock.format(new Date(2000, 0, 1, hours, minutes));
}
