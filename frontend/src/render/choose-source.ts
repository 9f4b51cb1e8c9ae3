/** Who turns stored values into grey: this machine, or for a weak one the server. */

export type PictureSource = "pixels" | "server";

const KEPT_AS = "noctis.surface";
const LITTLE_MEMORY_GB = 1;

interface Hints {
  readonly deviceMemory?: number;
  readonly connection?: { readonly saveData?: boolean };
}

/**
 * `?surface=server` or `?surface=pixels` in the address decides, for the rest of the tab; else a machine
 * with 1 GB of memory or less, or whose user saves data, has its pictures drawn by the server.
 */
export function chooseSource(search: string, machine: Hints = navigator as Hints): PictureSource {
  const wished = new URLSearchParams(search).get("surface");
  if (wished === "server" || wished === "pixels") {
    sessionStorage.setItem(KEPT_AS, wished);
    return wished;
  }
  const kept = sessionStorage.getItem(KEPT_AS);
  if (kept === "server" || kept === "pixels") {
    return kept;
  }
  const isWeak = (machine.deviceMemory ?? Infinity) <= LITTLE_MEMORY_GB || machine.connection?.saveData === true;
  return isWeak ? "server" : "pixels";
}

/** Whether the picture may lose what the eye does not miss: where data are saved, and it says so. */
export function savesData(machine: Hints = navigator as Hints): boolean {
  return machine.connection?.saveData === true;
}
