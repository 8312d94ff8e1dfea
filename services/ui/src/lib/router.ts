/* The address of the page: `/`, `/c/<channel id>`, `/settings`, `/analytics`, `/analytics/c/<channel id>`. The query (`?dedupe=off`) stays. */
import { useCallback, useMemo, useSyncExternalStore } from "react";

const MOVED = "signalink:moved";
const ID = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})";

export type Place =
  | { readonly at: "home" }
  | { readonly at: "channel"; readonly channel: string }
  | { readonly at: "settings" }
  | { readonly at: "analytics"; readonly channel: string | null };

/** An address that names nothing is home. */
export function placeOf(path: string): Place {
  const [, part, channel] = new RegExp(`^/(c|analytics/c)/${ID}$`).exec(path) ?? [];
  if (channel !== undefined) return part === "c" ? { at: "channel", channel } : { at: "analytics", channel };
  if (path === "/settings") return { at: "settings" };
  if (path === "/analytics") return { at: "analytics", channel: null };
  return { at: "home" };
}

export function pathOf(place: Place): string {
  switch (place.at) {
    case "home":
      return "/";
    case "channel":
      return `/c/${place.channel}`;
    case "settings":
      return "/settings";
    case "analytics":
      return place.channel === null ? "/analytics" : `/analytics/c/${place.channel}`;
  }
}

export function usePlace(): [Place, (place: Place) => void] {
  const path = useSyncExternalStore(watch, () => location.pathname);
  const go = useCallback((place: Place) => {
    history.pushState(null, "", pathOf(place) + location.search);
    dispatchEvent(new Event(MOVED));
  }, []);
  return [useMemo(() => placeOf(path), [path]), go];
}

function watch(changed: () => void): () => void {
  addEventListener("popstate", changed);
  addEventListener(MOVED, changed);
  return () => {
    removeEventListener("popstate", changed);
    removeEventListener(MOVED, changed);
  };
}
