/* The address notifications are posted to; its secret is told by the service once, when the address is set. */
import { type FormEvent, useState } from "react";
import { ShownOnce } from "@/components/fields";
import { Button, Field, ProblemNote, fieldProblem } from "@/components/parts";
import { whenOf } from "@/lib/time";
import { useRemoveWebhook, useSetWebhook } from "../api/webhook";
import type { Preferences } from "../model/preferences";

export function Webhook({ webhook }: { readonly webhook: Preferences["webhook"] }) {
  const url = webhook?.url ?? null;
  const [draft, setDraft] = useState<string | null>(null);
  const written = draft ?? url ?? "";
  const set = useSetWebhook(() => setDraft(null));
  const remove = useRemoveWebhook(() => setDraft(null));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    remove.reset();
    set.mutate(written.trim());
  };
  return (
    <form className="form" onSubmit={submit}>
      <Field
        label="Address"
        type="url"
        inputMode="url"
        required
        maxLength={2000}
        placeholder="https://example.org/hook"
        value={written}
        onChange={(event) => setDraft(event.target.value)}
        hint={webhook === null ? "Begins with https:// and is reachable from the internet." : `Set ${whenOf(webhook.setAt)}.`}
        problem={fieldProblem(set.error, "url")}
      />
      {set.data && <ShownOnce label="Secret that signs what is posted there" value={set.data.secret} />}
      <ProblemNote error={set.error ?? remove.error} fields={["url"]} />
      <div className="line">
        <Button type="submit" look={written.trim() === (url ?? "") ? "plain" : "primary"} busy={set.isPending} disabled={set.isPending || written.trim() === ""}>
          {url === null ? "Set the address" : written.trim() === url ? "Make a new secret" : "Change the address"}
        </Button>
        {url !== null && (
          <Button busy={remove.isPending} onClick={() => (set.reset(), remove.mutate())}>
            Remove
          </Button>
        )}
      </div>
    </form>
  );
}
