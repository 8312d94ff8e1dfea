/* Where messages are written. Enter sends, Shift+Enter makes a line; an empty one with arrow up edits the last message. */
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from "react";
import type { Channel } from "@/client";
import { IconButton, ProblemNote } from "@/components/parts";
import { useClient } from "@/lib/contexts";

const MOST = 4_000;
const WARN_AT = 3_800;

interface Props {
  readonly channel: Channel;
  readonly onSent: () => void;
  readonly onEditLast: () => void;
}

export function Composer({ channel, onSent, onEditLast }: Props) {
  const { messenger } = useClient();
  const [body, setBody] = useState("");
  const [error, setError] = useState<unknown>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, 200)}px`;
  }, [body]);
  const send = (): void => {
    const text = body.trim();
    if (text === "") return;
    setBody("");
    setError(null);
    onSent();
    messenger.send(channel.id, text).catch((problem: unknown) => {
      setBody(text);
      setError(problem);
    });
    field.current?.focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && body === "") {
      event.preventDefault();
      onEditLast();
    }
  };
  if (channel.archived_at !== null) return <p className="composer-closed">This channel is archived; it can be read only.</p>;
  if (channel.membership?.role === "reader") return <p className="composer-closed">You may read here, not write.</p>;
  return (
    <div className="composer">
      <ProblemNote error={error} />
      <div className="composer-box">
        <textarea
          ref={field}
          rows={1}
          maxLength={MOST}
          aria-label={`Message to ${channel.name}`}
          placeholder={`Message to ${channel.name}`}
          value={body}
          onChange={(event) => {
            setBody(event.target.value);
            if (event.target.value !== "") messenger.typing(channel.id);
          }}
          onKeyDown={onKey}
        />
        {body.length > WARN_AT && <span className="composer-left">{MOST - body.length} left</span>}
        <IconButton icon="send" label="Send" className="send" disabled={body.trim() === ""} onClick={send} />
      </div>
    </div>
  );
}
