import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Built files lie beside the server that serves them: hatch puts them into the wheel from there. */
export default defineConfig({
  plugins: [react()],
  build: { outDir: "../src/ludb/server/web", emptyOutDir: true, chunkSizeWarningLimit: 900 },
  server: { proxy: { "/api": "http://127.0.0.1:8321", "/info": "http://127.0.0.1:8321" } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
