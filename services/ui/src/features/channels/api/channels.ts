/* Channels over HTTP: mine, public ones, making and joining. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Channel, all, answer } from "@/client";
import { useClient } from "@/lib/contexts";

export const MINE = ["channels", "mine"] as const;
const page = (cursor: string | undefined) => ({ limit: 200, ...(cursor === undefined ? {} : { cursor }) });

/** Every channel the user is a member of. Asked again when the window is shown: being taken in is told to nobody. */
export function useMyChannels() {
  const { http } = useClient();
  return useQuery({
    queryKey: MINE,
    queryFn: () => all((cursor) => answer(http.GET("/v1/channels/mine", { params: { query: page(cursor) } }))),
    refetchInterval: 60_000,
  });
}

export function usePublicChannels(search: string) {
  const { http } = useClient();
  const q = search.trim();
  return useQuery({
    queryKey: ["channels", "public", q],
    queryFn: async () =>
      (await answer(http.GET("/v1/channels", { params: { query: { limit: 100, ...(q === "" ? {} : { q }) } } }))).items,
    placeholderData: (shown: Channel[] | undefined) => shown,
  });
}

export interface NewChannel {
  readonly name: string;
  readonly slug: string;
  readonly kind: "public" | "private";
  readonly description: string;
}

export function useCreateChannel(created: (channel: Channel) => void) {
  const { http } = useClient();
  const add = useAdd();
  return useMutation({
    mutationFn: (body: NewChannel) => answer(http.POST("/v1/channels", { body })),
    onSuccess: (channel) => {
      add(channel);
      created(channel);
    },
  });
}

export function useJoinChannel(joined: (channel: Channel) => void) {
  const { http } = useClient();
  const add = useAdd();
  return useMutation({
    mutationFn: (channel: Channel) => answer(http.POST("/v1/channels/{channel_id}/join", { params: { path: { channel_id: channel.id } } })),
    onSuccess: (channel) => {
      add(channel);
      joined(channel);
    },
  });
}

export function useLeaveChannel(left: () => void) {
  const { http } = useClient();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (channel: Channel) => answer(http.POST("/v1/channels/{channel_id}/leave", { params: { path: { channel_id: channel.id } } })),
    onSuccess: (_, channel) => {
      queries.setQueryData<Channel[]>(MINE, (mine) => mine?.filter((each) => each.id !== channel.id));
      left();
    },
  });
}

/** The list shows the new channel at once; the api's own list follows. */
function useAdd(): (channel: Channel) => void {
  const queries = useQueryClient();
  return (channel) => {
    queries.setQueryData<Channel[]>(MINE, (mine) => [...(mine ?? []).filter((each) => each.id !== channel.id), channel]);
    void queries.invalidateQueries({ queryKey: ["channels"] });
  };
}
