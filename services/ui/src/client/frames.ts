/* The frames of the socket as docs/api/asyncapi.yaml has them. Frames and fields that are not known here are ignored. */

export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

export interface EventFrame {
  readonly op: "event";
  readonly channel: string;
  readonly epoch: number;
  readonly seq: number;
  readonly type: string;
  readonly id: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type PresenceState = "online" | "away" | "dnd" | "offline";

export type ServerFrame =
  | EventFrame
  | { readonly op: "welcome"; readonly session: string; readonly node: string; readonly heartbeat_ms: number }
  | { readonly op: "authenticated"; readonly expires_at: string }
  | {
      readonly op: "subscribed";
      readonly channel: string;
      readonly position: Position;
      readonly recovered: boolean;
      readonly skipped?: readonly SeqRange[];
    }
  | { readonly op: "unsubscribed"; readonly channels: readonly string[] }
  | { readonly op: "gap"; readonly channel: string; readonly from: number; readonly to: number; readonly position: Position }
  | { readonly op: "heads"; readonly channels: readonly (readonly [string, number, number])[] }
  | { readonly op: "draining"; readonly reconnect_after_ms: number }
  | { readonly op: "error"; readonly code: string; readonly message: string; readonly channel?: string | null }
  | { readonly op: "pong"; readonly n: number }
  | { readonly op: "typing"; readonly channel: string; readonly user: string; readonly state?: string }
  | { readonly op: "presence"; readonly users: readonly { readonly user: string; readonly state: PresenceState }[] };

/** One frame; null for what is no object with an `op`. */
export function parse(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null && "op" in frame ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
