/* Words that a message is told of for. */
import { type FormEvent, useState } from "react";
import { Button, Field, IconButton, ProblemNote } from "@/components/parts";
import { useChange } from "../api/preferences";
import { KEYWORD_SIGNS, MOST_KEYWORDS, withKeyword } from "../model/preferences";

export function Keywords({ keywords }: { readonly keywords: readonly string[] }) {
  const [written, setWritten] = useState("");
  const change = useChange(() => setWritten(""));
  const add = (event: FormEvent): void => {
    event.preventDefault();
    const more = withKeyword(keywords, written);
    if (more === keywords) setWritten("");
    else change.mutate({ what: "keywords", keywords: more });
  };
  const problem = wordProblem(change.error);
  return (
    <>
      {keywords.length > 0 && (
        <ul className="chips" aria-label="Keywords">
          {keywords.map((word) => (
            <li key={word}>
              <span>{word}</span>
              <IconButton icon="close" label={`Remove ${word}`} onClick={() => change.mutate({ what: "keywords", keywords: keywords.filter((each) => each !== word) })} />
            </li>
          ))}
        </ul>
      )}
      <form className="line" onSubmit={add}>
        <Field label="Another word" minLength={KEYWORD_SIGNS.least} maxLength={KEYWORD_SIGNS.most} value={written} onChange={(event) => setWritten(event.target.value)} problem={problem} />
        <Button type="submit" disabled={written.trim() === "" || keywords.length >= MOST_KEYWORDS}>
          Add
        </Button>
      </form>
      {problem === undefined && <ProblemNote error={change.error} />}
    </>
  );
}

/** A refused word is refused at its place in the list, `keywords.3`; here that is the one being written. */
function wordProblem(error: unknown): string | undefined {
  const fields = (error as { fields?: readonly { field: string; message: string }[] } | null)?.fields ?? [];
  return fields.find(({ field }) => field.startsWith("keywords"))?.message;
}
