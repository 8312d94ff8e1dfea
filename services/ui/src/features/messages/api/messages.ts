/* Messages over HTTP: history below the live feed, edits and deletions. What is new comes over the socket. */
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Message, type Timeline, answer } from "@/client";
import { useClient } from "@/lib/contexts";

const PAGE = 50;

/** Messages up to the timeline's base, ascending; older pages on request. Another base is another history. */
export function useHistory(channel: string, { base }: Timeline) {
  const { http } = useClient();
  const query = useInfiniteQuery({
    queryKey: ["history", channel, base.epoch, base.seq],
    queryFn: ({ pageParam }) =>
      answer(
        http.GET("/v1/channels/{channel_id}/messages", {
          params: { path: { channel_id: channel }, query: { before: pageParam, limit: PAGE } },
        }),
      ),
    initialPageParam: base.seq + 1,
    getNextPageParam: (page) => page.before ?? undefined,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const pages = query.data?.pages;
  const messages = useMemo<Message[]>(() => (pages ?? []).toReversed().flatMap((page) => page.items), [pages]);
  return { ...query, messages };
}

/** The new body is shown when its event arrives. */
export function useEdit(done: () => void) {
  const { http } = useClient();
  return useMutation({
    mutationFn: ({ id, body }: { id: string; body: string }) =>
      answer(http.PATCH("/v1/messages/{message_id}", { params: { path: { message_id: id } }, body: { body } })),
    onSuccess: done,
  });
}

export function useDelete(done: () => void) {
  const { http } = useClient();
  return useMutation({
    mutationFn: (id: string) => answer(http.DELETE("/v1/messages/{message_id}", { params: { path: { message_id: id } } })),
    onSuccess: done,
  });
}
