import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { IndexedDrafts, MemoryDrafts } from "@/client/drafts";
import { type Draft, type DraftStore, MOST_DRAFTS, Outbox } from "@/client/outbox";
import { Problem } from "@/client/problem";

const USER = "u1";
let store: DraftStore;
let posted: string[];
let answers: (Problem | "lost")[];
let shown: readonly Draft[];

async function post(draft: Draft): Promise<void> {
  const problem = answers.shift();
  if (problem instanceof Problem) throw problem;
  posted.push(draft.client_id);
  if (problem === "lost") throw Problem.offline();
}

const outbox = (): Outbox => new Outbox({ userId: USER, store, post, changed: (drafts) => (shown = drafts), random: () => 0 });
const settled = (): Promise<void> => vi.waitFor(() => expect(shown.filter((draft) => !draft.refused)).toEqual([]));

beforeEach(() => {
  store = new MemoryDrafts();
  posted = [];
  answers = [];
  shown = [];
});

afterEach(() => vi.useRealTimers());

describe("the outbox", () => {
  test("sends in the order of writing, one at a time", async () => {
    const box = outbox();
    const drafts = [await box.add("c", "one"), await box.add("c", "two"), await box.add("c", "three")];
    await settled();
    expect(posted).toEqual(drafts.map((draft) => draft.client_id));
    expect(await store.all(USER)).toEqual([]);
  });

  test("repeats a lost answer with the same client_id", async () => {
    answers = ["lost", "lost"];
    const draft = await outbox().add("c", "hello");
    await settled();
    expect(posted).toEqual([draft.client_id, draft.client_id, draft.client_id]);
  });

  test("keeps what a closed page wrote, for the next page", async () => {
    answers = Array.from({ length: 50 }, () => Problem.offline());
    const first = outbox();
    const draft = await first.add("c", "written offline");
    first.stop();
    answers = [];
    posted = [];
    const second = outbox();
    await second.start();
    await settled();
    expect(posted).toEqual([draft.client_id]);
  });

  test("leaves the messages of another user alone", async () => {
    await store.put({ client_id: "x", user_id: "somebody else", channel_id: "c", body: "b", written_at: 1 });
    await outbox().start();
    await vi.waitFor(() => expect(shown).toEqual([]));
    expect(posted).toEqual([]);
  });

  test("a refused message says why, holds up nobody, and is tried again under the same client_id", async () => {
    answers = [new Problem(403, { code: "muted", detail: "You are muted.", next_step: "wait" })];
    const box = outbox();
    const refused = await box.add("c", "one");
    await box.add("c", "two");
    await settled();
    expect(shown).toMatchObject([{ client_id: refused.client_id, refused: { detail: "You are muted.", next_step: "wait" } }]);
    await box.retry(refused.client_id);
    await vi.waitFor(() => expect(shown).toEqual([]));
    expect(posted.at(-1)).toBe(refused.client_id);
  });

  test("a discarded message is gone from the store", async () => {
    answers = [new Problem(409, { code: "archived", detail: "No." })];
    const box = outbox();
    const { client_id } = await box.add("c", "one");
    await settled();
    await box.discard(client_id);
    expect(await store.all(USER)).toEqual([]);
  });

  test("waits as long as the api asks for", async () => {
    vi.useFakeTimers();
    answers = [new Problem(429, { code: "rate_limited" }, 5_000)];
    await outbox().add("c", "one");
    await vi.advanceTimersByTimeAsync(4_900);
    expect(posted).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(posted).toHaveLength(1);
  });

  test("is bounded, and says so", async () => {
    answers = Array.from({ length: 10 * MOST_DRAFTS }, () => new Problem(429, {}, 60_000));
    const box = outbox();
    for (let number = 0; number < MOST_DRAFTS; number += 1) await box.add("c", "one");
    await expect(box.add("c", "one too many")).rejects.toMatchObject({ code: "outbox_full" });
    box.stop();
  });
});

describe.each([
  ["IndexedDB", () => new IndexedDrafts()],
  ["memory", () => new MemoryDrafts()],
])("drafts in %s", (_, make) => {
  test("are kept, replaced and removed by client_id", async () => {
    const drafts = make();
    const draft: Draft = { client_id: "k", user_id: USER, channel_id: "c", body: "one", written_at: 1 };
    await drafts.put(draft);
    await drafts.put({ ...draft, body: "two" });
    await drafts.put({ ...draft, client_id: "other", user_id: "v" });
    expect(await drafts.all(USER)).toEqual([{ ...draft, body: "two" }]);
    await drafts.remove("k");
    expect(await drafts.all(USER)).toEqual([]);
    expect(await drafts.all("v")).toHaveLength(1);
    await drafts.remove("other");
  });
});
