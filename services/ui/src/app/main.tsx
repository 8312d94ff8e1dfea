/* Starts the page. */
import { notifyManager } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/workspace.css";
import "./styles/messages.css";
import "./styles/pages.css";
import "./styles/analytics.css";
import { App } from "./App";

// What a change makes of the page is there before the next paint: by default it comes a timer later, and a box that was
// ticked would jump back in between.
notifyManager.setScheduler(queueMicrotask);

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root.");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
