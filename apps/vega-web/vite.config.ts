// How the console is built, served during development, and tested.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  server: {
    proxy: {
      // `npm run dev` and `npm run preview` pass this on to a Vega server on this
      // machine. Without it Vite would answer with the page itself and status 200,
      // and the console would call a stopped server up.
      "/livez": { target: "http://127.0.0.1:28020", changeOrigin: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test-setup.ts"],
  },
});
