/*
 * Who is signed in. The access token lives in this object only; the refresh token in a cookie that no script can read
 * and that the api takes only together with the header below.
 */
import type { components } from "./schema.d.ts";
import { Problem } from "./problem.ts";

export type Me = components["schemas"]["Me"];
type Tokens = components["schemas"]["Tokens"];

export const CLIENT_HEADERS = { "X-Signalink-Client": "browser" } as const;
const TIMEOUT_MS = 15_000;
/** A token is replaced when this share of its life is over. */
const RENEW_AT = 0.8;

export type SessionState =
  | { readonly phase: "unknown" }
  | { readonly phase: "unreachable"; readonly problem: Problem }
  | { readonly phase: "out" }
  | { readonly phase: "in"; readonly me: Me };

/** fetch with a bound; no answer is a Problem like any other. */
export async function call(path: string | Request, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(path, { ...init, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw Problem.offline();
  }
}

export class Session {
  #state: SessionState = { phase: "unknown" };
  #token: string | null = null;
  #refreshing: Promise<string> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #changed: (state: SessionState, renewed: boolean) => void;

  /** `changed(state, renewed)`: who is signed in changed, or only their token was replaced (`renewed`). */
  constructor(changed: (state: SessionState, renewed: boolean) => void) {
    this.#changed = changed;
  }

  get state(): SessionState {
    return this.#state;
  }

  get token(): string | null {
    return this.#token;
  }

  /** Find the session of the cookie, if there is one. */
  async restore(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      if (error instanceof Problem && error.passes) this.#become({ phase: "unreachable", problem: error });
    }
  }

  async register(username: string, email: string, password: string, displayName: string): Promise<void> {
    const body = { username, email, password, display_name: displayName };
    await this.#post("/v1/auth/register", body);
    await this.login(username, password);
  }

  async login(name: string, password: string): Promise<void> {
    const who = name.includes("@") ? { email: name } : { username: name };
    const response = await this.#post("/v1/auth/login", { ...who, password });
    this.#take((await response.json()) as Tokens);
  }

  /** A new access token; callers at the same time share one request. A refused refresh token signs out. */
  refresh(): Promise<string> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** Signed out here at once, whatever the network says; the api forgets the session when it hears of it. */
  async logout(): Promise<void> {
    const headers = new Headers(CLIENT_HEADERS);
    if (this.#token !== null) headers.set("Authorization", `Bearer ${this.#token}`);
    const told = call("/v1/auth/logout", { method: "POST", headers });
    this.#leave();
    await told;
  }

  /** The api has ended this session: nothing is left to be said to it. */
  ended(): void {
    this.#leave();
  }

  async #refresh(): Promise<string> {
    const response = await call("/v1/auth/refresh", { method: "POST", headers: CLIENT_HEADERS });
    if (response.ok) return this.#take((await response.json()) as Tokens);
    const problem = await Problem.of(response);
    if (!problem.passes) this.#leave();
    throw problem;
  }

  async #post(path: string, body: unknown): Promise<Response> {
    const headers = { ...CLIENT_HEADERS, "Content-Type": "application/json" };
    const response = await call(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw await Problem.of(response);
    return response;
  }

  #take(tokens: Tokens): string {
    const renewed = this.#state.phase === "in" && this.#state.me.id === tokens.user.id;
    this.#token = tokens.access_token;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh().catch(() => undefined), tokens.expires_in * 1000 * RENEW_AT);
    this.#state = { phase: "in", me: tokens.user };
    this.#changed(this.#state, renewed);
    return tokens.access_token;
  }

  #leave(): void {
    this.#token = null;
    clearTimeout(this.#timer);
    this.#become({ phase: "out" });
  }

  #become(state: SessionState): void {
    this.#state = state;
    this.#changed(state, false);
  }
}
