/* Channels that nothing is told of; what was written there stays to be read. */
import type { Channel } from "@/client";
import { Icon } from "@/components/Icon";
import { Button, ProblemNote } from "@/components/parts";
import { whenOf } from "@/lib/time";
import { useMute, useMutes, useUnmute } from "../api/mutes";
import { MUTES, type Mute, type MuteKey, muteOf } from "../model/mutes";
import { Waiting } from "@/components/ServiceGate";

export function Mutes({ channels }: { readonly channels: readonly Channel[] }) {
  const mutes = useMutes();
  const mute = useMute();
  const unmute = useUnmute();
  if (mutes.data === undefined) return <Waiting query={mutes} />;
  if (channels.length === 0) return <p className="absent">You are in no channel yet.</p>;
  const now = Date.now();
  return (
    <>
      <ul className="rows">
        {channels.map((channel) => (
          <Row
            key={channel.id}
            channel={channel}
            mute={muteOf(mutes.data, channel.id, now)}
            onMute={(key) => mute.mutate({ channel: channel.id, key })}
            onUnmute={() => unmute.mutate(channel.id)}
          />
        ))}
      </ul>
      <ProblemNote error={mute.error ?? unmute.error} />
    </>
  );
}

interface RowProps {
  readonly channel: Channel;
  readonly mute: Mute | null;
  readonly onMute: (key: MuteKey) => void;
  readonly onUnmute: () => void;
}

function Row({ channel, mute, onMute, onUnmute }: RowProps) {
  return (
    <li>
      <Icon name={channel.kind === "public" ? "hash" : "lock"} />
      <span className="row-main">
        <span className="row-name">{channel.name}</span>
        {mute !== null && <span className="row-about">{mute.until === null ? "Muted for good" : `Muted until ${whenOf(mute.until)}`}</span>}
      </span>
      {mute === null ? (
        <select aria-label={`Mute ${channel.name}`} value="" onChange={({ target }) => onMute(target.value as MuteKey)}>
          <option value="" disabled>
            Mute…
          </option>
          {MUTES.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      ) : (
        <Button aria-label={`Unmute ${channel.name}`} onClick={onUnmute}>
          Unmute
        </Button>
      )}
    </li>
  );
}
