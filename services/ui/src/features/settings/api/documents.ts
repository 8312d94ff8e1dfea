/* The notifications service's documents as the page sees them, and its changes as the service takes them. */
import type { PreferencesDocument, PreferencesPatch } from "@/client";
import { type Change, type Choices, KINDS, type Preferences, WAYS } from "../model/preferences";

export function ofDocument(document: PreferencesDocument): Preferences {
  const off = new Set(document.choices.filter(({ enabled }) => !enabled).map(({ kind, channel }) => `${kind} ${channel}`));
  const row = (kind: string) => Object.fromEntries(WAYS.map((way) => [way, !off.has(`${kind} ${way}`)]));
  return {
    choices: Object.fromEntries(KINDS.map((kind) => [kind, row(kind)])) as Choices,
    quiet: document.quiet_hours,
    timeZone: document.time_zone,
    digestMinutes: document.digest_minutes,
    defaultDigest: document.default_digest_minutes,
    keywords: document.keywords,
    email: document.email,
    webhook: document.webhook && { url: document.webhook.url, setAt: document.webhook.set_at },
  };
}

/** A choice is not patched: it has an address of its own. */
export function patchOf(change: Exclude<Change, { what: "choice" }>): PreferencesPatch {
  switch (change.what) {
    case "quiet":
      return { quiet_hours: change.quiet, time_zone: change.timeZone };
    case "digest":
      return { digest_minutes: change.minutes };
    case "keywords":
      return { keywords: [...change.keywords] };
    case "email":
      return { email: change.on };
  }
}
