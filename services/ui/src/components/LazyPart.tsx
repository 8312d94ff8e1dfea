/* A part of the page that is loaded when it is shown; what cannot be loaded is said, with a way on. */
import { Component, type ReactNode, Suspense } from "react";
import { Button } from "./parts";

interface Props {
  readonly children: ReactNode;
}

export class LazyPart extends Component<Props, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (this.state.failed) return <NotLoaded />;
    return <Suspense fallback={<p className="empty-line part-loading">Loading…</p>}>{this.props.children}</Suspense>;
  }
}

function NotLoaded() {
  return (
    <div className="welcome" role="alert">
      <h1>This part could not be loaded</h1>
      <p>The connection may be lost, or Signalink was updated since this page was opened. Messages that wait to be sent are kept.</p>
      <div className="welcome-actions">
        <Button look="primary" onClick={() => location.reload()}>
          Load the page again
        </Button>
      </div>
    </div>
  );
}
