/** WebGL is worth its engine only with a graphics card: emulated, the plain canvas is faster. */

import type { EngineChoice } from "./viewport";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** `?engine=webgl` or `?engine=canvas` in the address decides by hand. */
export function chooseEngine(search: string): EngineChoice {
  const wished = new URLSearchParams(search).get("engine");
  if (wished === "webgl" || wished === "canvas") {
    return wished;
  }
  return hasGraphicsCard() ? "webgl" : "canvas";
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
