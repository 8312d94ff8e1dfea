import { describe, expect, test } from "vitest";
import { Positions } from "@/client/positions";

const at = (seq: number, epoch = 1) => ({ epoch, seq });

describe("positions", () => {
  test("the next seq is fresh, an old one a duplicate, a later one beyond a hole", () => {
    const positions = new Positions();
    positions.follow("a", at(4));
    expect(positions.arrive("a", at(5))).toBe("fresh");
    expect(positions.arrive("a", at(5))).toBe("duplicate");
    expect(positions.arrive("a", at(4))).toBe("duplicate");
    expect(positions.arrive("a", at(7))).toBe("hole");
    expect(positions.at("a")).toEqual(at(5));
    expect(positions.arrive("a", at(6))).toBe("fresh");
  });

  test("a channel that is not followed is foreign", () => {
    expect(new Positions().arrive("a", at(1))).toBe("foreign");
  });

  test("skipped ranges are no holes", () => {
    const positions = new Positions();
    positions.follow("a", at(0));
    positions.begin("a", at(2), [
      { from: 3, to: 4 },
      { from: 6, to: 9 },
    ]);
    expect(positions.behind("a", at(4))).toBe(false);
    expect(positions.arrive("a", at(5))).toBe("fresh");
    expect(positions.arrive("a", at(10))).toBe("fresh");
    expect(positions.arrive("a", at(12))).toBe("hole");
  });

  test("a greater epoch goes on with any seq, a lesser one is old", () => {
    const positions = new Positions();
    positions.follow("a", at(9));
    expect(positions.arrive("a", at(3, 2))).toBe("fresh");
    expect(positions.arrive("a", at(10, 1))).toBe("duplicate");
    expect(positions.wanted()).toEqual([["a", at(3, 2)]]);
  });
});
