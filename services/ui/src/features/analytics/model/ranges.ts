/* Which stretch of time is looked at, and in windows of what width. Windows are cut in UTC, as the analytics service cuts them. */

export type Interval = "1m" | "1h" | "1d";

export const STEP_MS: Readonly<Record<Interval, number>> = { "1m": 60_000, "1h": 3_600_000, "1d": 86_400_000 };

export interface Range {
  readonly key: string;
  readonly label: string;
  readonly interval: Interval;
  readonly windows: number;
}

export const RANGES = [
  { key: "1h", label: "1 hour", interval: "1m", windows: 60 },
  { key: "6h", label: "6 hours", interval: "1m", windows: 360 },
  { key: "24h", label: "24 hours", interval: "1h", windows: 24 },
  { key: "7d", label: "7 days", interval: "1h", windows: 168 },
  { key: "30d", label: "30 days", interval: "1d", windows: 30 },
] as const satisfies readonly Range[];

export type RangeKey = (typeof RANGES)[number]["key"];

export const rangeOf = (key: RangeKey): Range => RANGES.find((each) => each.key === key) ?? RANGES[0];

/** Where the first window begins, in milliseconds: the one that is going on at `now` is the last. */
export function beginOf({ interval, windows }: Range, now: number): number {
  const step = STEP_MS[interval];
  return (Math.floor(now / step) + 1 - windows) * step;
}
