/* The screen of somebody signed in: channels on one side, one conversation on the other; on a phone one at a time. */
import { lazy, useEffect, useMemo, useState } from "react";
import type { Channel, Messages } from "@/client";
import { Icon } from "@/components/Icon";
import { LazyPart } from "@/components/LazyPart";
import { Avatar, Brand, Button, IconButton, ProblemNote, ThemeToggle } from "@/components/parts";
import { useLeaveChannel, useMyChannels } from "@/features/channels/api/channels";
import { BrowseDialog } from "@/features/channels/components/BrowseDialog";
import { ChannelList } from "@/features/channels/components/ChannelList";
import { CreateDialog } from "@/features/channels/components/CreateDialog";
import { Timeline } from "@/features/messages/components/Timeline";
import { PeoplePanel, useWatchedMembers } from "@/features/presence/components/PeoplePanel";
import { TypingLine } from "@/features/presence/components/TypingLine";
import { useClient, useMembers, useMessages } from "@/lib/contexts";
import { type Place, usePlace } from "@/lib/router";
import { ConnectionDot, ConnectionNote } from "./ConnectionNote";
import { Places } from "./Places";
import { Seen } from "./seen";

const AnalyticsPage = lazy(() => import("@/features/analytics/components/AnalyticsPage"));
const SettingsPage = lazy(() => import("@/features/settings/components/SettingsPage"));

export function Workspace() {
  const { me, messenger } = useClient();
  const [place, go] = usePlace();
  const chosen = place.at === "channel" ? place.channel : null;
  const [dialog, setDialog] = useState<"browse" | "create" | null>(null);
  const mine = useMyChannels();
  const seen = useMemo(() => new Seen(me.id), [me.id]);
  const channels = mine.data;
  useEffect(() => {
    if (channels) messenger.follow(channels, (channel) => (seen.isBehind(channel.id, channel.last_seq) ? 1 : 0));
  }, [channels, messenger, seen]);
  const channel = channels?.find((each) => each.id === chosen) ?? null;
  useSeen(channel, seen);
  useTitle(channel?.name ?? TITLES[place.at]);
  const open = (id: string): void => {
    setDialog(null);
    go({ at: "channel", channel: id });
  };
  const away = channel !== null || place.at === "settings" || place.at === "analytics";
  return (
    <main className={away ? "workspace in-place" : "workspace"}>
      <nav className="sidebar" aria-label="Channels">
        <header>
          <Brand />
          <ConnectionDot />
        </header>
        <div className="sidebar-head">
          <h1>Channels</h1>
          <IconButton icon="compass" label="Browse channels" onClick={() => setDialog("browse")} />
          <IconButton icon="plus" label="Create a channel" onClick={() => setDialog("create")} />
        </div>
        <ProblemNote error={mine.error} />
        <ChannelList channels={channels ?? []} chosen={chosen} onChoose={open} />
        {channels?.length === 0 && <p className="empty-line">You are in no channel yet.</p>}
        <Places place={place} onGo={go} />
        <Account />
      </nav>
      <div className="main">
        <ConnectionNote />
        {channel && <Conversation key={channel.id} channel={channel} onBack={() => go({ at: "home" })} />}
        <LazyPart key={place.at}>
          <Page place={place} channels={channels ?? []} onGo={go} />
        </LazyPart>
        {!away && <Welcome missing={chosen !== null && channels !== undefined} onBrowse={() => setDialog("browse")} onCreate={() => setDialog("create")} />}
      </div>
      {dialog === "browse" && <BrowseDialog onClose={() => setDialog(null)} onOpen={open} onCreate={() => setDialog("create")} />}
      {dialog === "create" && <CreateDialog onClose={() => setDialog(null)} onOpen={open} />}
    </main>
  );
}

const TITLES: Readonly<Record<Place["at"], string | null>> = { home: null, channel: null, settings: "Settings", analytics: "Analytics" };

interface PageProps {
  readonly place: Place;
  readonly channels: readonly Channel[];
  readonly onGo: (place: Place) => void;
}

/** The screens that are no conversation; each is loaded when it is first shown. */
function Page({ place, channels, onGo }: PageProps) {
  const home = (): void => onGo({ at: "home" });
  if (place.at === "settings") return <SettingsPage channels={channels} onBack={home} />;
  if (place.at !== "analytics") return null;
  return <AnalyticsPage channels={channels} channel={place.channel} onChannel={(channel) => onGo({ at: "analytics", channel })} onBack={home} />;
}

function Conversation({ channel, onBack }: { readonly channel: Channel; readonly onBack: () => void }) {
  const live = useMessages((messages) => messages.timelines.get(channel.id));
  const { members } = useMembers(channel.id);
  const [showsPeople, setShowsPeople] = useState(false);
  const leave = useLeaveChannel(onBack);
  useWatchedMembers(channel.id);
  return (
    <div className="channel-view">
      <div className="channel-main">
        <header className="channel-head">
          <IconButton icon="back" label="Back to channels" className="back" onClick={onBack} />
          <div className="channel-title">
            <h1>
              <Icon name={channel.kind === "public" ? "hash" : "lock"} />
              <span>{channel.name}</span>
            </h1>
            {channel.description && <p>{channel.description}</p>}
          </div>
          <button type="button" className="count" aria-expanded={showsPeople} aria-label={`Members: ${members.length}`} onClick={() => setShowsPeople(!showsPeople)}>
            <Icon name="people" /> {members.length}
          </button>
        </header>
        {live && <Timeline channel={channel} live={live} footer={<TypingLine channel={channel.id} />} />}
      </div>
      {showsPeople && (
        <PeoplePanel channel={channel.id} onClose={() => setShowsPeople(false)}>
          <ProblemNote error={leave.error} />
          {channel.membership?.role !== "owner" && (
            <Button busy={leave.isPending} onClick={() => leave.mutate(channel)}>
              Leave this channel
            </Button>
          )}
        </PeoplePanel>
      )}
    </div>
  );
}

function Account() {
  const { me, session } = useClient();
  const name = me.display_name || me.username;
  return (
    <footer className="account">
      <Avatar id={me.id} name={name} />
      <div className="account-name">
        <p>{name}</p>
        <p className="account-user">@{me.username}</p>
      </div>
      <ThemeToggle />
      <IconButton icon="leave" label="Sign out" onClick={() => void session.logout().catch(() => undefined)} />
    </footer>
  );
}

interface WelcomeProps {
  readonly missing: boolean;
  readonly onBrowse: () => void;
  readonly onCreate: () => void;
}

function Welcome({ missing, onBrowse, onCreate }: WelcomeProps) {
  return (
    <div className="welcome">
      <h1>{missing ? "You are not in this channel" : "Pick a channel"}</h1>
      <p>{missing ? "It may be private, or you have left it. Public ones can be joined." : "Join a public one, or make your own. What you write arrives once and in order, also after a lost connection."}</p>
      <div className="welcome-actions">
        <Button look="primary" onClick={onBrowse}>
          Browse channels
        </Button>
        <Button onClick={onCreate}>Create a channel</Button>
      </div>
    </div>
  );
}

const timelinesOf = (messages: Messages) => messages.timelines;

/** What is on the screen is seen, as far as it has come. */
function useSeen(channel: Channel | null, seen: Seen): void {
  const { messenger } = useClient();
  const timelines = useMessages(timelinesOf);
  const id = channel?.id ?? null;
  useEffect(() => {
    messenger.show(id);
    return () => messenger.show(null);
  }, [messenger, id]);
  useEffect(() => {
    if (id !== null && timelines.has(id) && document.visibilityState === "visible") seen.mark(id, messenger.position(id));
  }, [id, timelines, messenger, seen]);
}

function useTitle(shown: string | null): void {
  const timelines = useMessages(timelinesOf);
  let unread = 0;
  for (const timeline of timelines.values()) unread += timeline.unread;
  const name = shown === null ? "Signalink" : `${shown} · Signalink`;
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) ${name}` : name;
  }, [unread, name]);
}
