/** The workspace's sessions in a list, and the log of one as a document. */

import * as vscode from "vscode";
import { ago, fields, readEvent, readRefusal, readSessions, sentence, type SessionRow } from "./protocol";
import { line, type Runs } from "./runs";
import type { Session } from "./session";

const SCHEME = "assist-log";
const REDRAW_MS = 150;

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
  private readonly shown = new Map<string, vscode.Uri>();
  private redraw: NodeJS.Timeout | undefined;
  private readonly stale = new Set<string>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  // After the event: whoever registers is asked for it at once.
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(
    private readonly session: Session,
    private readonly run: (command: string, runId: string) => Promise<void>,
    runs: Runs,
  ) {
    // A log that is open goes on as its run does, and whoever stands at its end stays there.
    this.subscriptions = [
      runs.onDidChange(({ run: { id } }) => {
        if (!this.shown.has(id)) return;
        this.stale.add(id);
        this.redraw ??= setTimeout(() => {
          this.redraw = undefined;
          for (const each of this.stale) this.changed.fire(this.shown.get(each) as vscode.Uri);
          this.stale.clear();
        }, REDRAW_MS);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (document.uri.scheme !== SCHEME) return;
        const first = Math.min(...contentChanges.map(({ range }) => range.start.line));
        for (const editor of vscode.window.visibleTextEditors) {
          if (editor.document !== document || !editor.visibleRanges.some(({ end }) => end.line >= first - 1)) continue;
          editor.revealRange(new vscode.Range(document.lineCount - 1, 0, document.lineCount - 1, 0));
        }
      }),
    ];
  }

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
      if (row !== undefined) await this.show(row.session.runId, row.session.task);
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
  async show(runId: string, task: string): Promise<void> {
    const name = task.replace(/[\\/:*?"<>|#%\s]+/g, " ").trim().slice(0, 60) || "run";
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}.log`, query: runId });
    this.shown.set(runId, uri);
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(await vscode.languages.setTextDocumentLanguage(document, "log"), { preview: true });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    let session: SessionRow | undefined;
    try {
      session = readSessions(await this.session.request("assist/sessions", { limit: 1000 })).find(({ runId }) => runId === uri.query);
    } catch (error) {
      return `The run could not be read: ${sentence(readRefusal(error))}\n`;
    }
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
        const about = `${event.ts.slice(11, 19)}  ${event.type.padEnd(20)} `;
        return said === "" ? [] : said.split("\n").map((words, index) => (index === 0 ? about : " ".repeat(about.length)) + words);
      });
      return [...head, ...body, ""].join("\n");
    } catch (error) {
      return [...head, `The events could not be read: ${sentence(readRefusal(error))}`, ""].join("\n");
    }
  }

  dispose(): void {
    clearTimeout(this.redraw);
    for (const subscription of this.subscriptions) subscription.dispose();
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
