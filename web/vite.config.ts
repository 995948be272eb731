import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { backend } from "./dev/backend.ts";

// Served below /ui/ by the server itself; the nonce is a placeholder that it replaces in each response.
export default defineConfig(({ command, isPreview }) => ({
  base: "/ui/",
  plugins: [react(), ...(command === "serve" || isPreview ? [backend()] : [])],
  html: { cspNonce: command === "build" ? "__CSP_NONCE__" : undefined },
  build: {
    target: ["chrome125", "firefox126", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", strictPort: true },
  preview: { host: "127.0.0.1", strictPort: true },
  // Generated tests take as long as the machine needs: the limit is only for those that never end.
  test: { include: ["src/**/*.test.ts"], testTimeout: 60_000 },
}));
