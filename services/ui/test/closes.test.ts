import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { advice, explanation } from "@/client/closes";

/** The table of docs/api/close-codes.md: code -> what the client should do. */
const table = await readFile(new URL("../../../docs/api/close-codes.md", import.meta.url), "utf8");
const rows = [...table.matchAll(/^\| (\d{4}) \|.*\| ([^|]+) \|$/gm)].map(
  ([, code, should]) => [Number(code), should] as const,
);
const words = { backoff: "reconnect with backoff", renew: "get new credentials, then reconnect", stop: "do not reconnect" };

test("the table of close codes was found", () => {
  expect(rows.length).toBeGreaterThanOrEqual(15);
});

test.each(rows.filter(([code]) => code !== 1000))("code %i is followed as the table says", (code, should) => {
  expect(words[advice(code)]).toBe(should);
});

test("a lost connection and a code of tomorrow are worth another try", () => {
  expect([1006, 1001, 4050, 4999].map(advice)).toEqual(["backoff", "backoff", "backoff", "backoff"]);
});

test("whoever is turned away for good is told why and what to do", () => {
  for (const code of [4400, 4401, 4403, 4409, 4410, 1008]) expect(explanation(code)).toMatch(/\. .+\.$/);
});
