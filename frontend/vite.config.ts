import { defineConfig } from "vitest/config";
import { fileURLToPath } from "node:url";

import { iconSprite } from "./build/icons.ts";
import { packedTexts } from "./build/packed.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What templates may ask django-vite for; the names are the manifest's keys. */
const entries = [
  "src/ui/worklist.ts",
  "src/ui/upload.ts",
  "src/ui/viewer.ts",
  "src/ui/reconstructions.ts",
  "src/ui/peers.ts",
  "src/ui/doctor.ts",
  "src/styles/doctor.css",
  "src/styles/fonts.css",
  "src/styles/base.css",
  "src/styles/worklist.css",
  "src/styles/upload.css",
  "src/styles/viewer.css",
  "src/styles/reconstructions.css",
  "src/styles/peers.css",
  "src/styles/print.css",
  "src/styles/account.css",
  "src/ui/account.ts",
  "src/ui/print.ts",
];

export default defineConfig({
  // Relative, so that the files work below any STATIC_URL.
  base: "./",
  publicDir: false,
  plugins: [iconSprite(here("src/icons.json")), packedTexts()],
  resolve: {
    // The engine's readers name Node's modules; without these the page dies while it loads.
    alias: { events: here("node_modules/events/events.js"), url: here("node_modules/url/url.js") },
  },
  build: {
    outDir: here("../static/build"),
    emptyOutDir: true,
    manifest: "manifest.json",
    // A data: address would need a wider Content-Security-Policy for fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: { input: entries.map((entry) => here(entry)) },
  },
  worker: { format: "es" },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
