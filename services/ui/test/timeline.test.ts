import { describe, expect, test } from "vitest";
import type { Message } from "@/client";
import type { EventFrame } from "@/client/frames";
import { CREATED, DELETED, EDITED, MOST_LIVE, type Timeline, append, begin, rows } from "@/client/timeline";

const message = (seq: number, more: Partial<Message> = {}): Message => ({
  id: `m${seq}`, channel_id: "c", seq, epoch: 1, sender_id: "u", client_id: `k${seq}`, body: `body ${seq}`, format: "text", metadata: {},
  reply_to: null, thread_root: null, created_at: "2026-01-01T00:00:00.000Z", edited_at: null, deleted_at: null, ...more,
});
const event = (seq: number, type: string, data: Record<string, unknown>): EventFrame => ({
  op: "event", channel: "c", epoch: 1, seq, type, id: `e${seq}`, time: "2026-01-01T00:00:00.000Z", data,
});
const created = (seq: number): EventFrame => event(seq, CREATED, { id: `m${seq}`, sender_id: "u", client_id: `k${seq}`, body: `body ${seq}` });
let key = 0;
const add = (timeline: Timeline, frame: EventFrame, counts = false): Timeline => append(timeline, frame, (key += 1), counts);
const shown = (timeline: Timeline, history: Message[]) => rows(timeline, history).map((row) => (row.kind === "message" ? `${row.seq} ${row.body}` : row.type));

describe("a timeline", () => {
  test("shows history up to its base and every event above, each once", () => {
    const timeline = add(add(begin({ epoch: 1, seq: 2 }), created(3)), created(4));
    expect(shown(timeline, [message(1), message(2), message(3), message(4)])).toEqual(["1 body 1", "2 body 2", "3 body 3", "4 body 4"]);
  });

  test("shows an event twice when it is given twice: that is what ?dedupe=off makes visible", () => {
    const timeline = add(add(begin({ epoch: 1, seq: 2 }), created(3)), created(3));
    expect(shown(timeline, [])).toEqual(["3 body 3", "3 body 3"]);
    expect(new Set(rows(timeline, []).map((row) => row.key)).size).toBe(2);
  });

  test("edits and deletions change messages of history and of the live feed", () => {
    let timeline = add(begin({ epoch: 1, seq: 1 }), created(2));
    timeline = add(timeline, event(3, EDITED, { id: "m1", body: "better", edited_at: "2026-01-02T00:00:00.000Z" }));
    timeline = add(timeline, event(4, DELETED, { id: "m2", deleted_at: "2026-01-02T00:00:00.000Z" }));
    expect(rows(timeline, [message(1)])).toMatchObject([
      { seq: 1, body: "better", edited: true, deleted: false },
      { seq: 2, body: "", deleted: true },
    ]);
  });

  test("a deletion is final, whatever edit comes after", () => {
    let timeline = add(begin({ epoch: 1, seq: 1 }), event(2, DELETED, { id: "m1", deleted_at: "2026-01-02T00:00:00.000Z" }));
    timeline = add(timeline, event(3, EDITED, { id: "m1", body: "again", edited_at: "2026-01-03T00:00:00.000Z" }));
    expect(rows(timeline, [message(1)])).toMatchObject([{ body: "", deleted: true }]);
  });

  test("counts unread messages, not joins or edits", () => {
    let timeline = add(begin({ epoch: 1, seq: 0 }), created(1), true);
    timeline = add(timeline, event(2, "dev.signalink.member.joined", { user_id: "v", by: "v" }), true);
    timeline = add(timeline, event(3, EDITED, { id: "m1", body: "x", edited_at: "t" }), true);
    expect(timeline.unread).toBe(1);
    expect(shown(timeline, [])).toEqual(["1 x", "dev.signalink.member.joined"]);
  });

  test("is bounded: the older half becomes history again", () => {
    let timeline = begin({ epoch: 1, seq: 0 });
    for (let seq = 1; seq <= MOST_LIVE + 1; seq += 1) timeline = add(timeline, created(seq));
    expect(timeline.base).toEqual({ epoch: 1, seq: MOST_LIVE / 2 });
    expect(timeline.live[0]?.frame.seq).toBe(MOST_LIVE / 2 + 1);
  });
});
