/*
 * Messages that are written but not yet acknowledged. Each has its client_id from the first moment and keeps it through
 * every attempt, every reload and every tab, so the api posts it once. Sent in the order of writing, one at a time.
 */
import { fullJitter, pause } from "./backoff.ts";
import { Problem, asProblem } from "./problem.ts";

export interface Draft {
  readonly client_id: string;
  readonly user_id: string;
  readonly channel_id: string;
  readonly body: string;
  readonly written_at: number;
  /** Why the api refused it for good; a person decides what to do. */
  readonly refused?: { readonly detail: string; readonly next_step?: string };
}

/** Where drafts survive: IndexedDB in a browser, memory in tests. */
export interface DraftStore {
  all(userId: string): Promise<Draft[]>;
  put(draft: Draft): Promise<void>;
  remove(clientId: string): Promise<void>;
}

export interface OutboxOptions {
  readonly userId: string;
  readonly store: DraftStore;
  /** Posts a draft; resolves when the message is in the log, now or since an earlier attempt. */
  readonly post: (draft: Draft) => Promise<void>;
  readonly changed: (drafts: readonly Draft[], waiting: boolean) => void;
  /** Other tabs of this browser: tells them to read the store again. */
  readonly announce?: () => void;
  /** Runs `work` while no other tab does the same. */
  readonly alone?: (work: () => Promise<void>) => Promise<void>;
  readonly random?: () => number;
}

export const MOST_DRAFTS = 500;

export class Outbox {
  readonly #options: OutboxOptions;
  #drafts: readonly Draft[] = [];
  #draining = false;
  #again = false;
  #stopped = false;
  #waiting = false;
  #nudge = new AbortController();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get drafts(): readonly Draft[] {
    return this.#drafts;
  }

  /** Take up what an earlier page left. */
  async start(): Promise<void> {
    await this.reload();
    this.flush();
  }

  stop(): void {
    this.#stopped = true;
    this.#nudge.abort();
  }

  /** Keep a message and send it as soon as possible. Resolves when it would survive a reload. */
  async add(channelId: string, body: string): Promise<Draft> {
    if (this.#drafts.length >= MOST_DRAFTS) {
      throw new Problem(0, {
        code: "outbox_full",
        detail: `${MOST_DRAFTS} messages are waiting to be sent.`,
        next_step: "Wait until the connection is back, or discard some.",
      });
    }
    const draft: Draft = {
      client_id: crypto.randomUUID(),
      user_id: this.#options.userId,
      channel_id: channelId,
      body,
      written_at: this.#after(Date.now()),
    };
    this.#show([...this.#drafts, draft]);
    await this.#options.store.put(draft);
    this.#options.announce?.();
    this.flush();
    return draft;
  }

  /** Try a refused message again, under the same client_id. */
  async retry(clientId: string): Promise<void> {
    const draft = this.#drafts.find((each) => each.client_id === clientId);
    if (!draft) return;
    const { refused: _, ...fresh } = draft;
    await this.#replace(fresh);
    this.flush();
  }

  async discard(clientId: string): Promise<void> {
    await this.#remove(clientId);
  }

  /** Send now: the network is back, or something was added. */
  flush(): void {
    this.#nudge.abort();
    if (this.#draining) {
      this.#again = true;
      return;
    }
    this.#draining = true;
    void this.#alone(() => this.#drain()).finally(() => {
      this.#draining = false;
      if (this.#again && !this.#stopped) {
        this.#again = false;
        this.flush();
      }
    });
  }

  /** Read the store again: another tab changed it. */
  async reload(): Promise<void> {
    const drafts = await this.#options.store.all(this.#options.userId);
    this.#show([...drafts].sort((one, other) => one.written_at - other.written_at));
  }

  /** Later than every draft before, so that the order of writing survives a clock of milliseconds. */
  #after(now: number): number {
    const last = this.#drafts.at(-1)?.written_at ?? 0;
    return Math.max(now, last + 0.001);
  }

  #alone(work: () => Promise<void>): Promise<void> {
    return this.#options.alone ? this.#options.alone(work) : work();
  }

  async #drain(): Promise<void> {
    await this.reload();
    for (let attempt = 0; !this.#stopped; ) {
      const next = this.#drafts.find((draft) => draft.refused === undefined);
      if (next === undefined) return;
      const problem = await this.#attempt(next);
      attempt = problem === null ? 0 : attempt + 1;
      if (problem !== null) await this.#wait(problem.retryAfterMs ?? fullJitter(attempt, this.#options.random));
    }
  }

  /** One attempt; answers the problem when it is worth another one. */
  async #attempt(draft: Draft): Promise<Problem | null> {
    try {
      await this.#options.post(draft);
    } catch (error) {
      const problem = asProblem(error);
      if (problem.passes || problem.status === 401) return problem;
      const next = problem.nextStep === undefined ? {} : { next_step: problem.nextStep };
      await this.#replace({ ...draft, refused: { detail: problem.message, ...next } });
      return null;
    }
    await this.#remove(draft.client_id);
    return null;
  }

  async #wait(ms: number): Promise<void> {
    this.#nudge = new AbortController();
    this.#waiting = true;
    this.#show(this.#drafts);
    await pause(ms, this.#nudge.signal);
    this.#waiting = false;
  }

  async #replace(draft: Draft): Promise<void> {
    this.#show(this.#drafts.map((each) => (each.client_id === draft.client_id ? draft : each)));
    await this.#options.store.put(draft);
    this.#options.announce?.();
  }

  async #remove(clientId: string): Promise<void> {
    await this.#options.store.remove(clientId);
    this.#show(this.#drafts.filter((each) => each.client_id !== clientId));
    this.#options.announce?.();
  }

  #show(drafts: readonly Draft[]): void {
    this.#drafts = drafts;
    if (!this.#stopped) this.#options.changed(drafts, this.#waiting);
  }
}
