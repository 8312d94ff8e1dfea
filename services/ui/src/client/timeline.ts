/*
 * What a channel shows: history up to `base` (from the api, as it is now) and every event above it (from the socket, in
 * order). The two never overlap, so each message is there once without comparing anything. Pure.
 */
import type { Message } from "./api.ts";
import type { EventFrame, Position } from "./frames.ts";

export const CREATED = "dev.signalink.message.created";
export const EDITED = "dev.signalink.message.edited";
export const DELETED = "dev.signalink.message.deleted";
/** Live events kept per channel; above, the older half becomes history again. */
export const MOST_LIVE = 2_000;

/** Events that are missing: `hole` is being read again, `gap` is gone from the log and was loaded as history. */
export interface Trouble {
  readonly kind: "hole" | "gap";
  readonly from: number;
  readonly to: number;
}

interface Change {
  readonly body: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
}

export interface Timeline {
  readonly base: Position;
  readonly live: readonly { readonly key: number; readonly frame: EventFrame }[];
  readonly changes: ReadonlyMap<string, Change>;
  readonly unread: number;
  readonly trouble: Trouble | null;
}

export interface MessageRow {
  readonly kind: "message";
  readonly key: string;
  readonly seq: number;
  readonly epoch: number;
  readonly id: string;
  readonly sender: string;
  readonly clientId: string;
  readonly body: string;
  readonly at: string;
  readonly edited: boolean;
  readonly deleted: boolean;
}

export interface NoticeRow {
  readonly kind: "notice";
  readonly key: string;
  readonly seq: number;
  readonly epoch: number;
  readonly at: string;
  readonly type: string;
  readonly user: string;
  readonly by: string;
}

export type Row = MessageRow | NoticeRow;

export function begin(base: Position, unread = 0): Timeline {
  return { base, live: [], changes: new Map(), unread, trouble: null };
}

/** Add one event. `key` tells arrivals apart, also two of the same seq. */
export function append(timeline: Timeline, frame: EventFrame, key: number, counts: boolean): Timeline {
  const unread = timeline.unread + (counts && frame.type === CREATED ? 1 : 0);
  if (frame.type === EDITED || frame.type === DELETED) {
    return { ...timeline, unread, changes: changed(timeline.changes, frame) };
  }
  return trimmed({ ...timeline, unread, live: [...timeline.live, { key, frame }] });
}

function changed(changes: Timeline["changes"], { type, data }: EventFrame): Timeline["changes"] {
  const id = String(data["id"]);
  const known = changes.get(id);
  const change: Change =
    type === DELETED
      ? { body: "", edited_at: known?.edited_at ?? null, deleted_at: String(data["deleted_at"]) }
      : { body: String(data["body"] ?? ""), edited_at: String(data["edited_at"]), deleted_at: known?.deleted_at ?? null };
  return new Map(changes).set(id, change);
}

function trimmed(timeline: Timeline): Timeline {
  if (timeline.live.length <= MOST_LIVE) return timeline;
  const dropped = timeline.live.slice(0, MOST_LIVE / 2);
  const last = dropped.at(-1)?.frame;
  if (last === undefined) return timeline;
  return { ...timeline, live: timeline.live.slice(MOST_LIVE / 2), base: { epoch: last.epoch, seq: last.seq } };
}

/** What is shown, by seq: history (ascending, at most up to `base`) and then the live events. */
export function rows(timeline: Timeline, history: readonly Message[]): Row[] {
  const found: Row[] = history.filter((message) => message.seq <= timeline.base.seq).map((message) => ofMessage(message));
  for (const { key, frame } of timeline.live) {
    const row = ofEvent(frame, key);
    if (row !== null) found.push(row);
  }
  return found.map((row) => (row.kind === "message" ? withChange(row, timeline.changes.get(row.id)) : row));
}

function ofMessage(message: Message): MessageRow {
  return {
    kind: "message",
    key: `h${message.epoch}.${message.seq}`,
    seq: message.seq,
    epoch: message.epoch,
    id: message.id,
    sender: message.sender_id,
    clientId: message.client_id,
    body: message.body,
    at: message.created_at,
    edited: message.edited_at !== null,
    deleted: message.deleted_at !== null,
  };
}

function ofEvent(frame: EventFrame, key: number): Row | null {
  const { seq, epoch, data, type, time } = frame;
  if (type === CREATED) {
    return {
      kind: "message",
      key: `e${key}`,
      seq,
      epoch,
      id: String(data["id"]),
      sender: String(data["sender_id"]),
      clientId: String(data["client_id"]),
      body: String(data["body"] ?? ""),
      at: time,
      edited: false,
      deleted: false,
    };
  }
  const user = String(data["user_id"] ?? data["by"] ?? "");
  return { kind: "notice", key: `e${key}`, seq, epoch, at: time, type, user, by: String(data["by"] ?? user) };
}

function withChange(row: MessageRow, change: Change | undefined): MessageRow {
  if (change === undefined) return row;
  const deleted = row.deleted || change.deleted_at !== null;
  return { ...row, deleted, body: deleted ? "" : change.body, edited: row.edited || change.edited_at !== null };
}
