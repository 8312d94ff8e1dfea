/* Preferences over HTTP. What is shown is what the service has saved and, over it, the changes that are on their way:
   a change that is refused disappears by itself, and no answer can undo another one. */
import { useMutation, useMutationState, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { type NotificationsHttp, answer } from "@/client";
import { useNotifications } from "@/lib/services";
import { type Change, type Preferences, shown } from "../model/preferences";
import { ofDocument, patchOf } from "./documents";

export const PREFERENCES = ["preferences"] as const;

export function usePreferences() {
  const http = useNotifications();
  const saved = useQuery({ queryKey: PREFERENCES, queryFn: async () => ofDocument(await answer(http.GET("/v1/preferences"))) });
  const onTheirWay = useMutationState({ filters: { mutationKey: PREFERENCES, status: "pending" }, select: ({ state }) => state.variables as Change });
  return { ...saved, shown: useMemo(() => saved.data && shown(saved.data, onTheirWay), [saved.data, onTheirWay]) };
}

/** One change at a time goes to the service, in the order they were made. */
export function useChange(saved?: () => void) {
  const http = useNotifications();
  const queries = useQueryClient();
  return useMutation({
    mutationKey: PREFERENCES,
    scope: { id: "preferences" },
    mutationFn: (change: Change) => save(http, change),
    onSuccess: (kept) => {
      queries.setQueryData<Preferences>(PREFERENCES, kept);
      saved?.();
    },
  });
}

async function save(http: NotificationsHttp, change: Change): Promise<Preferences> {
  if (change.what !== "choice") return ofDocument(await answer(http.PATCH("/v1/preferences", { body: patchOf(change) })));
  const path = { kind: change.kind, channel: change.way };
  return ofDocument(await answer(http.PUT("/v1/preferences/choices/{kind}/{channel}", { params: { path }, body: { enabled: change.on } })));
}
