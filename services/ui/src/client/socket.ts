/*
 * One socket to the gateway: it connects with a ticket, follows channels after (epoch, last contiguous seq), comes back
 * by the ranges of the close codes with jittered backoff, and notices a dead peer. No React, no HTTP.
 *
 * What an event means is its owner's; this module says for each whether it is the next one, a duplicate or beyond a hole.
 */
import { fullJitter, pause } from "./backoff.ts";
import { advice, explanation } from "./closes.ts";
import { type EventFrame, type Position, type ServerFrame, parse } from "./frames.ts";
import { type Arrival, Positions } from "./positions.ts";

export interface Credentials {
  readonly url: string;
  /** One-use ticket; without one (Redis is away) `token` is the first message. */
  readonly ticket?: string;
  readonly token?: string;
}

export type SocketState =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly attempt: number }
  | { readonly phase: "online" }
  | { readonly phase: "waiting"; readonly attempt: number; readonly until: number }
  | { readonly phase: "stopped"; readonly code: number; readonly reason: string };

export interface SocketHandlers {
  /** Every event with its judgement, duplicates too. A hole has already made the socket resume. */
  onEvent(frame: EventFrame, arrival: Arrival): void;
  /** Every other frame, after the socket itself acted on it. */
  onFrame(frame: ServerFrame): void;
  onState(state: SocketState): void;
  /** Events after `at` are missing up to `seen` at least; cleared by `onWhole`. */
  onHole(channel: string, at: Position, seen: Position): void;
  onWhole(channel: string): void;
}

export interface SocketOptions {
  readonly handlers: SocketHandlers;
  /** Asked before every connection; `renew`: the ones before were refused. A thrown `Refusal` ends the socket. */
  readonly credentials: (renew: boolean) => Promise<Credentials>;
  readonly connect?: (url: string, protocols: string[]) => WebSocket;
  readonly random?: () => number;
}

/** Credentials cannot be had, and trying again does not help. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export const PROTOCOL = "signalink.v1";
const BATCH = 200;
const OPEN_MS = 10_000;
const IDLE_MS = 15_000;
const PONG_MS = 5_000;
const BEHIND_MS = 5_000;
const STEADY_MS = 10_000;
const LOST = 1006;
const BAD_FRAME = 4400;

interface End {
  readonly code: number;
  readonly reason: string;
}

export class SocketClient {
  readonly #handlers: SocketHandlers;
  readonly #credentials: SocketOptions["credentials"];
  readonly #connect: (url: string, protocols: string[]) => WebSocket;
  readonly #random: () => number;
  readonly #positions = new Positions();
  readonly #holes = new Set<string>();
  readonly #behind = new Map<string, ReturnType<typeof setTimeout>>();
  #state: SocketState = { phase: "idle" };
  #socket: WebSocket | null = null;
  #end: ((end: End) => void) | null = null;
  #nudge = new AbortController();
  /** Counts starts and stops: a loop of an earlier start sees that it is not the current one. */
  #run = 0;
  #running = false;
  #pauseMs: number | null = null;
  #pong: ReturnType<typeof setTimeout> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #pings = 0;
  #optional: boolean | null = null;
  #saidOptional = false;

  constructor(options: SocketOptions) {
    this.#handlers = options.handlers;
    this.#credentials = options.credentials;
    this.#connect = options.connect ?? ((url, protocols) => new WebSocket(url, protocols));
    this.#random = options.random ?? Math.random;
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Connect and stay connected until `stop`, or until a close code says that trying again does not help. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#keepOpen(++this.#run);
  }

  stop(): void {
    this.#running = false;
    this.#run += 1;
    this.#nudge.abort();
    this.#finish({ code: 1000, reason: "stopped" });
    this.#become({ phase: "idle" });
  }

  /** Something changed for the better (the network is back, somebody pressed a button): try now. */
  nudge(): void {
    if (this.#state.phase === "stopped") this.start();
    else if (this.#state.phase === "waiting") this.#nudge.abort();
    else this.probe();
  }

  /** Ask the gateway for a sign of life; without one in time the connection counts as lost. */
  probe(): void {
    if (this.#state.phase !== "online" || this.#pong !== undefined) return;
    this.#pong = setTimeout(() => this.#finish({ code: LOST, reason: "no answer" }), PONG_MS);
    this.#say({ op: "ping", n: ++this.#pings });
  }

  /** Follow a channel after a position, now and after every reconnect. */
  follow(channel: string, after: Position): void {
    if (this.#positions.has(channel)) return;
    this.#positions.follow(channel, after);
    if (this.#state.phase === "online") this.#subscribe([[channel, after]]);
  }

  unfollow(channel: string): void {
    if (!this.#positions.has(channel)) return;
    this.#positions.forget(channel);
    this.#say({ op: "unsubscribe", channels: [channel] });
  }

  /** Where a channel stands. */
  position(channel: string): Position | undefined {
    return this.#positions.at(channel);
  }

  /** Replace the credentials of the open connection, so that it outlives its token. */
  renew(ticket: string): void {
    this.#say({ op: "auth", ticket });
  }

  /**
   * Presence and typing: best effort, dropped while there is no connection. A gateway that does not know them closes
   * with 4400; they are not said again then.
   */
  hint(command: { readonly op: "typing" | "presence" | "presence.watch" } & Record<string, unknown>): void {
    if (this.#optional === false || this.#state.phase !== "online") return;
    this.#saidOptional = true;
    this.#say(command);
  }

  async #keepOpen(run: number): Promise<void> {
    let attempt = 0;
    let renew = false;
    while (this.#run === run) {
      attempt += 1;
      this.#become({ phase: "connecting", attempt });
      this.#pauseMs = null;
      const began = Date.now();
      const end = await this.#connectOnce(run, renew);
      if (this.#run !== run) return;
      if (Date.now() - began > STEADY_MS) attempt = 0;
      const verdict = this.#judge(end);
      if (verdict === "stop") {
        this.#running = false;
        this.#become({ phase: "stopped", code: end.code, reason: end.reason || explanation(end.code) });
        return;
      }
      renew = verdict === "renew";
      await this.#wait(renew && attempt <= 1 ? 0 : (this.#pauseMs ?? fullJitter(attempt || 1, this.#random)), attempt);
    }
  }

  #judge(end: End): "backoff" | "renew" | "stop" {
    if (end.code === BAD_FRAME && this.#saidOptional && this.#optional !== true) {
      this.#optional = false;
      return "backoff";
    }
    return advice(end.code);
  }

  async #wait(ms: number, attempt: number): Promise<void> {
    this.#nudge = new AbortController();
    this.#become({ phase: "waiting", attempt, until: Date.now() + ms });
    await pause(ms, this.#nudge.signal);
  }

  async #connectOnce(run: number, renew: boolean): Promise<End> {
    let credentials: Credentials;
    try {
      credentials = await this.#credentials(renew);
    } catch (error) {
      return error instanceof Refusal ? { code: error.code, reason: error.message } : { code: LOST, reason: "" };
    }
    if (this.#run !== run) return { code: 1000, reason: "" };
    return new Promise((resolve) => this.#open(credentials, resolve));
  }

  #open(credentials: Credentials, resolve: (end: End) => void): void {
    const protocols = credentials.ticket === undefined ? [PROTOCOL] : [PROTOCOL, `ticket.${credentials.ticket}`];
    const socket = this.#connect(credentials.url, protocols);
    const limit = setTimeout(() => this.#finish({ code: LOST, reason: "" }), OPEN_MS);
    this.#socket = socket;
    this.#saidOptional = false;
    this.#end = (end) => {
      clearTimeout(limit);
      resolve(end);
    };
    socket.onopen = () => {
      if (credentials.ticket === undefined) this.#say({ op: "auth", token: credentials.token });
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      const frame = typeof message.data === "string" ? parse(message.data) : null;
      if (frame === null) return;
      if (frame.op === "welcome") clearTimeout(limit);
      this.#take(frame);
    };
    socket.onclose = (close) => this.#finish({ code: close.code || LOST, reason: "" });
  }

  /** The connection is over for this client, whether or not the browser has finished closing it. */
  #finish(end: End): void {
    const socket = this.#socket;
    const ended = this.#end;
    this.#socket = null;
    this.#end = null;
    clearTimeout(this.#pong);
    clearTimeout(this.#idle);
    this.#pong = undefined;
    for (const timer of this.#behind.values()) clearTimeout(timer);
    this.#behind.clear();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    ended?.(end);
  }

  #take(frame: ServerFrame): void {
    this.#alive();
    switch (frame.op) {
      case "welcome":
        this.#become({ phase: "online" });
        this.#subscribe(this.#positions.wanted());
        break;
      case "event":
        this.#arrive(frame);
        return;
      case "subscribed":
        this.#positions.begin(frame.channel, frame.position, frame.skipped);
        break;
      case "gap":
        this.#positions.begin(frame.channel, frame.position);
        this.#holes.delete(frame.channel);
        break;
      case "heads":
        for (const [channel, epoch, seq] of frame.channels) this.#watch(channel, { epoch, seq });
        break;
      case "draining":
        this.#pauseMs = frame.reconnect_after_ms;
        break;
      case "pong":
        clearTimeout(this.#pong);
        this.#pong = undefined;
        break;
      case "typing":
      case "presence":
        this.#optional = true;
        break;
    }
    this.#handlers.onFrame(frame);
  }

  #arrive(frame: EventFrame): void {
    const before = this.#positions.at(frame.channel);
    const arrival = this.#positions.arrive(frame.channel, frame);
    if (arrival === "hole" && before) {
      this.#resume(frame.channel, before, frame);
    } else if (arrival === "fresh" && this.#holes.delete(frame.channel)) {
      this.#handlers.onWhole(frame.channel);
    }
    this.#handlers.onEvent(frame, arrival);
  }

  /** The head moved: its events must come soon, or something was lost on the way. */
  #watch(channel: string, head: Position): void {
    if (!this.#positions.behind(channel, head) || this.#behind.has(channel)) return;
    const check = (): void => {
      this.#behind.delete(channel);
      const at = this.#positions.at(channel);
      if (at && this.#positions.behind(channel, head)) this.#resume(channel, at, head);
    };
    this.#behind.set(channel, setTimeout(check, BEHIND_MS));
  }

  /** Report the hole and connect anew: the gateway then reads the log after our position. */
  #resume(channel: string, at: Position, seen: Position): void {
    this.#holes.add(channel);
    this.#handlers.onHole(channel, at, { epoch: seen.epoch, seq: seen.seq });
    this.#finish({ code: LOST, reason: "" });
  }

  #alive(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.probe(), IDLE_MS);
  }

  #subscribe(wanted: readonly [string, Position][]): void {
    for (let start = 0; start < wanted.length; start += BATCH) {
      const channels = wanted.slice(start, start + BATCH).map(([id, { epoch, seq }]) => ({ id, after: { epoch, seq } }));
      this.#say({ op: "subscribe", channels });
    }
  }

  #say(command: Readonly<Record<string, unknown>>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #become(state: SocketState): void {
    this.#state = state;
    this.#handlers.onState(state);
  }
}
