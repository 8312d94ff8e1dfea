/* One channel: messages over time, how long they are, and how soon they are answered. */
import { Loaded } from "@/components/Loaded";
import { useChannelFigures } from "../api/figures";
import { answers, distinct, messages } from "../model/counts";
import { duration } from "../model/histogram";
import type { Range } from "../model/ranges";
import { plain } from "../model/windows";
import { CutNote } from "./CutNote";
import { HistogramChart } from "./HistogramChart";
import { Tiles } from "./Tiles";
import { WindowsChart } from "./WindowsChart";

interface Props {
  readonly range: Range;
  readonly channel: string;
}

export function ChannelView({ range, channel }: Props) {
  return (
    <Loaded query={useChannelFigures(range, channel)}>
      {({ totals, senders, message_length, response_time, points, range: covered }) => (
        <>
          <h2 className="hidden">The last {range.label}</h2>
          <Tiles
            label={`In the last ${range.label}`}
            tiles={[
              { label: "Messages", value: plain(totals.messages), about: `${plain(totals.replies)} in threads` },
              { label: "Senders", ...distinct(senders) },
              { label: "Edits", value: plain(totals.edits) },
              { label: "Deletions", value: plain(totals.deletions) },
              { label: "Joins", value: plain(totals.joins), about: `${plain(totals.departures)} left` },
            ]}
          />
          <section>
            <CutNote range={covered} />
            <WindowsChart title="Messages" what={messages} interval={covered.interval} windows={points.map(({ at, messages: value, complete }) => ({ start: Date.parse(at), value, complete }))} />
          </section>
          <div className="charts">
            <HistogramChart title="Length in characters" classes={message_length.buckets.map(bounded)} unit={messages} name={plain} whole />
            <HistogramChart title="Time until somebody else answers" classes={response_time.buckets.map(bounded)} unit={answers} name={duration} />
          </div>
        </>
      )}
    </Loaded>
  );
}

const bounded = ({ up_to, count }: { readonly up_to: number | null; readonly count: number }) => ({ upTo: up_to, count });
