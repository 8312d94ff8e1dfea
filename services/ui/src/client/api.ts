/* The HTTP api and the services beside it, typed by the generated schemas: adds the token, renews it once when it was refused, throws Problems. */
import createClient from "openapi-fetch";
import type { paths as AnalyticsPaths } from "./analytics.d.ts";
import type { components as wishes, paths as NotificationsPaths } from "./notifications.d.ts";
import type { components, paths } from "./schema.d.ts";
import { Problem } from "./problem.ts";
import { CLIENT_HEADERS, type Session, call } from "./session.ts";

export type Channel = components["schemas"]["Channel"];
export type Member = components["schemas"]["Member"];
export type Message = components["schemas"]["Message"];
export type MessagePage = components["schemas"]["MessagePage"];
export type Ticket = components["schemas"]["Ticket"];

export type Addresses = components["schemas"]["Addresses"];
export type PreferencesDocument = wishes["schemas"]["Preferences"];
export type PreferencesPatch = wishes["schemas"]["PreferencesPatch"];
export type Device = components["schemas"]["Device"];

export type Http = ReturnType<typeof createClient<paths>>;
export type AnalyticsHttp = ReturnType<typeof createClient<AnalyticsPaths>>;
export type NotificationsHttp = ReturnType<typeof createClient<NotificationsPaths>>;

export function createHttp(session: Session, origin: string): Http {
  return createClient<paths>({ baseUrl: origin, fetch: (request) => authorised(session, request, call) });
}

/** The same session speaks to the other services: they check the api's tokens themselves. */
export function createAnalytics(session: Session, address: string): AnalyticsHttp {
  return createClient<AnalyticsPaths>(beside(session, address, "analytics"));
}

export function createNotifications(session: Session, address: string): NotificationsHttp {
  return createClient<NotificationsPaths>(beside(session, address, "notifications"));
}

function beside(session: Session, baseUrl: string, name: string) {
  const send = (request: Request): Promise<Response> => call(request).catch(() => Promise.reject(Problem.away(name)));
  return { baseUrl, fetch: (request: Request) => authorised(session, request, send) };
}

async function authorised(session: Session, request: Request, send: (request: Request) => Promise<Response>): Promise<Response> {
  const again = request.clone();
  const response = await send(signed(request, session.token ?? (await session.refresh())));
  if (response.status !== 401) return response;
  return send(signed(again, await session.refresh()));
}

function signed(request: Request, token: string): Request {
  const headers = new Headers(request.headers);
  headers.set("Authorization", `Bearer ${token}`);
  for (const [name, value] of Object.entries(CLIENT_HEADERS)) headers.set(name, value);
  return new Request(request, { headers });
}

/** The body of a good answer; a Problem is thrown for any other. */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  const seconds = Number(response.headers.get("Retry-After"));
  const document = typeof error === "object" && error !== null ? error : { detail: `The server answered ${response.status}.` };
  throw new Problem(response.status, document, seconds > 0 ? seconds * 1000 : undefined);
}

/** One page of a list that goes on with `next`, read to its end or to `most` items. */
export async function all<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next: string | null }>,
  most = 1_000,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const { items: more, next } = await page(cursor);
    items.push(...more);
    cursor = next ?? undefined;
  } while (cursor !== undefined && items.length < most);
  return items;
}
