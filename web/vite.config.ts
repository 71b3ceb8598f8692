import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { early } from "./early.ts";

/** What draws charts: asked for by the pages alone that have some. */
const CHARTS = /node_modules\/(recharts|victory-vendor|d3-|internmap|@reduxjs|react-redux|redux|reselect|immer|es-toolkit|decimal\.js|eventemitter3|tiny-invariant)|src\/shared\/(LineChart|marks|thin|turns|width)/;
const shared = (file: string) => !CHARTS.test(file);

/**
 * A page is three files: the entry, `base` with all that two pages or more have in common, and its own; a fourth draws its charts.
 * Each file that is asked for costs the server as much as an answer of its API. Built files lie beside the server that serves
 * them: hatch puts them into the wheel from there.
 */
export default defineConfig({
  plugins: [react(), early()],
  build: {
    outDir: "../src/ludb/server/web",
    emptyOutDir: true,
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "base", test: shared, minShareCount: 2, priority: 2 },
            { name: "charts", test: CHARTS, priority: 1 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8321", "/info": "http://127.0.0.1:8321" } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
