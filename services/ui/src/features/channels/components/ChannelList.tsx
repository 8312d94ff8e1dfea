/* The channels of the user, with what is unread. */
import type { Channel, Messages } from "@/client";
import { Icon } from "@/components/Icon";
import { useMessages } from "@/lib/contexts";

const timelines = (messages: Messages) => messages.timelines;

interface Props {
  readonly channels: readonly Channel[];
  readonly chosen: string | null;
  readonly onChoose: (channel: string) => void;
}

export function ChannelList({ channels, chosen, onChoose }: Props) {
  const known = useMessages(timelines);
  return (
    <ul className="channel-list">
      {channels.map((channel) => {
        const unread = channel.id === chosen ? 0 : (known.get(channel.id)?.unread ?? 0);
        return (
          <li key={channel.id}>
            <button
              type="button"
              className={unread > 0 ? "channel unread" : "channel"}
              aria-current={channel.id === chosen ? "page" : undefined}
              onClick={() => onChoose(channel.id)}
            >
              <Icon name={channel.kind === "public" ? "hash" : "lock"} />
              <span className="channel-name">{channel.name}</span>
              {unread > 0 && (
                <span className="badge">
                  {unread > 99 ? "99+" : unread}
                  <span className="hidden"> unread</span>
                </span>
              )}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
