/** WebGL is worth its engine only with a graphics card: emulated, the plain canvas is faster. */

import type { EngineChoice } from "./viewport";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const LATEST_MS = 3_000;

/** `?engine=webgl` or `?engine=canvas` in the address decides by hand; else it is looked at when the page is idle. */
export async function chooseEngine(search: string): Promise<EngineChoice> {
  const wished = new URLSearchParams(search).get("engine");
  if (wished === "webgl" || wished === "canvas") {
    return wished;
  }
  await untilIdle();
  return hasGraphicsCard() ? "webgl" : "canvas";
}

/** To ask for a graphics card costs a tenth of a second and more: not before the first picture. */
async function untilIdle(): Promise<void> {
  if (document.readyState !== "complete") {
    await new Promise((resolve) => window.addEventListener("load", resolve, { once: true }));
  }
  await new Promise<void>((resolve) => {
    if ("requestIdleCallback" in window) {
      requestIdleCallback(() => resolve(), { timeout: LATEST_MS });
    } else {
      setTimeout(resolve, LATEST_MS);
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
