/* Time zones as the browser knows them. */

export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Every zone of the browser, UTC first, and those named here, which it may not know. */
export function zones(...named: readonly string[]): readonly string[] {
  return [...new Set(["UTC", OWN_ZONE, ...named, ...Intl.supportedValuesOf("timeZone")])];
}

/** What the clock says in a zone; null where the browser does not know it. */
export function clockIn(zone: string, now: Date): string | null {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(now);
  } catch {
    return null;
  }
}
