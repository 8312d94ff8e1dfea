import { describe, expect, test } from "vitest";
import { ofDocument, patchOf } from "@/features/settings/api/documents";
import { MUTES, muteOf, untilOf } from "@/features/settings/model/mutes";
import { type Change, type Preferences, applied, minutesWords, quietWords, shown, withKeyword } from "@/features/settings/model/preferences";
import { type Delivery, toldWords } from "@/features/settings/model/told";

const ON = { email: true, push: true, webhook: true };
const SAVED: Preferences = {
  choices: { mention: ON, direct: ON, reply: ON, keyword: ON },
  quiet: null,
  timeZone: "UTC",
  digestMinutes: null,
  defaultDigest: 15,
  keywords: ["engine"],
  email: true,
  webhook: null,
};
const NOON = Date.parse("2026-03-01T12:00:00Z");

describe("what is shown of preferences", () => {
  test("is what is saved with every change that is on its way, in their order", () => {
    const changes: Change[] = [
      { what: "choice", kind: "reply", way: "email", on: false },
      { what: "quiet", quiet: { begin: "22:00", end: "07:00" }, timeZone: "Europe/Berlin" },
      { what: "choice", kind: "reply", way: "email", on: true },
      { what: "choice", kind: "mention", way: "push", on: false },
      { what: "digest", minutes: 60 },
    ];
    expect(shown(SAVED, changes)).toEqual({
      ...SAVED,
      choices: { ...SAVED.choices, reply: ON, mention: { ...ON, push: false } },
      quiet: { begin: "22:00", end: "07:00" },
      timeZone: "Europe/Berlin",
      digestMinutes: 60,
    });
  });

  test("is what is saved again once a change was refused", () => {
    const refused: Change = { what: "keywords", keywords: ["x"] };
    const other: Change = { what: "choice", kind: "direct", way: "webhook", on: false };
    expect(shown(SAVED, [refused, other]).keywords).toEqual(["x"]);
    expect(shown(SAVED, [other])).toEqual(applied(SAVED, other));
    expect(shown(SAVED, [])).toEqual(SAVED);
  });

  test("has no mail while that is on its way", () => {
    expect(shown(SAVED, [{ what: "email", on: false }]).email).toBe(false);
    expect(shown(SAVED, [{ what: "email", on: false }, { what: "email", on: true }]).email).toBe(true);
  });
});

test("quiet hours over midnight end the next day", () => {
  expect(quietWords({ begin: "22:00", end: "07:00" }, String)).toBe("from 22:00 until 07:00 the next day");
  expect(quietWords({ begin: "12:30", end: "13:30" }, String)).toBe("from 12:30 until 13:30");
});

test("a keyword is added once, whatever its case and spaces", () => {
  expect(withKeyword(["engine"], "  carry   mechanism ")).toEqual(["engine", "carry mechanism"]);
  for (const nothing of ["", "   ", "Engine", " ENGINE "]) expect(withKeyword(SAVED.keywords, nothing)).toBe(SAVED.keywords);
});

test("a mute ends, or never does", () => {
  expect(MUTES.map(({ key }) => untilOf(key, NOON))).toEqual(["2026-03-01T13:00:00.000Z", "2026-03-02T12:00:00.000Z", "2026-03-08T12:00:00.000Z", null]);
  const mutes = [
    { channel: "over", until: "2026-03-01T12:00:00.000Z" },
    { channel: "on", until: "2026-03-01T12:00:00.001Z" },
    { channel: "good", until: null },
  ];
  expect(["over", "on", "good", "other"].map((channel) => muteOf(mutes, channel, NOON)?.channel)).toEqual([undefined, "on", "good", undefined]);
});

test("minutes are said as people say them", () => {
  expect([0, 1, 5, 60, 90, 240, 1440].map(minutesWords)).toEqual(["each by itself", "a minute", "5 minutes", "an hour", "90 minutes", "4 hours", "a day"]);
});

test("what became of a notification is said for each of its ways", () => {
  const delivery = { channel: "email", state: "sent", reason: null, error: null, attempts: 1 } as const;
  expect(toldWords(["email", "push"], [delivery])).toBe("E-mail: sent · Push: on its way");
  const words = (part: Partial<Delivery>): string => toldWords(["email"], [{ ...delivery, ...part }]).slice("E-mail: ".length);
  expect(words({ state: "skipped", reason: "no_target" })).toBe("not sent, there was no address for it");
  expect(words({ state: "skipped", reason: "something_new" })).toBe("not sent, something new");
  expect(words({ state: "failed", error: "connection_refused", attempts: 5 })).toBe("failed after 5 attempts (connection refused)");
  expect(words({ state: "failed", attempts: 1 })).toBe("failed after 1 attempt");
  expect(words({ state: "pending", reason: "quiet" })).toBe("waits for the end of quiet hours");
  expect(words({ state: "pending", error: "timeout" })).toBe("tried again soon (timeout)");
});

describe("the service's document", () => {
  const document = {
    time_zone: "Europe/Berlin",
    quiet_hours: { begin: "22:00", end: "07:00" },
    digest_minutes: 0,
    default_digest_minutes: 15,
    keywords: ["engine"],
    email: false,
    webhook: { url: "https://example.org/hook", set_at: "2026-01-01T00:00:00.000Z" },
    choices: [{ kind: "reply" as const, channel: "email" as const, enabled: false }],
  };

  test("is read whole; a choice it does not name is on, as it is by default", () => {
    expect(ofDocument(document)).toEqual({
      choices: { ...SAVED.choices, reply: { ...ON, email: false } },
      quiet: { begin: "22:00", end: "07:00" },
      timeZone: "Europe/Berlin",
      digestMinutes: 0,
      defaultDigest: 15,
      keywords: ["engine"],
      email: false,
      webhook: { url: "https://example.org/hook", setAt: "2026-01-01T00:00:00.000Z" },
    });
  });

  test("is changed where somebody changed something, and nowhere else", () => {
    expect(patchOf({ what: "quiet", quiet: null, timeZone: "UTC" })).toEqual({ quiet_hours: null, time_zone: "UTC" });
    expect(patchOf({ what: "digest", minutes: null })).toEqual({ digest_minutes: null });
    expect(patchOf({ what: "keywords", keywords: ["a b"] })).toEqual({ keywords: ["a b"] });
    expect(patchOf({ what: "email", on: true })).toEqual({ email: true });
  });
});
