import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(js|css|svg)$/;
const LEAST_BYTES = 1024;
/** Two levels higher saves a twentieth more and takes ten times as long. */
const QUALITY = 9;

/** Puts a coded copy beside every text, which the web server sends to browsers that take it. */
export function packedTexts(): Plugin {
  return {
    name: "noctis-packed",
    apply: "build",
    writeBundle({ dir }): void {
      const folder = dir ?? ".";
      for (const name of readdirSync(folder, { recursive: true }) as string[]) {
        const path = join(folder, name);
        if (TEXT.test(name)) {
          pack(path, readFileSync(path));
        }
      }
    },
  };
}

function pack(path: string, content: Buffer): void {
  if (content.length >= LEAST_BYTES) {
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
    const params = { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
    writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
  }
}
