/** Fetches the stack of a series into the state, and says there when it could not be had. */

import { t } from "../core/text";
import { fetchStack, StackError } from "../io/stack";
import { setStack } from "../state/changes";
import type { StackState, Store } from "../state/store";

export async function loadStack(store: Store, seriesId: string): Promise<void> {
  const series = store.state.series.find(({ id }) => id === seriesId);
  if (series === undefined) {
    return;
  }
  store.change(setStack(seriesId, { kind: "loading" }));
  let next: StackState;
  try {
    next = { kind: "ready", stack: await fetchStack(series.stackUrl) };
  } catch (error) {
    next = { kind: "failed", words: error instanceof StackError ? error.message : t("The answer was not readable.") };
  }
  store.change(setStack(seriesId, next));
}
