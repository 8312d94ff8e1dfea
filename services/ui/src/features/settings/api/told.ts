/* What the user was told of, page by page, the latest first. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { answer } from "@/client";
import { useNotifications } from "@/lib/services";

const ON_A_PAGE = 10;

export function useTold() {
  const http = useNotifications();
  return useInfiniteQuery({
    queryKey: ["told"],
    refetchInterval: 15_000,
    queryFn: ({ pageParam }) =>
      answer(http.GET("/v1/notifications", { params: { query: { limit: ON_A_PAGE, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });
}
