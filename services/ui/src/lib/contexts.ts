/* The client for React: who is signed in, what their messenger says, and the names of people. */
import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, useMemo, useSyncExternalStore } from "react";
import { type Http, type Me, type Member, type Messages, type Messenger, type Session, all, answer } from "@/client";

export interface Client {
  readonly http: Http;
  readonly session: Session;
  readonly messenger: Messenger;
  readonly me: Me;
}

export const ClientContext = createContext<Client | null>(null);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("There is no client above this component.");
  return client;
}

/** A part of what the messenger says; `pick` must answer the same object while nothing changed. */
export function useMessages<T>(pick: (messages: Messages) => T): T {
  const { store } = useClient().messenger;
  return useSyncExternalStore(store.watch, () => pick(store.get()));
}

export const membersKey = (channel: string): readonly string[] => ["members", channel];

export interface People {
  readonly members: readonly Member[];
  nameOf(user: string): string;
}

/** The members of a channel and their names. */
export function useMembers(channel: string): People {
  const { http, me } = useClient();
  const { data } = useQuery({
    queryKey: membersKey(channel),
    queryFn: () =>
      all((cursor) =>
        answer(
          http.GET("/v1/channels/{channel_id}/members", {
            params: { path: { channel_id: channel }, query: { limit: 200, ...(cursor === undefined ? {} : { cursor }) } },
          }),
        ),
      ),
  });
  return useMemo(() => {
    const names = new Map((data ?? []).map((member) => [member.user_id, member.display_name || member.username]));
    names.set(me.id, me.display_name || me.username);
    return { members: data ?? [], nameOf: (user: string) => names.get(user) ?? (data ? "Former member" : "…") };
  }, [data, me]);
}

