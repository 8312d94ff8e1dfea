/* Messages of this person that are not acknowledged yet: waiting, or refused with the reason and what to do. */
import type { Draft } from "@/client";
import { Avatar, Button, sentence } from "@/components/parts";
import { Icon } from "@/components/Icon";
import { useClient } from "@/lib/contexts";

interface Props {
  readonly drafts: readonly Draft[];
  readonly waiting: boolean;
}

export function PendingList({ drafts, waiting }: Props) {
  const { me, messenger } = useClient();
  const name = me.display_name || me.username;
  return drafts.map((draft) => (
    <li key={draft.client_id} className="message pending" data-client-id={draft.client_id}>
      <Avatar id={me.id} name={name} />
      <div className="message-main">
        <p className="message-head">
          <span className="message-author">{name}</span>
          <span className={draft.refused ? "pending-state refused" : "pending-state"}>
            <Icon name={draft.refused ? "warning" : "clock"} />
            {draft.refused ? "Not sent" : waiting ? "Waiting for the connection" : "Sending"}
          </span>
        </p>
        <p className="message-body">
          <span className="message-text">{draft.body}</span>
        </p>
        {draft.refused && (
          <div className="refusal" role="alert">
            <p>
              {draft.refused.detail} {draft.refused.next_step && sentence(draft.refused.next_step)}
            </p>
            <Button onClick={() => void messenger.retry(draft.client_id)}>Try again</Button>
            <Button onClick={() => void messenger.discard(draft.client_id)}>Discard</Button>
          </div>
        )}
      </div>
    </li>
  ));
}
