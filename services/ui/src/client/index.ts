/* The client without React: what features may use. */
export {
  type Addresses,
  type AnalyticsHttp,
  type Channel,
  type Device,
  type Http,
  type Member,
  type Message,
  type MessagePage,
  type NotificationsHttp,
  type PreferencesDocument,
  type PreferencesPatch,
  all,
  answer,
  createAnalytics,
  createHttp,
  createNotifications,
} from "./api.ts";
export type { PresenceState } from "./frames.ts";
export { type Changed, Messenger, type Messages } from "./messenger.ts";
export type { Draft } from "./outbox.ts";
export { Problem, asProblem } from "./problem.ts";
export { type Me, Session, type SessionState } from "./session.ts";
export type { SocketState } from "./socket.ts";
export { Store } from "./store.ts";
export { type MessageRow, type NoticeRow, type Row, type Timeline, type Trouble, rows } from "./timeline.ts";
