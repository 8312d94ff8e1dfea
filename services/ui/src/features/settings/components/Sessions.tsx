/* Ending every session at once; this page's own is among them. */
import { useMutation } from "@tanstack/react-query";
import { answer } from "@/client";
import { Button, ProblemNote } from "@/components/parts";
import { useClient } from "@/lib/contexts";

export function Sessions() {
  const { http, session } = useClient();
  const leave = useMutation({ mutationFn: () => answer(http.POST("/v1/auth/logout-all")), onSuccess: () => session.ended() });
  return (
    <>
      <p className="absent">Every browser and device is signed out within seconds, this one too. Messages that are not sent yet stay in this browser.</p>
      <ProblemNote error={leave.error} />
      <div className="line">
        <Button look="danger" busy={leave.isPending} onClick={() => leave.mutate()}>
          Sign out everywhere
        </Button>
      </div>
    </>
  );
}
