/* Builds into the api's package, from where it is served at `/` with hashed names that may be kept for ever. */
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const api = process.env["SIGNALINK_API_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": here("./src") } },
  build: {
    outDir: here("../api/signalink_api/ui_static"),
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    target: "es2023",
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: api, changeOrigin: true, headers: { origin: api } } } },
  test: { include: ["test/**/*.test.ts"], environment: "node", restoreMocks: true },
});
