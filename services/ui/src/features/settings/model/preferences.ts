/* What somebody wants to be told of and how, and what each change makes of it: shown at once, kept once it is saved. */

export const KINDS = ["mention", "direct", "reply", "keyword"] as const;
export const WAYS = ["email", "push", "webhook"] as const;
export type Kind = (typeof KINDS)[number];
export type Way = (typeof WAYS)[number];
export type Choices = Readonly<Record<Kind, Readonly<Record<Way, boolean>>>>;

export interface QuietHours {
  /** "22:00", local time of the zone. */
  readonly begin: string;
  readonly end: string;
}

export interface Preferences {
  readonly choices: Choices;
  readonly quiet: QuietHours | null;
  readonly timeZone: string;
  /** Null: `defaultDigest` holds; 0: each mail by itself. */
  readonly digestMinutes: number | null;
  readonly defaultDigest: number;
  readonly keywords: readonly string[];
  /** False: no mail at all, whatever the choices say. */
  readonly email: boolean;
  readonly webhook: { readonly url: string; readonly setAt: string } | null;
}

export type Change =
  | { readonly what: "choice"; readonly kind: Kind; readonly way: Way; readonly on: boolean }
  | { readonly what: "quiet"; readonly quiet: QuietHours | null; readonly timeZone: string }
  | { readonly what: "digest"; readonly minutes: number | null }
  | { readonly what: "keywords"; readonly keywords: readonly string[] }
  | { readonly what: "email"; readonly on: boolean };

export function applied(saved: Preferences, change: Change): Preferences {
  switch (change.what) {
    case "choice":
      return { ...saved, choices: { ...saved.choices, [change.kind]: { ...saved.choices[change.kind], [change.way]: change.on } } };
    case "quiet":
      return { ...saved, quiet: change.quiet, timeZone: change.timeZone };
    case "digest":
      return { ...saved, digestMinutes: change.minutes };
    case "keywords":
      return { ...saved, keywords: change.keywords };
    case "email":
      return { ...saved, email: change.on };
  }
}

/** What is on the screen: what is saved and, over it, every change that is on its way. */
export function shown(saved: Preferences, onTheirWay: readonly Change[]): Preferences {
  return onTheirWay.reduce(applied, saved);
}

export const MOST_KEYWORDS = 50;
export const KEYWORD_SIGNS = { least: 2, most: 50 } as const;

/** One more keyword as the service compares it; the list itself when it adds nothing. */
export function withKeyword(keywords: readonly string[], written: string): readonly string[] {
  const word = written.trim().replace(/\s+/g, " ");
  const known = keywords.some((each) => each.toLowerCase() === word.toLowerCase());
  return word === "" || known ? keywords : [...keywords, word];
}

/** Quiet hours in words: over midnight they end the next day. */
export function quietWords({ begin, end }: QuietHours, clock: (time: string) => string): string {
  return `from ${clock(begin)} until ${clock(end)}${end < begin ? " the next day" : ""}`;
}

/** A span of minutes as it is said. */
export function minutesWords(minutes: number): string {
  if (minutes === 0) return "each by itself";
  if (minutes % 1440 === 0) return minutes === 1440 ? "a day" : `${minutes / 1440} days`;
  if (minutes % 60 === 0) return minutes === 60 ? "an hour" : `${minutes / 60} hours`;
  return minutes === 1 ? "a minute" : `${minutes} minutes`;
}
