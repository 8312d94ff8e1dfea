/* Public channels: find one and join it. */
import { useDeferredValue, useState } from "react";
import type { Channel } from "@/client";
import { Icon } from "@/components/Icon";
import { Button, Dialog, Field, ProblemNote } from "@/components/parts";
import { useJoinChannel, usePublicChannels } from "../api/channels";

interface Props {
  readonly onClose: () => void;
  readonly onOpen: (channel: string) => void;
  readonly onCreate: () => void;
}

export function BrowseDialog({ onClose, onOpen, onCreate }: Props) {
  const [search, setSearch] = useState("");
  const found = usePublicChannels(useDeferredValue(search));
  const join = useJoinChannel((channel) => onOpen(channel.id));
  return (
    <Dialog title="Browse channels" onClose={onClose}>
      <Field label="Find a channel" type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
      <ProblemNote error={found.error ?? join.error} />
      <ul className="browse" aria-busy={found.isPending}>
        {found.data?.map((channel) => (
          <Found key={channel.id} channel={channel} busy={join.isPending} onJoin={() => join.mutate(channel)} onOpen={onOpen} />
        ))}
      </ul>
      {found.data?.length === 0 && (
        <p className="empty-line">
          {search.trim() === "" ? "There is no public channel yet." : "No channel has this in its name."}{" "}
          <button type="button" className="link" onClick={onCreate}>
            Create one
          </button>
        </p>
      )}
    </Dialog>
  );
}

interface FoundProps {
  readonly channel: Channel;
  readonly busy: boolean;
  readonly onJoin: () => void;
  readonly onOpen: (channel: string) => void;
}

function Found({ channel, busy, onJoin, onOpen }: FoundProps) {
  const member = channel.membership !== null && channel.membership !== undefined;
  return (
    <li>
      <Icon name="hash" />
      <div>
        <p className="browse-name">{channel.name}</p>
        <p className="browse-about">{channel.description || channel.slug}</p>
      </div>
      {member ? (
        <Button onClick={() => onOpen(channel.id)} aria-label={`Open ${channel.name}`}>
          Open
        </Button>
      ) : (
        <Button look="primary" disabled={busy} onClick={onJoin} aria-label={`Join ${channel.name}`}>
          Join
        </Button>
      )}
    </li>
  );
}
