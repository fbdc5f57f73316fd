/** Reopening: runs that rest in the workspace are offered once, in a message that holds up nothing. */

import * as vscode from "vscode";
import type { RunRow } from "./protocol";
import { type Run, type Runs, why } from "./runs";
import type { Steering, Tell } from "./steering";

const RESUME = "Resume";
const SHOW = "Show";
const NOT_NOW = "Not Now";

export async function offer(rows: RunRow[], runs: Runs, steering: Steering, tell: Tell): Promise<void> {
  const [newest] = rows;
  if (newest === undefined) return;
  // The list of all runs comes by itself; the offer may be first.
  runs.know(rows);
  const still = (): Run[] => rows.flatMap(({ runId }) => runs.get(runId) ?? []).filter(({ standing }) => standing === "paused");
  const said =
    rows.length === 1
      ? `“${shorten(newest.task)}” is paused: ${why(newest.reason)}.`
      : `${rows.length} runs are paused here, the newest: “${shorten(newest.task)}”.`;
  for (let buttons = [RESUME, SHOW, NOT_NOW]; ; buttons = [RESUME, NOT_NOW]) {
    const chosen = await vscode.window.showInformationMessage(said, ...buttons);
    if (chosen === NOT_NOW) {
      for (const run of still()) await tell("assist.later", { runId: run.id });
      return;
    }
    // Closed without a choice: the next start may ask again.
    if (chosen === undefined) return;
    const run = await steering.pick(chosen === RESUME ? "Resume Run" : "Show Run", still());
    if (run === undefined) return;
    if (chosen === RESUME) return void (await tell("assist.resume", { runId: run.id }));
    await steering.show(run);
  }
}

function shorten(task: string): string {
  const words = task.replace(/\s+/g, " ").trim();
  return words.length <= 80 ? words : `${words.slice(0, 79).trimEnd()}…`;
}
