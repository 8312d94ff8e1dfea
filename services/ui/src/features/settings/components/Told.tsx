/* What somebody was told of lately, and what became of it on each way. */
import type { Channel } from "@/client";
import { Icon } from "@/components/Icon";
import { Button } from "@/components/parts";
import { Waiting } from "@/components/ServiceGate";
import { whenOf } from "@/lib/time";
import { useTold } from "../api/told";
import { toldWords } from "../model/told";
import { KIND_WORDS } from "../model/words";

export function Told({ channels }: { readonly channels: readonly Channel[] }) {
  const told = useTold();
  if (told.data === undefined) return <Waiting query={told} />;
  const items = told.data.pages.flatMap((page) => page.items);
  if (items.length === 0) return <p className="absent">Nothing yet.</p>;
  const nameOf = (id: string): string => channels.find((channel) => channel.id === id)?.name ?? "a channel you are not in any more";
  return (
    <>
      <ul className="rows">
        {items.map((item) => (
          <li key={item.id}>
            <Icon name="bell" />
            <span className="row-main">
              <span className="row-name">
                {KIND_WORDS[item.kind].one} in {nameOf(item.channel_id)}
              </span>
              <span className="row-about">
                {whenOf(item.planned_at)}
                {item.digest && ", in a digest"}
              </span>
              <span className="row-about">{toldWords(item.channels, item.deliveries)}</span>
            </span>
          </li>
        ))}
      </ul>
      {told.hasNextPage && (
        <div className="line">
          <Button busy={told.isFetchingNextPage} onClick={() => void told.fetchNextPage()}>
            Show older ones
          </Button>
        </div>
      )}
    </>
  );
}
