/* One message: who, when, what; its author edits and deletes it, a moderator deletes it. */
import { type KeyboardEvent, memo, useState } from "react";
import type { MessageRow } from "@/client";
import { Avatar, Button, Dialog, IconButton, ProblemNote } from "@/components/parts";
import { momentOf, timeOf } from "@/lib/time";
import { useDelete, useEdit } from "../api/messages";

interface Props {
  readonly row: MessageRow;
  readonly name: string;
  readonly state: string | undefined;
  /** The message before is of the same person, so the name need not be said again. */
  readonly follows: boolean;
  readonly mine: boolean;
  readonly mayDelete: boolean;
  readonly editing: boolean;
  readonly onEdit: (id: string | null) => void;
}

export const MessageItem = memo(function MessageItem({ row, name, state, follows, mine, mayDelete, editing, onEdit }: Props) {
  const [deleting, setDeleting] = useState(false);
  return (
    <li className={follows ? "message follows" : "message"} data-seq={row.seq} data-epoch={row.epoch}>
      {follows ? (
        <time className="message-time" dateTime={row.at} title={momentOf(row.at)}>
          {timeOf(row.at)}
        </time>
      ) : (
        <Avatar id={row.sender} name={name} state={state} />
      )}
      <div className="message-main">
        {!follows && (
          <p className="message-head">
            <span className="message-author">{name}</span>
            <time dateTime={row.at} title={momentOf(row.at)}>
              {timeOf(row.at)}
            </time>
          </p>
        )}
        {editing ? <Editor row={row} onDone={() => onEdit(null)} /> : <Body row={row} />}
      </div>
      {!row.deleted && !editing && (mine || mayDelete) && (
        <div className="message-actions">
          {mine && <IconButton icon="pencil" label="Edit message" onClick={() => onEdit(row.id)} />}
          <IconButton icon="trash" label="Delete message" onClick={() => setDeleting(true)} />
        </div>
      )}
      {deleting && <DeleteDialog row={row} onClose={() => setDeleting(false)} />}
    </li>
  );
});

function Body({ row }: { readonly row: MessageRow }) {
  if (row.deleted) return <p className="message-gone">This message was deleted.</p>;
  return (
    <p className="message-body">
      <span className="message-text">{row.body}</span>
      {row.edited && <span className="message-edited"> (edited)</span>}
    </p>
  );
}

function Editor({ row, onDone }: { readonly row: MessageRow; readonly onDone: () => void }) {
  const [body, setBody] = useState(row.body);
  const edit = useEdit(onDone);
  const save = (): void => {
    if (body.trim() === "" || body === row.body) onDone();
    else edit.mutate({ id: row.id, body });
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") onDone();
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      save();
    }
  };
  return (
    <div className="editor">
      <textarea aria-label="Edit message" autoFocus rows={2} maxLength={4000} value={body} onChange={(event) => setBody(event.target.value)} onKeyDown={onKey} onFocus={(event) => event.target.setSelectionRange(body.length, body.length)} />
      <ProblemNote error={edit.error} />
      <div className="editor-actions">
        <Button onClick={onDone}>Cancel</Button>
        <Button look="primary" busy={edit.isPending} onClick={save}>
          Save
        </Button>
      </div>
    </div>
  );
}

function DeleteDialog({ row, onClose }: { readonly row: MessageRow; readonly onClose: () => void }) {
  const remove = useDelete(onClose);
  return (
    <Dialog title="Delete this message?" onClose={onClose}>
      <blockquote className="quoted">{row.body}</blockquote>
      <p>Its text is gone for good, for everybody.</p>
      <ProblemNote error={remove.error} />
      <div className="dialog-actions">
        <Button onClick={onClose}>Keep it</Button>
        <Button look="danger" busy={remove.isPending} onClick={() => remove.mutate(row.id)}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
