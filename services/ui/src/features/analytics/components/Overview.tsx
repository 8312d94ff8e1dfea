/* All channels together: the first figures, messages over time, which channels lead, who was around, and one's own part. */
import { useClient } from "@/lib/contexts";
import { Loaded } from "@/components/Loaded";
import { useActive, useMine, useSeries, useSummary } from "../api/figures";
import { distinct, messages, times } from "../model/counts";
import type { Range } from "../model/ranges";
import { plain } from "../model/windows";
import { CutNote } from "./CutNote";
import { PresenceChart } from "./PresenceChart";
import { Ranking } from "./Ranking";
import { Tiles } from "./Tiles";
import { WindowsChart } from "./WindowsChart";

interface Props {
  readonly range: Range;
  readonly onChannel: (channel: string) => void;
}

export function Overview({ range, onChannel }: Props) {
  const { me } = useClient();
  const everything = me.role === "admin";
  return (
    <>
      <section>
        <h2>{everything ? "The whole platform" : "Your channels"}</h2>
        <Totals range={range} />
        <OverTime range={range} />
      </section>
      <section>
        <h2>Channels</h2>
        <Ranking range={range} onChannel={onChannel} />
      </section>
      <section>
        <h2>People</h2>
        <Active />
        <PresenceChart range={range} of={everything ? "all" : "me"} />
      </section>
      <section>
        <h2>You</h2>
        <Mine range={range} />
      </section>
    </>
  );
}

function Totals({ range }: { readonly range: Range }) {
  return (
    <Loaded query={useSummary(range)}>
      {({ totals, active_channels, active_users, logins }) => (
        <Tiles
          label={`In the last ${range.label}`}
          tiles={[
            { label: "Messages", value: plain(totals.messages), about: `${plain(totals.replies)} in threads` },
            { label: "Active users", ...distinct(active_users) },
            { label: "Active channels", value: plain(active_channels) },
            { label: "Edits and deletions", value: plain(totals.edits + totals.deletions) },
            ...(logins === null ? [{ label: "Joins", value: plain(totals.joins) }] : [{ label: "Logins", value: plain(logins) }]),
          ]}
        />
      )}
    </Loaded>
  );
}

function OverTime({ range }: { readonly range: Range }) {
  return (
    <Loaded query={useSeries(range)}>
      {(series) => (
        <>
          <CutNote range={series.range} />
          <WindowsChart title="Messages" what={messages} interval={series.range.interval} windows={series.points.map(({ at, messages: value, complete }) => ({ start: Date.parse(at), value, complete }))} />
        </>
      )}
    </Loaded>
  );
}

function Active() {
  return (
    <Loaded query={useActive()}>
      {({ now, day, week, month }) => (
        <Tiles
          label="Active users"
          tiles={[
            { label: "Online now", value: plain(now) },
            { label: "Active in 24 hours", ...distinct(day.users) },
            { label: "Active in 7 days", ...distinct(week.users, week.cut) },
            { label: "Active in 30 days", ...distinct(month.users, month.cut) },
          ]}
        />
      )}
    </Loaded>
  );
}

function Mine({ range }: { readonly range: Range }) {
  return (
    <Loaded query={useMine(range)}>
      {({ totals, logins, active_channels }) => (
        <Tiles
          label={`You in the last ${range.label}`}
          tiles={[
            { label: "You wrote", value: plain(totals.messages), about: `${plain(totals.characters)} characters` },
            { label: "You read", value: times(totals.reads) },
            { label: "You signed in", value: times(logins) },
            { label: "Channels you were active in", value: plain(active_channels) },
          ]}
        />
      )}
    </Loaded>
  );
}
