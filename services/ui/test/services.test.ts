import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Problem, Session, answer, createAnalytics, createNotifications } from "@/client";

const tokens = (access_token: string) => ({ access_token, expires_in: 600, user: { id: "me" } });
let asked: Request[];
let answers: (request: Request) => Response;

/** The network: paths of the page's own origin are the api's. */
function network(input: string | Request, init: RequestInit = {}): Promise<Response> {
  const request = typeof input === "string" ? new Request(new URL(input, "http://api.test"), init) : new Request(input, init);
  asked.push(request);
  return Promise.resolve(answers(request));
}

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const to = (host: string): Request[] => asked.filter((request) => new URL(request.url).host === host);

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal("fetch", network);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a service beside the api", () => {
  test("is asked at its own address, with the token of the session", async () => {
    answers = (request) => (request.url.endsWith("/refresh") ? json(tokens("one")) : json({ items: [] }));
    const http = createNotifications(new Session(() => undefined), "http://notifications.test:8004");
    await answer(http.GET("/v1/mutes"));
    const [request] = to("notifications.test:8004");
    expect(request?.url).toBe("http://notifications.test:8004/v1/mutes");
    expect(request?.headers.get("Authorization")).toBe("Bearer one");
    expect(request?.credentials).toBe("same-origin");
  });

  test("is not blamed when the session cannot be renewed", async () => {
    answers = () => {
      throw new TypeError("Failed to fetch");
    };
    const http = createNotifications(new Session(() => undefined), "http://notifications.test");
    await expect(answer(http.GET("/v1/mutes"))).rejects.toMatchObject({ message: "Signalink cannot be reached." });
    expect(to("notifications.test")).toEqual([]);
  });

  test("that refuses an old token is asked again with a new one, once", async () => {
    let made = 0;
    answers = (request) => {
      if (request.url.endsWith("/refresh")) return json(tokens(`token ${++made}`));
      return request.headers.get("Authorization") === "Bearer token 2" ? json({ ok: true }) : json({ code: "unauthorised" }, 401);
    };
    const http = createAnalytics(new Session(() => undefined), "http://analytics.test");
    await answer(http.GET("/v1/analytics/freshness"));
    expect(to("analytics.test").map((request) => request.headers.get("Authorization"))).toEqual(["Bearer token 1", "Bearer token 2"]);
  });

  test("that cannot be reached, or refuses a field, is a problem in words", async () => {
    answers = (request) => {
      if (request.url.endsWith("/refresh")) return json(tokens("one"));
      if (request.method === "GET") throw new TypeError("Failed to fetch");
      return json({ detail: "Not valid.", code: "validation", errors: [{ field: "body.time_zone", message: "Must be an IANA time zone", kind: "time_zone" }] }, 422);
    };
    const http = createNotifications(new Session(() => undefined), "http://notifications.test");
    await expect(answer(http.GET("/v1/preferences"))).rejects.toMatchObject({
      code: "offline",
      passes: true,
      message: "The notifications service cannot be reached.",
    });
    const refused = await answer(http.PATCH("/v1/preferences", { body: { time_zone: "Nowhere" } })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect((refused as Problem).fields).toEqual([{ field: "time_zone", message: "Must be an IANA time zone" }]);
  });
});
