/* Counts by class: names of classes from their upper bounds, and where the middle lies. */

export interface Class {
  /** Upper bound, included; null: whatever is above the last bound. */
  readonly upTo: number | null;
  readonly count: number;
}

export type Naming = (value: number) => string;

/** "up to 10", "11 to 50", "above 50" for whole numbers, else "1 s to 10 s". */
export function classNames(classes: readonly Class[], name: Naming, whole: boolean): readonly string[] {
  return classes.map(({ upTo }, index) => {
    const below = classes[index - 1]?.upTo ?? null;
    if (upTo === null) return below === null ? "any" : `above ${name(below)}`;
    if (below === null) return `up to ${name(upTo)}`;
    const from = whole ? below + 1 : below;
    return whole && from === upTo ? name(upTo) : `${name(from)} to ${name(upTo)}`;
  });
}

export function counted(classes: readonly Class[]): number {
  return classes.reduce((sum, { count }) => sum + count, 0);
}

/** The class in which this share of all counts is reached; null: nothing was counted. */
export function classAt(classes: readonly Class[], share: number): number | null {
  const wanted = counted(classes) * share;
  let sum = 0;
  for (const [index, { count }] of classes.entries()) {
    sum += count;
    if (count > 0 && sum >= wanted) return index;
  }
  return null;
}

/** Up to which bound a share of all counts lies; null: nothing was counted. */
export function shareWords(classes: readonly Class[], share: number, name: Naming): string | null {
  const index = classAt(classes, share);
  if (index === null) return null;
  const bound = classes[index]?.upTo ?? null;
  return bound === null ? `above ${name(classes[index - 1]?.upTo ?? 0)}` : `up to ${name(bound)}`;
}

/** Seconds as people say them: 250 ms, 2.5 s, 5 min, 2 h, 1 d. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  for (const [unit, size] of [["d", 86_400], ["h", 3_600], ["min", 60]] as const) {
    if (seconds >= size) return `${trimmed(seconds / size)} ${unit}`;
  }
  return `${trimmed(seconds)} s`;
}

function trimmed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
