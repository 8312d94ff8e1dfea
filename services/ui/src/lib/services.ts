/* The services beside the api: whether this platform has them, and a typed client of each with the session's token. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type AnalyticsHttp, type NotificationsHttp, answer, createAnalytics, createNotifications } from "@/client";
import { useClient } from "./contexts";

export type ServiceName = "analytics" | "notifications";
const ADDRESSES = ["addresses"] as const;

/** Base addresses; null where the platform runs without the service. */
export function useAddresses() {
  const { http } = useClient();
  return useQuery({ queryKey: ADDRESSES, queryFn: () => answer(http.GET("/v1/addresses")), staleTime: 60_000 });
}

export function useAnalytics(): AnalyticsHttp {
  const address = useAddress("analytics");
  const { session } = useClient();
  return useMemo(() => createAnalytics(session, address), [session, address]);
}

export function useNotifications(): NotificationsHttp {
  const address = useAddress("notifications");
  const { session } = useClient();
  return useMemo(() => createNotifications(session, address), [session, address]);
}

function useAddress(name: ServiceName): string {
  const address = useAddresses().data?.[name];
  if (!address) throw new Error(`There is no <ServiceGate of="${name}"> above this component.`);
  return address;
}
