import { expect, test } from "vitest";
import { expired, noticed, typed } from "@/client/presence";
import { Problem } from "@/client/problem";
import { initials, listed, slugOf } from "@/lib/words";

test("a name becomes an address that the api takes", () => {
  expect(slugOf("Engine notes № 7!")).toBe("engine-notes-no-7");
  expect(slugOf("  Über uns  ")).toBe("uber-uns");
  expect(slugOf("日本")).toBe("");
  expect(slugOf("x".repeat(300))).toHaveLength(100);
});

test("names are listed and shortened as people say them", () => {
  expect([listed(["A"]), listed(["A", "B"]), listed(["A", "B", "C", "D"])]).toEqual(["A", "A and B", "A, B and 2 others"]);
  expect([initials("Ada Lovelace"), initials("grace"), initials("")]).toEqual(["AL", "GR", "?"]);
});

test("typing ends by itself, and when it is said to", () => {
  const typing = typed(new Map(), "c", "u", undefined, 1_000);
  expect(expired(typing, 6_999)).toBe(typing);
  expect(expired(typing, 7_000).get("c")?.size).toBe(0);
  expect(typed(typing, "c", "u", "stopped", 2_000).get("c")?.size).toBe(0);
});

test("presence keeps the last word about each user", () => {
  const people = noticed(new Map(), [{ user: "u", state: "online" }]);
  expect(noticed(people, [{ user: "u", state: "away" }]).get("u")).toBe("away");
});

test("a problem says what and what next, field by field, and whether trying again helps", async () => {
  const body = { detail: "Not valid.", code: "validation", next_step: "correct it", errors: [{ field: "body.slug", message: "taken", kind: "x" }] };
  const problem = await Problem.of(new Response(JSON.stringify(body), { status: 422 }));
  expect(problem).toMatchObject({ message: "Not valid.", nextStep: "correct it", fields: [{ field: "slug", message: "taken" }], passes: false });
  const busy = await Problem.of(new Response("<html>", { status: 503, headers: { "Retry-After": "2" } }));
  expect(busy).toMatchObject({ passes: true, retryAfterMs: 2_000 });
  expect(Problem.offline().passes).toBe(true);
});
