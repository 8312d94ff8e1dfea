/* The client without React: what features may use. */
export { type Channel, type Http, type Member, type Message, type MessagePage, all, answer, createHttp } from "./api.ts";
export type { PresenceState } from "./frames.ts";
export { type Changed, Messenger, type Messages } from "./messenger.ts";
export type { Draft } from "./outbox.ts";
export { Problem, asProblem } from "./problem.ts";
export { type Me, Session, type SessionState } from "./session.ts";
export type { SocketState } from "./socket.ts";
export { Store } from "./store.ts";
export { type MessageRow, type NoticeRow, type Row, type Timeline, type Trouble, rows } from "./timeline.ts";
