/** The workspace's sessions in a list, and the log of one as a document. */

import * as vscode from "vscode";
import { fields, readEvent, readRefusal, readSessions, sentence, type SessionRow } from "./protocol";
import { line } from "./runs";
import type { Session } from "./session";

const SCHEME = "assist-log";

const ICONS: Record<string, string> = {
  pending: "$(clock)",
  running: "$(sync)",
  awaiting_confirmation: "$(question)",
  paused: "$(debug-pause)",
  done: "$(pass)",
  approved: "$(pass-filled)",
  failed: "$(error)",
  stopped: "$(circle-slash)",
};

interface Row extends vscode.QuickPickItem {
  session: SessionRow;
}

const UNDO: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("discard"), tooltip: "Undo what this run changed" };
const RESUME: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("debug-continue"), tooltip: "Go on with this run" };

export class Sessions implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  private readonly shown = new Map<string, SessionRow>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly session: Session,
    private readonly run: (command: string, runId: string) => Promise<void>,
  ) {}

  async pick(): Promise<void> {
    if (!(await this.session.ready())) return;
    const list = vscode.window.createQuickPick<Row>();
    list.title = "Assist: Sessions";
    list.placeholder = "What Assist did in this workspace, newest first. Enter shows the log.";
    list.matchOnDescription = true;
    list.matchOnDetail = true;
    list.busy = true;
    list.onDidHide(() => list.dispose());
    list.onDidAccept(async () => {
      const [row] = list.selectedItems;
      list.hide();
      if (row !== undefined) await this.show(row.session);
    });
    list.onDidTriggerItemButton(async ({ item, button }) => {
      list.hide();
      await this.run(button === UNDO ? "assist.undo" : "assist.resume", item.session.runId);
    });
    list.show();
    try {
      const rows = readSessions(await this.session.request("assist/sessions", { limit: 200 }));
      list.items = rows.map((session) => this.row(session));
      if (rows.length === 0) list.placeholder = "Nothing has been asked in this workspace yet.";
    } catch (error) {
      list.hide();
      void vscode.window.showErrorMessage(sentence(readRefusal(error)));
    }
    list.busy = false;
  }

  /** The log of a run, as a document that cannot be edited. */
  async show(session: SessionRow): Promise<void> {
    const name = session.task.replace(/[\\/:*?"<>|#%\s]+/g, " ").trim().slice(0, 60) || "run";
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}.log`, query: session.runId });
    this.shown.set(session.runId, session);
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(await vscode.languages.setTextDocumentLanguage(document, "log"), { preview: true });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const session = this.shown.get(uri.query);
    if (session === undefined) return "This log is no longer there.\n";
    const head = [
      session.task,
      "",
      `run       ${session.runId}`,
      `state     ${session.status}${session.reason === undefined ? "" : ` (${session.reason})`}`,
      `started   ${session.createdAt}`,
      ...(session.summary === undefined ? [] : [`summary   ${session.summary}`]),
      ...(session.error === undefined ? [] : [`error     ${session.error}`]),
      ...session.changedFiles.map((file, index) => `${index === 0 ? "changed " : "        "}  ${file}`),
      "",
    ];
    try {
      const answer = fields(await this.session.request("assist/events", { runId: session.runId, from: 1 }));
      const events = Array.isArray(answer.events) ? answer.events.map(readEvent) : [];
      const body = events.flatMap((event) => {
        if (event === undefined) return [];
        const said = line(event);
        return said === "" ? [] : [`${event.ts}  ${event.type.padEnd(20)} ${said}`];
      });
      return [...head, ...body, ""].join("\n");
    } catch (error) {
      return [...head, `The events could not be read: ${sentence(readRefusal(error))}`, ""].join("\n");
    }
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }

  private row(session: SessionRow): Row {
    const buttons: vscode.QuickInputButton[] = [];
    if (session.status === "paused") buttons.push(RESUME);
    if (session.changedFiles.length > 0) buttons.push(UNDO);
    const state = session.status.replaceAll("_", " ") + (session.reason === undefined ? "" : ` (${session.reason.replaceAll("_", " ")})`);
    return {
      session,
      label: `${ICONS[session.status] ?? "$(circle-outline)"} ${session.task || session.intent}`,
      description: [state, ago(session.updatedAt)].filter(Boolean).join(" · "),
      detail: [session.error ?? session.summary, session.changedFiles.join(", ")].filter(Boolean).join(" · "),
      buttons,
    };
  }
}

/** How long ago a time was, in words. */
function ago(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return "just now";
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]] as const) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "";
}
