// How the console is built, served during development, and tested.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` and `npm run preview` find a Vega server. */
const SERVER = process.env.VEGA_SERVER ?? "http://127.0.0.1:28020";

/** To the server, the pages that Vite serves are its own; what other sites send keeps its `Sec-Fetch-Site` and is refused. */
const server = { target: SERVER, changeOrigin: true, headers: { origin: SERVER } };
const proxy = { "/livez": server, "/api": server };

/** As in the server's routes.rs, so that `npm run preview` shows what it refuses. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export default defineConfig({
  plugins: [react()],
  server: { proxy },
  preview: { proxy, headers: { "Content-Security-Policy": POLICY } },
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  test: {
    environment: "jsdom",
    // Only what hangs runs into it, also on a machine that is busy.
    testTimeout: 60_000,
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test-setup.ts"],
  },
});
