import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Channel, Http, Me, Session } from "@/client";
import { Messenger, rows } from "@/client";
import { MemoryDrafts } from "@/client/drafts";
import { FakeSocket } from "./fakes";

const CHANNEL = { id: "c1", epoch: 1, last_seq: 4 } as Channel;
const me = { id: "me" } as Me;
let changed: string[];

function http(): Http {
  const answer = { data: { ticket: "t", url: "ws://g", expires_in: 30 }, response: new Response(null, { status: 201 }) };
  return { POST: () => Promise.resolve(answer) } as unknown as Http;
}

async function online(dedupe = true): Promise<Messenger> {
  const messenger = new Messenger({
    http: http(),
    session: { token: "jwt", refresh: () => Promise.resolve("jwt") } as unknown as Session,
    me,
    dedupe,
    onChanged: (what) => changed.push(what),
    drafts: new MemoryDrafts(),
    connect: (url, protocols) => new FakeSocket(url, protocols) as unknown as WebSocket,
  });
  messenger.start();
  messenger.follow([CHANNEL], () => 0);
  await vi.advanceTimersByTimeAsync(1);
  FakeSocket.last.welcome();
  return messenger;
}

const timeline = (messenger: Messenger) => {
  const found = messenger.store.get().timelines.get(CHANNEL.id);
  if (!found) throw new Error("the channel is not followed");
  return found;
};
const seqs = (messenger: Messenger) => rows(timeline(messenger), []).map((row) => row.seq);

beforeEach(() => {
  vi.useFakeTimers();
  const target = { addEventListener: () => undefined, removeEventListener: () => undefined, visibilityState: "visible" };
  vi.stubGlobal("WebSocket", { OPEN: 1 });
  vi.stubGlobal("window", target);
  vi.stubGlobal("document", target);
  vi.stubGlobal("BroadcastChannel", undefined);
  FakeSocket.all = [];
  changed = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the messenger", () => {
  test("shows a duplicate once, and twice when its own de-duplication is off", async () => {
    const usual = await online();
    FakeSocket.last.event("c1", 5);
    FakeSocket.last.event("c1", 5);
    expect(seqs(usual)).toEqual([5]);
    const open = await online(false);
    FakeSocket.last.event("c1", 5);
    FakeSocket.last.event("c1", 5);
    expect(seqs(open)).toEqual([5, 5]);
  });

  test("says that something is missing until it is there, and shows nothing from beyond the hole", async () => {
    const messenger = await online();
    FakeSocket.last.event("c1", 7);
    expect(timeline(messenger).trouble).toEqual({ kind: "hole", from: 5, to: 7 });
    expect(seqs(messenger)).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    FakeSocket.last.welcome();
    for (const seq of [5, 6, 7]) FakeSocket.last.event("c1", seq);
    expect(timeline(messenger).trouble).toBeNull();
    expect(seqs(messenger)).toEqual([5, 6, 7]);
  });

  test("loads a channel anew after a gap, and says so until somebody has read it", async () => {
    const messenger = await online();
    FakeSocket.last.event("c1", 5);
    FakeSocket.last.frame({ op: "gap", channel: "c1", from: 6, to: 90, position: { epoch: 2, seq: 90 } });
    expect(timeline(messenger)).toMatchObject({ base: { epoch: 2, seq: 90 }, live: [], trouble: { kind: "gap", from: 6, to: 90 } });
    FakeSocket.last.event("c1", 91, 2);
    expect(seqs(messenger)).toEqual([91]);
    expect(timeline(messenger).trouble).not.toBeNull();
    messenger.dismiss("c1");
    expect(timeline(messenger).trouble).toBeNull();
  });

  test("counts what comes while another channel is on the screen", async () => {
    const messenger = await online();
    FakeSocket.last.event("c1", 5);
    expect(timeline(messenger).unread).toBe(1);
    messenger.show("c1");
    FakeSocket.last.event("c1", 6);
    expect(timeline(messenger).unread).toBe(0);
  });

  test("shows presence and typing once frames say so, and forgets both with the connection", async () => {
    const messenger = await online();
    FakeSocket.last.frame({ op: "presence", users: [{ user: "u", state: "online" }] });
    FakeSocket.last.frame({ op: "typing", channel: "c1", user: "u", state: "started" });
    expect(messenger.store.get().people.get("u")).toBe("online");
    expect(messenger.store.get().typing.get("c1")?.has("u")).toBe(true);
    FakeSocket.last.drop(1006);
    await vi.advanceTimersByTimeAsync(1);
    expect(messenger.store.get().people.size + messenger.store.get().typing.size).toBe(0);
  });

  test("tells the cache when members or the own channels changed", async () => {
    await online();
    const member = { op: "event", channel: "c1", epoch: 1, id: "e", time: "2026-01-01T00:00:00.000Z" };
    FakeSocket.last.frame({ ...member, seq: 5, type: "dev.signalink.member.joined", data: { user_id: "u", by: "u" } });
    FakeSocket.last.frame({ ...member, seq: 6, type: "dev.signalink.member.removed", data: { user_id: "me", by: "u" } });
    expect(changed).toEqual(["members", "members", "channels"]);
  });

  test("forgets channels that it is no longer to follow", async () => {
    const messenger = await online();
    messenger.follow([], () => 0);
    expect(messenger.store.get().timelines.size).toBe(0);
    expect(FakeSocket.last.said("unsubscribe")).toEqual([{ op: "unsubscribe", channels: ["c1"] }]);
  });
});
