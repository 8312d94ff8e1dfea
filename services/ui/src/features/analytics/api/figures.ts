/* The figures over HTTP, asked again while they are looked at: as often as their windows can have changed visibly. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answer } from "@/client";
import { useAnalytics } from "@/lib/services";
import { type Range, beginOf } from "../model/ranges";

/** What is watched, what is beside it, and anything in windows of an hour or a day. */
const OFTEN_MS = 5_000;
const BESIDE_MS = 15_000;
const SELDOM_MS = 60_000;
const TOP = 10;

export type Rank = "messages" | "replies" | "characters" | "edits" | "joins";

const asked = (range: Range) => ({ interval: range.interval, from: new Date(beginOf(range, Date.now())).toISOString() });

/** Other ranges replace what is shown once they are there. */
function settings(range: Range, every: number, ...key: readonly string[]) {
  const refetchInterval = range.interval === "1m" ? every : SELDOM_MS;
  return { queryKey: ["figures", ...key, range.key], placeholderData: keepPreviousData, refetchInterval, staleTime: OFTEN_MS };
}

export function useSummary(range: Range) {
  const http = useAnalytics();
  return useQuery({ ...settings(range, OFTEN_MS, "summary"), queryFn: () => answer(http.GET("/v1/analytics/summary", { params: { query: asked(range) } })) });
}

export function useSeries(range: Range) {
  const http = useAnalytics();
  return useQuery({ ...settings(range, OFTEN_MS, "series"), queryFn: () => answer(http.GET("/v1/analytics/messages", { params: { query: asked(range) } })) });
}

export function useTop(range: Range, by: Rank) {
  const http = useAnalytics();
  return useQuery({
    ...settings(range, BESIDE_MS, "top", by),
    queryFn: () => answer(http.GET("/v1/analytics/channels", { params: { query: { ...asked(range), by, limit: TOP } } })),
  });
}

export function useChannelFigures(range: Range, channel: string) {
  const http = useAnalytics();
  return useQuery({
    ...settings(range, OFTEN_MS, "channel", channel),
    queryFn: () => answer(http.GET("/v1/analytics/channels/{channel_id}", { params: { path: { channel_id: channel }, query: asked(range) } })),
  });
}

export function useMine(range: Range) {
  const http = useAnalytics();
  return useQuery({
    ...settings(range, BESIDE_MS, "me"),
    queryFn: () => answer(http.GET("/v1/analytics/users/{user_id}", { params: { path: { user_id: "me" }, query: asked(range) } })),
  });
}

export function usePresence(range: Range, user: "me" | "all") {
  const http = useAnalytics();
  return useQuery({
    ...settings(range, BESIDE_MS, "presence", user),
    queryFn: () => answer(http.GET("/v1/analytics/presence", { params: { query: { ...asked(range), user } } })),
  });
}

export function useActive() {
  const http = useAnalytics();
  return useQuery({ queryKey: ["figures", "active"], refetchInterval: BESIDE_MS, queryFn: () => answer(http.GET("/v1/analytics/active-users")) });
}

export function useFreshness() {
  const http = useAnalytics();
  return useQuery({ queryKey: ["figures", "freshness"], refetchInterval: OFTEN_MS, queryFn: () => answer(http.GET("/v1/analytics/freshness")) });
}
