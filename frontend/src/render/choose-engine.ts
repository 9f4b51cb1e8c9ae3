/** WebGL is worth its engine only with a graphics card: emulated, the plain canvas is faster. */

import type { EngineChoice } from "./viewport";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const QUIET_MS = 2_000;
const LATEST_MS = 5_000;
const KEPT_AS = "noctis.engine";

/** `?engine=webgl` or `?engine=canvas` in the address decides by hand; else the machine, once a tab. */
export async function chooseEngine(search: string): Promise<EngineChoice> {
  const wished = new URLSearchParams(search).get("engine") ?? sessionStorage.getItem(KEPT_AS);
  if (wished === "webgl" || wished === "canvas") {
    return wished;
  }
  await untilQuiet();
  const found = hasGraphicsCard() ? "webgl" : "canvas";
  sessionStorage.setItem(KEPT_AS, found);
  return found;
}

/** To ask for a graphics card the page stands still until the card's process answers: not while pictures come. */
async function untilQuiet(): Promise<void> {
  if (document.readyState !== "complete") {
    await new Promise((resolve) => window.addEventListener("load", resolve, { once: true }));
  }
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  await new Promise<void>((resolve) => {
    if ("requestIdleCallback" in window) {
      requestIdleCallback(() => resolve(), { timeout: LATEST_MS });
    } else {
      resolve();
    }
  });
}

function hasGraphicsCard(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  if (context === null) {
    return false;
  }
  const names = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = context.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER) as unknown;
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(String(renderer));
}
