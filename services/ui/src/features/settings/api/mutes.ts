/* Muted channels over HTTP. The list shows a change once the service has it: muting is not undone by a lost answer, but not pretended either. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer } from "@/client";
import { useNotifications } from "@/lib/services";
import { type Mute, type MuteKey, untilOf } from "../model/mutes";

const MUTED = ["mutes"] as const;

export function useMutes() {
  const http = useNotifications();
  return useQuery({
    queryKey: MUTED,
    queryFn: async () => (await answer(http.GET("/v1/mutes"))).items.map(({ channel_id, until }): Mute => ({ channel: channel_id, until })),
  });
}

export function useMute() {
  const http = useNotifications();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ channel, key }: { readonly channel: string; readonly key: MuteKey }) =>
      answer(http.PUT("/v1/mutes/{channel_id}", { params: { path: { channel_id: channel } }, body: { until: untilOf(key, Date.now()) } })),
    onSuccess: ({ channel_id, until }) =>
      queries.setQueryData<Mute[]>(MUTED, (known) => [{ channel: channel_id, until }, ...(known ?? []).filter((each) => each.channel !== channel_id)]),
  });
}

export function useUnmute() {
  const http = useNotifications();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (channel: string) => answer(http.DELETE("/v1/mutes/{channel_id}", { params: { path: { channel_id: channel } } })),
    onSuccess: (_, channel) => queries.setQueryData<Mute[]>(MUTED, (known) => known?.filter((each) => each.channel !== channel)),
  });
}
