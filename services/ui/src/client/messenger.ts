/*
 * One signed-in person: the socket, the outbox, what their channels show and who is around, as one value to watch.
 * It decides nothing about looks and keeps no HTTP cache; `onChanged` tells the cache what is old.
 */
import { type Channel, type Http, answer } from "./api.ts";
import { IndexedDrafts } from "./drafts.ts";
import type { EventFrame, ServerFrame } from "./frames.ts";
import { type Draft, type DraftStore, Outbox } from "./outbox.ts";
import type { Arrival } from "./positions.ts";
import { type People, TYPING_EVERY_MS, type Typing, expired, noticed, typed } from "./presence.ts";
import { Problem, asProblem } from "./problem.ts";
import type { Me, Session } from "./session.ts";
import { type Credentials, Refusal, SocketClient, type SocketOptions, type SocketState } from "./socket.ts";
import { Store } from "./store.ts";
import { CREATED, type Timeline, append, begin } from "./timeline.ts";

export interface Messages {
  readonly socket: SocketState;
  readonly timelines: ReadonlyMap<string, Timeline>;
  readonly drafts: readonly Draft[];
  /** The outbox waits before another attempt. */
  readonly waiting: boolean;
  readonly people: People;
  readonly typing: Typing;
}

export type Changed = "members" | "channels";

export interface MessengerOptions {
  readonly http: Http;
  readonly session: Session;
  readonly me: Me;
  /** False: show what the gateway sends, duplicates too (`?dedupe=off`), to prove that it sends each event once. */
  readonly dedupe: boolean;
  readonly onChanged: (what: Changed, channel: string) => void;
  readonly drafts?: DraftStore;
  readonly connect?: SocketOptions["connect"];
}

const UNAUTHORISED = 4401;
const TYPING_CHECK_MS = 1_000;

export class Messenger {
  readonly store = new Store<Messages>({
    socket: { phase: "idle" },
    timelines: new Map(),
    drafts: [],
    waiting: false,
    people: new Map(),
    typing: new Map(),
  });
  readonly #options: MessengerOptions;
  readonly #socket: SocketClient;
  readonly #outbox: Outbox;
  readonly #tabs: BroadcastChannel | null;
  readonly #cleanups: (() => void)[] = [];
  readonly #lastTyped = new Map<string, number>();
  #url: string | null = null;
  #arrivals = 0;
  #open: string | null = null;
  #watched: readonly string[] = [];

  constructor(options: MessengerOptions) {
    this.#options = options;
    this.#tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(`signalink.outbox.${options.me.id}`);
    this.#socket = new SocketClient({
      credentials: (renew) => this.#credentials(renew),
      ...(options.connect ? { connect: options.connect } : {}),
      handlers: {
        onEvent: (frame, arrival) => this.#onEvent(frame, arrival),
        onFrame: (frame) => this.#onFrame(frame),
        onState: (socket) => this.#onState(socket),
        onHole: (channel, at, seen) =>
          this.#update(channel, (timeline) => ({ ...timeline, trouble: { kind: "hole", from: at.seq + 1, to: seen.seq } })),
        onWhole: (channel) => this.#update(channel, (timeline) => ({ ...timeline, trouble: null })),
      },
    });
    this.#outbox = new Outbox({
      userId: options.me.id,
      store: options.drafts ?? new IndexedDrafts(),
      post: (draft) => this.#post(draft),
      changed: (drafts, waiting) => this.store.set({ drafts, waiting }),
      announce: () => this.#tabs?.postMessage("changed"),
      alone: (work) => alone(`signalink.outbox.${options.me.id}`, work),
    });
  }

  start(): void {
    this.#socket.start();
    void this.#outbox.start();
    if (this.#tabs) this.#tabs.onmessage = () => void this.#outbox.reload();
    const timer = setInterval(() => this.#expire(), TYPING_CHECK_MS);
    this.#cleanups.push(() => clearInterval(timer), ...this.#watchBrowser());
  }

  stop(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.#socket.stop();
    this.#outbox.stop();
    this.#tabs?.close();
  }

  /** Follow exactly these channels: new ones from where they stand, others no longer. */
  follow(channels: readonly Channel[], unread: (channel: Channel) => number): void {
    const wanted = new Set(channels.map((channel) => channel.id));
    const timelines = new Map(this.store.get().timelines);
    for (const id of [...timelines.keys()].filter((each) => !wanted.has(each))) {
      timelines.delete(id);
      this.#socket.unfollow(id);
    }
    for (const channel of channels.filter((each) => !timelines.has(each.id))) {
      const position = { epoch: channel.epoch, seq: channel.last_seq };
      timelines.set(channel.id, begin(position, unread(channel)));
      this.#socket.follow(channel.id, position);
    }
    this.store.set({ timelines });
  }

  /** This channel is on the screen: what comes is read. */
  show(channel: string | null): void {
    this.#open = channel;
    if (channel !== null) this.read(channel);
  }

  read(channel: string): void {
    if (this.store.get().timelines.get(channel)?.unread) this.#update(channel, (timeline) => ({ ...timeline, unread: 0 }));
  }

  /** Where a channel stands. */
  position(channel: string): number {
    return this.#socket.position(channel)?.seq ?? 0;
  }

  dismiss(channel: string): void {
    this.#update(channel, (timeline) => ({ ...timeline, trouble: null }));
  }

  async send(channel: string, body: string): Promise<void> {
    await this.#outbox.add(channel, body);
    this.#lastTyped.delete(channel);
  }

  retry(clientId: string): Promise<void> {
    return this.#outbox.retry(clientId);
  }

  discard(clientId: string): Promise<void> {
    return this.#outbox.discard(clientId);
  }

  /** Try the connection and the outbox now. */
  nudge(): void {
    this.#socket.nudge();
    this.#outbox.flush();
  }

  /** The token was replaced: give the open socket new credentials, so that it need not close. */
  async renewed(): Promise<void> {
    if (this.store.get().socket.phase !== "online") return;
    try {
      const { ticket } = await answer(this.#options.http.POST("/v1/ws-tickets"));
      this.#socket.renew(ticket);
    } catch {
      // The gateway closes the socket when its token is over (4100), and the reconnect renews it.
    }
  }

  /** Somebody writes here; told at most every 3 s. */
  typing(channel: string): void {
    const now = Date.now();
    if (now - (this.#lastTyped.get(channel) ?? 0) < TYPING_EVERY_MS) return;
    this.#lastTyped.set(channel, now);
    this.#socket.hint({ op: "typing", channel });
  }

  /** Whose presence the screen shows. */
  watch(users: readonly string[]): void {
    this.#watched = users;
    if (users.length > 0) this.#socket.hint({ op: "presence.watch", users });
  }

  #onEvent(frame: EventFrame, arrival: Arrival): void {
    const shown = arrival === "fresh" || (arrival === "duplicate" && !this.#options.dedupe);
    if (!shown) return;
    const { me, onChanged } = this.#options;
    const others = frame.data["sender_id"] !== me.id;
    const counts = others && (frame.channel !== this.#open || document.visibilityState === "hidden");
    this.#arrivals += 1;
    const key = this.#arrivals;
    this.#update(frame.channel, (timeline) => append(timeline, frame, key, counts));
    if (frame.type === CREATED) {
      this.store.set({ typing: typed(this.store.get().typing, frame.channel, String(frame.data["sender_id"]), "stopped", 0) });
    } else if (frame.type.startsWith("dev.signalink.member.")) {
      onChanged("members", frame.channel);
      if (frame.data["user_id"] === me.id) onChanged("channels", frame.channel);
    } else if (frame.type.startsWith("dev.signalink.channel.")) {
      onChanged("channels", frame.channel);
    }
  }

  #onFrame(frame: ServerFrame): void {
    const { people, typing } = this.store.get();
    switch (frame.op) {
      case "welcome":
        this.watch(this.#watched);
        if (document.visibilityState === "hidden") this.#socket.hint({ op: "presence", state: "away" });
        this.#outbox.flush();
        break;
      case "gap":
        this.#update(frame.channel, () => ({
          ...begin(frame.position),
          trouble: { kind: "gap", from: frame.from, to: frame.to },
        }));
        break;
      case "error":
        if (frame.code === "not_found" && frame.channel) this.#options.onChanged("channels", frame.channel);
        break;
      case "presence":
        this.store.set({ people: noticed(people, frame.users) });
        break;
      case "typing":
        if (frame.user !== this.#options.me.id) {
          this.store.set({ typing: typed(typing, frame.channel, frame.user, frame.state, Date.now()) });
        }
        break;
    }
  }

  #onState(socket: SocketState): void {
    this.store.set(socket.phase === "online" ? { socket } : { socket, people: new Map(), typing: new Map() });
    if (socket.phase === "stopped" && socket.code === UNAUTHORISED) {
      // Refused although the page believes to be signed in: the refresh either mends that or signs out.
      void this.#options.session.refresh().catch(() => undefined);
    }
  }

  async #credentials(renew: boolean): Promise<Credentials> {
    const { http, session } = this.#options;
    try {
      if (renew) await session.refresh();
      const { ticket, url } = await answer(http.POST("/v1/ws-tickets"));
      this.#url = url;
      return { url, ticket };
    } catch (error) {
      const problem = asProblem(error);
      if (problem.code === "unavailable" && this.#url !== null && session.token !== null) {
        return { url: this.#url, token: session.token };
      }
      if (problem.passes) throw problem;
      throw new Refusal(problem.status === 401 ? UNAUTHORISED : 4403, said(problem));
    }
  }

  async #post({ channel_id, client_id, body }: Draft): Promise<void> {
    const params = { path: { channel_id } };
    await answer(this.#options.http.POST("/v1/channels/{channel_id}/messages", { params, body: { client_id, body } }));
  }

  #update(channel: string, change: (timeline: Timeline) => Timeline): void {
    const { timelines } = this.store.get();
    const timeline = timelines.get(channel);
    if (timeline) this.store.set({ timelines: new Map(timelines).set(channel, change(timeline)) });
  }

  #expire(): void {
    const { typing } = this.store.get();
    const next = expired(typing, Date.now());
    if (next !== typing) this.store.set({ typing: next });
  }

  #watchBrowser(): (() => void)[] {
    const visible = (): void => {
      const seen = document.visibilityState === "visible";
      this.#socket.hint({ op: "presence", state: seen ? "online" : "away" });
      if (!seen) return;
      this.nudge();
      if (this.#open !== null) this.read(this.#open);
    };
    return [
      on(window, "online", () => this.nudge()),
      on(window, "offline", () => this.#socket.probe()),
      on(document, "visibilitychange", visible),
    ];
  }
}

function said(problem: Problem): string {
  return problem.nextStep ? `${problem.message} ${problem.nextStep}` : problem.message;
}

function on(target: EventTarget, name: string, handler: () => void): () => void {
  target.addEventListener(name, handler);
  return () => target.removeEventListener(name, handler);
}

/** One tab of this browser sends at a time; where locks are missing each does, and the client_id keeps posts single. */
async function alone(name: string, work: () => Promise<void>): Promise<void> {
  if (typeof navigator === "undefined" || !("locks" in navigator)) return work();
  await navigator.locks.request(name, work);
}
