/* What was written, where and by how many: of everything for admins, else of one's own channels; or of one channel. */
import { useState } from "react";
import type { Channel } from "@/client";
import { PageFrame } from "@/components/PageFrame";
import { ServiceGate } from "@/components/ServiceGate";
import { Segments } from "@/components/fields";
import { RANGES, type RangeKey, rangeOf } from "../model/ranges";
import { ChannelView } from "./ChannelView";
import { Fresh } from "./Fresh";
import { Overview } from "./Overview";

interface Props {
  readonly channels: readonly Channel[];
  /** Null: all of them. */
  readonly channel: string | null;
  readonly onChannel: (channel: string | null) => void;
  readonly onBack: () => void;
}

const ABSENT = "This platform runs without its analytics service, so nothing is counted here. Messages are not affected.";

export default function AnalyticsPage({ channels, channel, onChannel, onBack }: Props) {
  const [key, setKey] = useState<RangeKey>("1h");
  const range = rangeOf(key);
  const name = channels.find((each) => each.id === channel)?.name;
  const inner = channel !== null;
  return (
    <PageFrame
      title={inner ? (name ?? "A channel") : "Analytics"}
      about={inner ? "Analytics of this channel" : "What was written, where and by how many"}
      inner={inner}
      backLabel={inner ? "Back to all channels' analytics" : "Back to channels"}
      onBack={inner ? () => onChannel(null) : onBack}
    >
      <ServiceGate of="analytics" absent={ABSENT}>
        <div className="figures">
          <Fresh aside={<Segments label="Time" choices={RANGES} chosen={key} onChoose={setKey} />}>
            {channel === null ? <Overview range={range} onChannel={onChannel} /> : <ChannelView key={channel} range={range} channel={channel} />}
          </Fresh>
        </div>
      </ServiceGate>
    </PageFrame>
  );
}
