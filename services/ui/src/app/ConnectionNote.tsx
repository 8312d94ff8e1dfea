/* How the live connection is doing, in words; quiet while all is well. */
import { useEffect, useState } from "react";
import type { Messages, SocketState } from "@/client";
import { Button } from "@/components/parts";
import { useClient, useMessages } from "@/lib/contexts";

const socket = (messages: Messages): SocketState => messages.socket;
/** A reconnect that is quicker than this is not worth a word. */
const QUIET_MS = 700;

export function ConnectionDot() {
  const { phase } = useMessages(socket);
  const words = phase === "online" ? "Live" : phase === "stopped" ? "Not connected" : "Connecting";
  return (
    <span className={`connection ${phase}`} role="status" data-phase={phase}>
      {words}
    </span>
  );
}

export function ConnectionNote() {
  const { messenger } = useClient();
  const state = useMessages(socket);
  const drafts = useMessages((messages) => messages.drafts);
  const seconds = useSecondsUntil(state.phase === "waiting" ? state.until : null);
  const away = useAway(state.phase === "waiting" || state.phase === "connecting");
  if (state.phase !== "stopped" && !away) return null;
  const kept = drafts.length > 0 ? ` ${drafts.length === 1 ? "One message is" : `${drafts.length} messages are`} kept and will be sent.` : "";
  return (
    <div className={`connection-note ${state.phase}`} role="status">
      <p>
        {state.phase === "stopped"
          ? state.reason
          : `The connection is lost. ${state.phase === "waiting" && seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again…"}`}
        {kept}
      </p>
      <Button onClick={() => messenger.nudge()}>Try now</Button>
    </div>
  );
}

function useAway(now: boolean): boolean {
  const [away, setAway] = useState(false);
  useEffect(() => {
    if (!now) {
      setAway(false);
      return undefined;
    }
    const timer = setTimeout(() => setAway(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [now]);
  return away;
}

function useSecondsUntil(until: number | null): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (until === null) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return until === null ? 0 : Math.max(0, Math.ceil((until - now) / 1000));
}
