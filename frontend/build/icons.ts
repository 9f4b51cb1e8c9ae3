import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** Builds `icons.svg`: one symbol for each Lucide name in the list, drawn with the text's colour. */
export function iconSprite(listPath: string): Plugin {
  return {
    name: "noctis-icons",
    apply: "build",
    generateBundle(): void {
      this.addWatchFile(listPath);
      const names = JSON.parse(readFileSync(listPath, "utf8")) as string[];
      const source = buildSprite(names);
      this.emitFile({ type: "asset", fileName: "icons.svg", source });
    },
  };
}

export function buildSprite(names: string[]): string {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve("lucide-static/package.json")), "icons");
  const symbols = [...new Set(names)].sort().map((name) => {
    const path = join(folder, `${name}.svg`);
    if (!existsSync(path)) {
      throw new Error(`Lucide has no icon named ${name}`);
    }
    const svg = readFileSync(path, "utf8");
    const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    return (
      `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" ` +
      `stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${inner.trim()}</symbol>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}
