/* The webhook over HTTP: setting its address makes a secret, which only that answer shows. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer } from "@/client";
import { useNotifications } from "@/lib/services";
import type { Preferences } from "../model/preferences";
import { PREFERENCES } from "./preferences";

/** Its data is the secret; it is gone with the component that shows it. */
export function useSetWebhook(set: () => void) {
  const http = useNotifications();
  const keep = useKeep();
  return useMutation({
    mutationFn: (url: string) => answer(http.PUT("/v1/preferences/webhook", { body: { url } })),
    onSuccess: ({ url, set_at }) => {
      keep({ url, setAt: set_at });
      set();
    },
    gcTime: 0,
  });
}

export function useRemoveWebhook(removed: () => void) {
  const http = useNotifications();
  const keep = useKeep();
  return useMutation({
    mutationFn: () => answer(http.DELETE("/v1/preferences/webhook")),
    onSuccess: () => {
      keep(null);
      removed();
    },
  });
}

function useKeep(): (webhook: Preferences["webhook"]) => void {
  const queries = useQueryClient();
  return (webhook) => queries.setQueryData<Preferences>(PREFERENCES, (saved) => saved && { ...saved, webhook });
}
