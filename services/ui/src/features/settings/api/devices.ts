/* The user's devices over HTTP: they belong to the api, so they are there also without the notifications service. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Device, answer } from "@/client";
import { useClient } from "@/lib/contexts";

const DEVICES = ["devices"] as const;

export function useDevices() {
  const { http } = useClient();
  return useQuery({ queryKey: DEVICES, queryFn: async () => (await answer(http.GET("/v1/users/me/devices"))).items });
}

export interface NewDevice {
  readonly name: string;
  readonly push_token: string;
}

export function useRegisterDevice(registered: () => void) {
  const { http } = useClient();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (device: NewDevice) => answer(http.PUT("/v1/users/me/devices", { body: { kind: "fcm", ...device } })),
    onSuccess: (device) => {
      queries.setQueryData<Device[]>(DEVICES, (known) => [device, ...(known ?? []).filter((each) => each.id !== device.id)]);
      registered();
    },
  });
}

export function useRemoveDevice() {
  const { http } = useClient();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(http.DELETE("/v1/users/me/devices/{device_id}", { params: { path: { device_id: id } } })),
    onSuccess: (_, id) => queries.setQueryData<Device[]>(DEVICES, (known) => known?.filter((each) => each.id !== id)),
  });
}
