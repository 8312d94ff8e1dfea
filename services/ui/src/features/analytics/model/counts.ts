/* Counts as the page says them. */
import { plain } from "./windows";

export const messages = (count: number): string => (count === 1 ? "message" : "messages");
export const answers = (count: number): string => (count === 1 ? "answer" : "answers");
export const times = (count: number): string => (count === 1 ? "once" : `${plain(count)} times`);

export interface Distinct {
  readonly value: number;
  readonly exact: boolean;
  readonly error: number | null;
}

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

/** A number of different users; an estimate says how far it may be off, and a cut stretch that there may be more. */
export function distinct({ value, exact, error }: Distinct, cut = false): { readonly value: string; readonly about?: string } {
  if (!exact) return { value: `≈ ${plain(value)}`, ...(error === null ? {} : { about: `± ${percent.format(error)}` }) };
  return { value: plain(value), ...(cut ? { about: "or more: not all of it is kept" } : {}) };
}
