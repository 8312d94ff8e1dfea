import { describe, expect, test } from "vitest";
import { freshnessWords } from "@/features/analytics/model/freshness";
import { distinct, times } from "@/features/analytics/model/counts";
import { classAt, classNames, counted, duration, shareWords } from "@/features/analytics/model/histogram";
import { RANGES, STEP_MS, beginOf, rangeOf } from "@/features/analytics/model/ranges";
import { type Window, described, highest, split, total } from "@/features/analytics/model/windows";

const NOON = Date.parse("2026-03-01T12:00:30Z");
const windows: readonly Window[] = [
  { start: 0, value: 3, complete: true },
  { start: 1, value: 0, complete: true },
  { start: 2, value: 5, complete: true },
  { start: 3, value: 1, complete: false },
];
const messages = (count: number): string => (count === 1 ? "message" : "messages");
const name = (start: number): string => `at ${start}`;

describe("ranges", () => {
  test("end with the window that is going on and begin at a whole window of UTC", () => {
    expect(new Date(beginOf(rangeOf("1h"), NOON)).toISOString()).toBe("2026-03-01T11:01:00.000Z");
    expect(new Date(beginOf(rangeOf("24h"), NOON)).toISOString()).toBe("2026-02-28T13:00:00.000Z");
    expect(new Date(beginOf(rangeOf("30d"), NOON)).toISOString()).toBe("2026-01-31T00:00:00.000Z");
  });

  test("hold as many windows as they say, and never more than one answer carries", () => {
    for (const range of RANGES) {
      const begin = beginOf(range, NOON);
      expect(Math.ceil((NOON - begin) / STEP_MS[range.interval])).toBe(range.windows);
      expect(range.windows).toBeLessThanOrEqual(1_500);
    }
  });

  test("of a moment that is exactly a window's begin contain that window", () => {
    expect(beginOf(rangeOf("1h"), Date.parse("2026-03-01T12:00:00Z"))).toBe(Date.parse("2026-03-01T11:01:00Z"));
  });
});

describe("a series", () => {
  test("shows what is still counting apart, so that it is no drop", () => {
    expect(split(windows)).toEqual({ final: [3, 0, 5, null], counting: [null, null, null, 1] });
  });

  test("has a total that counts every window, and a highest one", () => {
    expect([total(windows), highest(windows)?.start, highest([])]).toEqual([9, 2, null]);
  });

  test("is said in a sentence", () => {
    expect(described(windows, messages, name)).toBe("9 messages; the busiest window, at 2, has 5. The last window is still counting.");
    expect(described(windows.slice(0, 3), messages, name)).toBe("8 messages; the busiest window, at 2, has 5.");
    expect(described([{ start: 0, value: 1, complete: false }], messages, name)).toBe("1 message; the busiest window, at 0, has 1. The last window is still counting.");
    expect(described(windows.slice(1, 2), messages, name)).toBe("No messages in this time.");
    expect(described(windows.map((each) => ({ ...each, complete: false })), messages, name)).toContain("The last 4 windows are still counting.");
  });
});

describe("a histogram", () => {
  const classes = [
    { upTo: 10, count: 2 },
    { upTo: 11, count: 0 },
    { upTo: 50, count: 7 },
    { upTo: null, count: 1 },
  ];

  test("names its classes so that none is left out and none is in two", () => {
    expect(classNames(classes, String, true)).toEqual(["up to 10", "11", "12 to 50", "above 50"]);
    expect(classNames(classes.slice(2), duration, false)).toEqual(["up to 50 s", "above 50 s"]);
    expect(classNames([{ upTo: null, count: 1 }], String, true)).toEqual(["any"]);
  });

  test("knows in which class a share of all lies", () => {
    expect([counted(classes), classAt(classes, 0.2), classAt(classes, 0.5), classAt(classes, 0.95)]).toEqual([10, 0, 2, 3]);
    expect(classAt([{ upTo: 1, count: 0 }], 0.5)).toBeNull();
    expect(classAt(classes, 0)).toBe(0);
  });

  test("says up to which bound a share lies, and when none is known", () => {
    expect([0.2, 0.5, 0.95].map((share) => shareWords(classes, share, String))).toEqual(["up to 10", "up to 50", "above 50"]);
    expect(shareWords([{ upTo: 1, count: 0 }], 0.5, String)).toBeNull();
  });
});

test("durations are said in the unit people would take", () => {
  expect([0.25, 1, 2.54, 60, 90, 3_600, 129_600].map(duration)).toEqual(["250 ms", "1 s", "2.5 s", "1 min", "1.5 min", "1 h", "1.5 d"]);
});

test("an estimate says how far it may be off, and a stretch that is cut that there may be more", () => {
  expect(distinct({ value: 31, exact: true, error: null })).toEqual({ value: "31" });
  expect(distinct({ value: 31, exact: true, error: null }, true).about).toContain("or more");
  expect(distinct({ value: 14_301, exact: false, error: 0.0081 })).toEqual({ value: `≈ ${(14_301).toLocaleString()}`, about: expect.stringContaining("0") });
  expect([times(0), times(1), times(2)]).toEqual(["0 times", "once", "2 times"]);
});

describe("how fresh the figures are", () => {
  const clock = (at: number): string => new Date(at).toISOString().slice(11, 19);

  test("is said first, then what waits and what came too late", () => {
    expect(freshnessWords({ watermark: NOON - 7_400, lag: 0, late: 0 }, NOON, clock)).toEqual(["Counted up to 12:00:22, 7 s ago."]);
    expect(freshnessWords({ watermark: NOON - 90_000, lag: 1, late: 2 }, NOON, clock)).toEqual([
      "Counted up to 11:59:00, 1.5 min ago.",
      "1 record waits to be read.",
      "2 events came too late to be counted.",
    ]);
  });

  test("is not before the first event, and a clock ahead is now", () => {
    expect(freshnessWords({ watermark: null, lag: null, late: 0 }, NOON, clock)).toEqual(["Nothing was counted yet."]);
    expect(freshnessWords({ watermark: NOON + 3_000, lag: null, late: 0 }, NOON, clock)).toEqual(["Counted up to 12:00:33, right now."]);
  });
});
