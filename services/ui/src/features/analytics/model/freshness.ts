/* How far the figures reach, in words. */
import { duration } from "./histogram";
import { plain } from "./windows";

export interface Freshness {
  /** Everything before it was counted; null: nothing was counted yet. */
  readonly watermark: number | null;
  /** Records of Kafka that are not read yet; null: not known. */
  readonly lag: number | null;
  /** Events that came too late to be counted in their window. */
  readonly late: number;
}

/** Lines in the order of worth; the first is always there. */
export function freshnessWords({ watermark, lag, late }: Freshness, now: number, clock: (at: number) => string): readonly string[] {
  const lines = [watermark === null ? "Nothing was counted yet." : `Counted up to ${clock(watermark)}, ${behind(now - watermark)}.`];
  if (lag !== null && lag > 0) lines.push(`${plain(lag)} ${lag === 1 ? "record waits" : "records wait"} to be read.`);
  if (late > 0) lines.push(`${plain(late)} ${late === 1 ? "event" : "events"} came too late to be counted.`);
  return lines;
}

/** Two clocks are compared here, so a little ahead is now. */
function behind(ms: number): string {
  return ms < 1_000 ? "right now" : `${duration(Math.round(ms / 1000))} ago`;
}
