/* Names of windows: minutes and hours as the reader's clock shows them, days as UTC cuts them. */
import { type Interval } from "./ranges";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const utcDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });

export const dayIn = (at: number, utc: boolean): string => (utc ? utcDay : day).format(at);

/** Under an axis: the clock, and at midnight the day that begins. */
export function hourOf(at: number): string {
  const date = new Date(at);
  return date.getHours() === 0 && date.getMinutes() === 0 ? day.format(at) : clock.format(at);
}

/** One window in a sentence. */
export function momentName(at: number, interval: Interval): string {
  return interval === "1d" ? `on ${utcDay.format(at)} (UTC)` : `at ${interval === "1m" ? clock.format(at) : dayAndClock.format(at)}`;
}
