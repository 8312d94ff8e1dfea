import { expect, test } from "vitest";
import { type Place, pathOf, placeOf } from "@/lib/router";

const CHANNEL = "019a0000-0000-7000-8000-000000000001";

test("every place has an address that leads back to it", () => {
  const places: Place[] = [
    { at: "home" },
    { at: "channel", channel: CHANNEL },
    { at: "settings" },
    { at: "analytics", channel: null },
    { at: "analytics", channel: CHANNEL },
  ];
  expect(places.map((place) => placeOf(pathOf(place)))).toEqual(places);
});

test("an address that names nothing is home", () => {
  for (const path of ["/nowhere", "/c/", "/c/7", `/c/${CHANNEL}/more`, "/settings/x", `/analytics/${CHANNEL}`, "/c/" + "-".repeat(36)]) {
    expect(placeOf(path)).toEqual({ at: "home" });
  }
});
