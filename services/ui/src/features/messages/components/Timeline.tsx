/* The messages of one channel in order of seq, kept at the bottom while somebody reads there. */
import { Fragment, type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { type Channel, type Messages, type NoticeRow, type Row, type Timeline as Live, rows } from "@/client";
import { Icon } from "@/components/Icon";
import { Button, ProblemNote } from "@/components/parts";
import { useClient, useMembers, useMessages } from "@/lib/contexts";
import { dayOf, sameDay } from "@/lib/time";
import { useHistory } from "../api/messages";
import { Composer } from "./Composer";
import { MessageItem } from "./MessageItem";
import { PendingList } from "./PendingList";
import { TroubleNote } from "./TroubleNote";

const TOGETHER_MS = 5 * 60_000;
const NEAR_PX = 80;

interface Props {
  readonly channel: Channel;
  readonly live: Live;
  /** Shown between messages and composer: who is typing. */
  readonly footer?: ReactNode;
}

export function Timeline({ channel, live, footer }: Props) {
  const { me, messenger } = useClient();
  const history = useHistory(channel.id, live);
  const shown = useMemo(() => rows(live, history.messages), [live, history.messages]);
  const pending = usePending(channel.id, shown);
  const waiting = useMessages((messages) => messages.waiting);
  const [editing, setEditing] = useState<string | null>(null);
  const view = useStickyBottom(shown, pending.length);
  const last = shown.findLast((row) => row.kind === "message" && row.sender === me.id && !row.deleted);
  return (
    <section className="conversation" aria-label={`Messages of ${channel.name}`}>
      {live.trouble && <TroubleNote trouble={live.trouble} onRetry={() => messenger.nudge()} onDismiss={() => messenger.dismiss(channel.id)} />}
      <div className="scroll" ref={view.ref} onScroll={view.onScroll} tabIndex={0} role="log" aria-label={`Messages of ${channel.name}`}>
        <div className="scroll-top">
          {history.hasNextPage && (
            <Button busy={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
              {history.isFetchingNextPage ? "Loading…" : "Show older messages"}
            </Button>
          )}
          {history.isPending && <p className="empty-line">Loading messages…</p>}
          {history.isSuccess && !history.hasNextPage && <Beginning channel={channel} />}
          <ProblemNote error={history.error} />
          {history.error && <Button onClick={() => void history.refetch()}>Try again</Button>}
        </div>
        <ol className="messages">
          <Rows channel={channel} rows={shown} editing={editing} onEdit={setEditing} />
          <PendingList drafts={pending} waiting={waiting} />
        </ol>
      </div>
      {!view.atBottom && (
        <button type="button" className="to-bottom" onClick={view.toBottom}>
          <Icon name="down" /> {view.missed > 0 ? `${view.missed} new` : "Newest"}
        </button>
      )}
      {footer}
      <Composer key={channel.id} channel={channel} onSent={view.toBottom} onEditLast={() => last?.kind === "message" && setEditing(last.id)} />
    </section>
  );
}

function Beginning({ channel }: { readonly channel: Channel }) {
  return (
    <div className="beginning">
      <h2>{channel.name}</h2>
      <p>{channel.description || "This is where the channel begins. Say something."}</p>
    </div>
  );
}

interface RowsProps {
  readonly channel: Channel;
  readonly rows: readonly Row[];
  readonly editing: string | null;
  readonly onEdit: (id: string | null) => void;
}

function Rows({ channel, rows: shown, editing, onEdit }: RowsProps) {
  const { me } = useClient();
  const { nameOf } = useMembers(channel.id);
  const people = useMessages((messages) => messages.people);
  const moderates = channel.membership?.role === "owner" || channel.membership?.role === "moderator";
  return shown.map((row, index) => {
    const before = shown[index - 1];
    const newDay = before === undefined || !sameDay(before.at, row.at);
    return (
      <Fragment key={row.key}>
        {newDay && (
          <li className="day">
            <span>{dayOf(row.at)}</span>
          </li>
        )}
        {row.kind === "notice" ? (
          <Notice row={row} nameOf={nameOf} />
        ) : (
          <MessageItem
            row={row}
            name={nameOf(row.sender)}
            state={people.get(row.sender)}
            follows={!newDay && together(before, row)}
            mine={row.sender === me.id}
            mayDelete={moderates}
            editing={editing === row.id}
            onEdit={onEdit}
          />
        )}
      </Fragment>
    );
  });
}

function together(before: Row | undefined, row: Row): boolean {
  if (before?.kind !== "message" || row.kind !== "message" || before.sender !== row.sender) return false;
  return Date.parse(row.at) - Date.parse(before.at) < TOGETHER_MS;
}

function Notice({ row, nameOf }: { readonly row: NoticeRow; readonly nameOf: (user: string) => string }) {
  const user = nameOf(row.user);
  const by = nameOf(row.by);
  const words: Record<string, string> = {
    "dev.signalink.member.joined": row.by === row.user ? `${user} joined` : `${by} added ${user}`,
    "dev.signalink.member.left": `${user} left`,
    "dev.signalink.member.removed": `${by} removed ${user}`,
    "dev.signalink.member.role_changed": `${by} changed the role of ${user}`,
    "dev.signalink.channel.updated": `${by} changed the channel`,
    "dev.signalink.channel.archived": `${by} archived the channel`,
    "dev.signalink.channel.deleted": "The channel was deleted",
  };
  return (
    <li className="notice" data-seq={row.seq} data-epoch={row.epoch}>
      {words[row.type] ?? "Something happened that this page does not know yet"}
    </li>
  );
}

/** Drafts of this channel that are not among the messages yet. */
function usePending(channel: string, shown: readonly Row[]) {
  const { me } = useClient();
  const drafts = useMessages((messages: Messages) => messages.drafts);
  return useMemo(() => {
    const here = drafts.filter((draft) => draft.channel_id === channel);
    if (here.length === 0) return here;
    const arrived = new Set(shown.map((row) => (row.kind === "message" && row.sender === me.id ? row.clientId : null)));
    return here.filter((draft) => !arrived.has(draft.client_id));
  }, [drafts, channel, shown, me.id]);
}

/** Stays at the bottom while it is there; otherwise keeps what is read in place and counts what came below. */
function useStickyBottom(shown: readonly Row[], pending: number) {
  const ref = useRef<HTMLDivElement>(null);
  const was = useRef<{ height: number; first: string | undefined; last: string | undefined }>({ height: 0, first: undefined, last: undefined });
  const [atBottom, setAtBottom] = useState(true);
  const [missed, setMissed] = useState(0);
  const stuck = useRef(true);
  const first = shown[0]?.key;
  const last = shown.at(-1)?.key;
  useLayoutEffect(() => {
    const view = ref.current;
    if (!view) return;
    if (stuck.current) view.scrollTop = view.scrollHeight;
    else if (was.current.first !== first) view.scrollTop += view.scrollHeight - was.current.height;
    else if (was.current.last !== last) setMissed((count) => count + 1);
    was.current = { height: view.scrollHeight, first, last };
  }, [first, last, shown, pending]);
  useEffect(() => {
    const view = ref.current;
    if (!view) return undefined;
    const observer = new ResizeObserver(() => {
      if (stuck.current) view.scrollTop = view.scrollHeight;
    });
    observer.observe(view);
    return () => observer.disconnect();
  }, []);
  const onScroll = useCallback(() => {
    const view = ref.current;
    if (!view) return;
    stuck.current = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_PX;
    setAtBottom(stuck.current);
    if (stuck.current) setMissed(0);
  }, []);
  const toBottom = useCallback(() => {
    stuck.current = true;
    const view = ref.current;
    if (view) view.scrollTop = view.scrollHeight;
    setAtBottom(true);
    setMissed(0);
  }, []);
  return { ref, onScroll, atBottom, missed, toBottom };
}
