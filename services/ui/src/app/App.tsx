/* Who is signed in decides the screen. The only place where the client's parts are built. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { type Me, Messenger, Problem, Session, type SessionState, Store, createHttp } from "@/client";
import { Brand, Button, ProblemNote } from "@/components/parts";
import { MINE } from "@/features/channels/api/channels";
import { SignIn } from "@/features/session/components/SignIn";
import { type Client, ClientContext, membersKey } from "@/lib/contexts";
import { Workspace } from "./Workspace";

/** `?dedupe=off`: show every event the gateway sends, to see that it sends each once (services/ui/README.md). */
const dedupe = new URLSearchParams(location.search).get("dedupe") !== "off";

interface Shared {
  readonly state: SessionState;
}

class Root {
  readonly store = new Store<Shared>({ state: { phase: "unknown" } });
  onRenewed: () => void = () => undefined;
  readonly session = new Session((state, renewed) => {
    if (renewed) this.onRenewed();
    else this.store.set({ state });
  });
  readonly http = createHttp(this.session, location.origin);
}

export function App() {
  const [root] = useState(() => new Root());
  const { state } = useSyncExternalStore(root.store.watch, root.store.get);
  useEffect(() => void root.session.restore(), [root]);
  switch (state.phase) {
    case "unknown":
      return <Splash />;
    case "unreachable":
      return <Splash problem={state.problem} onRetry={() => void root.session.restore()} />;
    case "out":
      return (
        <QueryClientProvider client={outside}>
          <SignIn session={root.session} />
        </QueryClientProvider>
      );
    case "in":
      return <SignedIn key={state.me.id} root={root} me={state.me} />;
  }
}

const outside = new QueryClient();

function SignedIn({ root, me }: { readonly root: Root; readonly me: Me }) {
  const queries = useMemo(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: { networkMode: "always", retry: (failures, error) => failures < 5 && error instanceof Problem && error.passes, staleTime: 15_000 },
          mutations: { networkMode: "always" },
        },
      }),
    [],
  );
  const [client, setClient] = useState<Client | null>(null);
  useEffect(() => {
    const { http, session } = root;
    const messenger = new Messenger({
      http,
      session,
      me,
      dedupe,
      onChanged: (what, channel) => void queries.invalidateQueries({ queryKey: what === "members" ? membersKey(channel) : MINE }),
    });
    root.onRenewed = () => void messenger.renewed();
    messenger.start();
    setClient({ http, session, me, messenger });
    return () => {
      root.onRenewed = () => undefined;
      messenger.stop();
      queries.clear();
    };
  }, [root, me, queries]);
  if (client === null) return <Splash />;
  return (
    <QueryClientProvider client={queries}>
      <ClientContext value={client}>
        <Workspace />
      </ClientContext>
    </QueryClientProvider>
  );
}

function Splash({ problem, onRetry }: { readonly problem?: Problem; readonly onRetry?: () => void }) {
  return (
    <main className="splash">
      <Brand />
      <ProblemNote error={problem} />
      {onRetry && (
        <Button look="primary" onClick={onRetry}>
          Try again
        </Button>
      )}
    </main>
  );
}
