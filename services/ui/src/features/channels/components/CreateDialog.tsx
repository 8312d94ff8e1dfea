/* A new channel: its address follows its name until somebody writes another one. */
import { type FormEvent, useState } from "react";
import { Button, Dialog, Field, ProblemNote, fieldProblem } from "@/components/parts";
import { slugOf } from "@/lib/words";
import { type NewChannel, useCreateChannel } from "../api/channels";

const FIELDS = ["name", "slug", "description"];

interface Props {
  readonly onClose: () => void;
  readonly onOpen: (channel: string) => void;
}

export function CreateDialog({ onClose, onOpen }: Props) {
  const [name, setName] = useState("");
  const [slug, setSlug] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const [kind, setKind] = useState<NewChannel["kind"]>("public");
  const create = useCreateChannel((channel) => onOpen(channel.id));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate({ name: name.trim(), slug: slug ?? slugOf(name), kind, description: description.trim() });
  };
  return (
    <Dialog title="Create a channel" onClose={onClose}>
      <form onSubmit={submit}>
        <Field label="Name" required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} problem={fieldProblem(create.error, "name")} />
        <Field label="Address" required maxLength={100} value={slug ?? slugOf(name)} onChange={(event) => setSlug(event.target.value)} hint="Lower-case letters, digits and dashes; unique." problem={fieldProblem(create.error, "slug")} />
        <Field label="What it is about" maxLength={2000} value={description} onChange={(event) => setDescription(event.target.value)} problem={fieldProblem(create.error, "description")} />
        <fieldset className="choices">
          <legend>Who may join</legend>
          <Choice label="Everybody" about="Public: anyone can find and join it." checked={kind === "public"} onChoose={() => setKind("public")} />
          <Choice label="Only who is added" about="Private: nobody else knows that it exists." checked={kind === "private"} onChoose={() => setKind("private")} />
        </fieldset>
        <ProblemNote error={create.error} fields={FIELDS} />
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly about: string;
  readonly checked: boolean;
  readonly onChoose: () => void;
}

function Choice({ label, about, checked, onChoose }: ChoiceProps) {
  return (
    <label className="choice">
      <input type="radio" name="kind" checked={checked} onChange={onChoose} />
      <span>
        <span className="choice-label">{label}</span>
        <span className="choice-about">{about}</span>
      </span>
    </label>
  );
}
