/* Channels by a figure, most first; each leads to its own page. */
import { useState } from "react";
import { Loaded } from "@/components/Loaded";
import { type Rank, useTop } from "../api/figures";
import type { Range } from "../model/ranges";
import { plain } from "../model/windows";

interface Props {
  readonly range: Range;
  readonly onChannel: (channel: string) => void;
}

const RANKS: readonly { readonly key: Rank; readonly label: string }[] = [
  { key: "messages", label: "Messages" },
  { key: "replies", label: "Replies" },
  { key: "characters", label: "Characters" },
  { key: "edits", label: "Edits" },
  { key: "joins", label: "Joins" },
];

export function Ranking({ range, onChannel }: Props) {
  const [by, setBy] = useState<Rank>("messages");
  const label = RANKS.find(({ key }) => key === by)?.label ?? "";
  const top = useTop(range, by);
  return (
    <>
      <label className="by">
        <span>Most</span>
        <select value={by} onChange={({ target }) => setBy(target.value as Rank)}>
          {RANKS.map((rank) => (
            <option key={rank.key} value={rank.key}>
              {rank.label.toLowerCase()}
            </option>
          ))}
        </select>
      </label>
      <Loaded query={top}>
        {({ items }) => {
          const most = Math.max(1, ...items.map((item) => item[by]));
          if (items.length === 0) return <p className="absent">Nothing in this time.</p>;
          return (
            <div className="table-scroll">
              <table className="ranking">
                <thead>
                  <tr>
                    <th scope="col">Channel</th>
                    <th className="bar" aria-hidden="true" />
                    <th scope="col">{label}</th>
                    <th scope="col">People</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((item) => (
                    <tr key={item.channel_id}>
                      <th scope="row">
                        <button type="button" className="link" onClick={() => onChannel(item.channel_id)}>
                          {item.name || (item.kind === "direct" ? "Direct messages" : "A channel without a name")}
                        </button>
                      </th>
                      <td className="bar" aria-hidden="true">
                        <span style={{ width: `${(100 * item[by]) / most}%` }} />
                      </td>
                      <td>{plain(item[by])}</td>
                      <td>{plain(item.senders)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          );
        }}
      </Loaded>
    </>
  );
}
