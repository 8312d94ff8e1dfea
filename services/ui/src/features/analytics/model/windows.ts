/* A series as it is drawn: what is still counting is marked, so that the last window is not read as a drop. */

export interface Window {
  /** Milliseconds. */
  readonly start: number;
  readonly value: number;
  /** Every event of this window was counted, but for late ones; false: its number will still grow. */
  readonly complete: boolean;
}

/** Two series of one length: what is final, and what is still counting; where one has a value the other has none. */
export function split(windows: readonly Window[]): { readonly final: readonly (number | null)[]; readonly counting: readonly (number | null)[] } {
  return {
    final: windows.map(({ value, complete }) => (complete ? value : null)),
    counting: windows.map(({ value, complete }) => (complete ? null : value)),
  };
}

export function total(windows: readonly Window[]): number {
  return windows.reduce((sum, { value }) => sum + value, 0);
}

export function highest(windows: readonly Window[]): Window | null {
  return windows.reduce<Window | null>((most, window) => (window.value > (most?.value ?? 0) ? window : most), null);
}

/** The chart in a sentence: what somebody who does not see it must know. */
export function described(windows: readonly Window[], what: (count: number) => string, name: (start: number) => string): string {
  const most = highest(windows);
  if (most === null) return `No ${what(0)} in this time.`;
  const counting = windows.filter(({ complete }) => !complete).length;
  const open = counting === 0 ? "" : counting === 1 ? " The last window is still counting." : ` The last ${counting} windows are still counting.`;
  const sum = total(windows);
  return `${plain(sum)} ${what(sum)}; the busiest window, ${name(most.start)}, has ${plain(most.value)}.${open}`;
}

const numbers = new Intl.NumberFormat();
export const plain = (value: number): string => numbers.format(value);
