/* The address of the page: `/` and `/c/<channel id>`. The query (`?dedupe=off`) stays as it is. */
import { useCallback, useSyncExternalStore } from "react";

const MOVED = "signalink:moved";

export function useChannelInAddress(): [string | null, (channel: string | null, replace?: boolean) => void] {
  const path = useSyncExternalStore(watch, () => location.pathname);
  const go = useCallback((channel: string | null, replace = false) => {
    const address = `${channel === null ? "/" : `/c/${channel}`}${location.search}`;
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    dispatchEvent(new Event(MOVED));
  }, []);
  return [/^\/c\/([0-9a-f-]{36})$/.exec(path)?.[1] ?? null, go];
}

function watch(changed: () => void): () => void {
  addEventListener("popstate", changed);
  addEventListener(MOVED, changed);
  return () => {
    removeEventListener("popstate", changed);
    removeEventListener(MOVED, changed);
  };
}
