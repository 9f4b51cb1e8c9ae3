/** Tools and actions for findings, with their keys. */

import { kindName } from "../core/finding-text";
import { seenOn } from "../core/finding-places";
import { type DrawnKind, type Finding } from "../core/findings";
import { t } from "../core/text";
import { setTool } from "../state/changes";
import type { FindingStore } from "../state/findings";
import type { ToolName } from "../state/store";
import type { Marking } from "../tools/marking";
import type { Instrument } from "../tools/tool";
import type { Command } from "./viewer-commands";
import type { MarkEditor } from "./viewer-mark-editor";

/** Each tool's key and icon; those in the row itself come first, the others in its menu. */
const TOOLS: readonly (readonly [DrawnKind, string, string])[] = [
  ["length", "m", "ruler"],
  ["ellipse", "Q", "egg"],
  ["angle", "A", "triangle-right"],
  ["arrow", "W", "arrow-up-right"],
  ["probe", "P", "pipette"],
  ["bidirectional", "X", "move-diagonal"],
  ["cobb", "c", "slash"],
  ["rectangle", "R", "rectangle-horizontal"],
  ["circle", "F8", "circle"],
  ["polygon", "F", "lasso"],
  ["polyline", "L", "spline"],
  ["text", "T", "type"],
  ["spine_label", "N", "bone"],
  ["cardiothoracic", "H", "heart-pulse"],
  ["calibration", "U", "ruler-dimension-line"],
];
export const ROW_COUNT = 2;

export interface MeasureTool {
  readonly tool: ToolName;
  readonly command: Command;
}

export interface MeasureParts {
  readonly instrument: Instrument;
  readonly findings: FindingStore;
  readonly marking: Marking;
  readonly editor: MarkEditor;
  readonly say: (words: string) => void;
}

export function selectTool({ instrument: { store } }: MeasureParts): MeasureTool {
  return toolOf(store, "select", t("Select and move"), "d", "mouse-pointer-2");
}

export function measureTools({ instrument: { store } }: MeasureParts): MeasureTool[] {
  return TOOLS.map(([kind, key, icon]) => toolOf(store, kind, kindName(kind), key, icon));
}

function toolOf(store: Instrument["store"], tool: ToolName, name: string, key: string, icon: string): MeasureTool {
  const command: Command = {
    id: `tool-${tool.replace("_", "-")}`,
    name,
    keys: [key],
    group: "measure",
    icon,
    run: () => store.change(setTool(tool)),
    isOn: (state) => state.tool === tool,
  };
  return { tool, command };
}

export function findingCommands(parts: MeasureParts): Command[] {
  const { findings, marking, editor, instrument } = parts;
  const command = (id: string, name: string, keys: string[], run: () => void, canRun?: () => boolean): Command => ({
    id,
    name,
    keys,
    group: "measure",
    run,
    ...(canRun === undefined ? {} : { canRun }),
  });
  // What is not on the screen is neither deleted nor changed by a key.
  const hasSelection = (): boolean => isSeen(findings.selection, instrument);
  const mayChange = (): boolean => hasSelection() && !findings.isFixed(findings.selectedKey);
  let copied: Finding | null = null;
  return [
    { ...command("undo", t("Undo"), ["Ctrl+z"], () => findings.undo()), icon: "undo-2" },
    { ...command("redo", t("Redo"), ["Ctrl+Shift+z", "Ctrl+y"], () => findings.redo()), icon: "redo-2" },
    {
      ...command("delete-the-selected-one", t("Delete selected"), ["Delete", "Backspace"], () => findings.remove(findings.selectedKey), mayChange),
      icon: "trash-2",
    },
    command("copy", t("Copy"), ["Ctrl+c"], () => (copied = findings.selection), hasSelection),
    command("paste-on-this-image", t("Paste on this image"), ["Ctrl+v"], () => paste(parts, copied), () => copied !== null),
    command(
      "end-the-line-or-edit-its-words",
      t("End the line, or edit its words"),
      ["Enter"],
      () => {
        const { selection } = findings;
        if (!marking.finish() && selection !== null) {
          editor.edit(selection);
        }
      },
      () => marking.isDrawing || mayChange(),
    ),
    {
      ...command("show-or-hide-all-marks", t("Show or hide all marks"), ["%"], () => findings.show(!findings.isShown)),
      icon: "eye",
      isOn: () => findings.isShown,
    },
    command("next-finding-on-this-image", t("Next finding on this image"), ["'"], () => selectNext(instrument, findings)),
  ];
}

function isSeen(finding: Finding | null, { viewport }: Instrument): boolean {
  const facts = viewport.shown?.facts;
  return finding !== null && facts !== undefined && seenOn(finding, facts) !== null;
}

function paste({ marking, say }: MeasureParts, copied: Finding | null): void {
  if (copied !== null && !marking.paste(copied)) {
    say(t("A finding is copied within its own series."));
  }
}

/** Without a pointer: one after the other. */
function selectNext({ viewport }: Instrument, findings: FindingStore): void {
  const facts = viewport.shown?.facts;
  const here = facts === undefined ? [] : findings.findings().filter((one) => seenOn(one, facts) !== null);
  const at = here.findIndex(({ key }) => key === findings.selectedKey);
  findings.select(here[(at + 1) % Math.max(1, here.length)]?.key ?? "");
}
