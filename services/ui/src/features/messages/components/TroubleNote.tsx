/* Events that are missing are said, never passed over in silence. */
import type { Trouble } from "@/client";
import { Icon } from "@/components/Icon";
import { Button } from "@/components/parts";

interface Props {
  readonly trouble: Trouble;
  readonly onRetry: () => void;
  readonly onDismiss: () => void;
}

export function TroubleNote({ trouble, onRetry, onDismiss }: Props) {
  const which = trouble.from === trouble.to ? `event ${trouble.from}` : `events ${trouble.from} to ${trouble.to}`;
  return (
    <div className="trouble" role="alert" data-trouble={trouble.kind}>
      <Icon name="warning" />
      {trouble.kind === "hole" ? (
        <p>
          Something is missing here: {which} did not arrive. They are being fetched from the log; until then what you see is
          incomplete.
        </p>
      ) : (
        <p>You were away for longer than the log reaches back ({which}). The messages were loaded anew; joins and departures of that time are not shown.</p>
      )}
      <Button onClick={trouble.kind === "hole" ? onRetry : onDismiss}>{trouble.kind === "hole" ? "Try now" : "Understood"}</Button>
    </div>
  );
}
