/** Assist for VS Code: a thin client of `assist lsp`. This file only puts the parts together. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { Answers } from "./answers";
import { Asker } from "./ask";
import { Flash } from "./flash";
import { PromptHistory } from "./history";
import { Keys } from "./keys";
import { ProgressNotes } from "./progress";
import { PromptBox } from "./prompt";
import { type AskParams, type Intent, fields, readRefusal, sentence, text } from "./protocol";
import { Questions } from "./questions";
import { Runs } from "./runs";
import { Session } from "./session";
import { Sessions } from "./sessions";
import { StatusBar } from "./statusbar";

const INTENTS: Record<string, Intent> = {
  "assist.ui.ask": "ask",
  "assist.ui.build": "build",
  "assist.ui.rewrite": "rewrite",
  "assist.ui.fix": "fix",
  "assist.ui.explain": "explain",
  "assist.ui.addTests": "test",
  "assist.ui.document": "document",
};

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Assist", { log: true });
  const runs = new Runs();
  const flash = new Flash();
  const progress = new ProgressNotes((method, params) => session?.notify(method, params));
  const middleware: Middleware = {
    handleWorkDoneProgress: progress.handle,
    workspace: { handleApplyEdit: flash.handle },
    // What the lightbulb runs comes here: `assist.ask` may need words first, everything else goes to the server.
    executeCommand: async (command, args) => {
      const argument = fields(args[0]);
      if (command === "assist.ask") await asker.ask({ intent: "ask", ...argument } as AskParams);
      else await tell(command, argument);
    },
  };
  session = new Session(context, runs, log, middleware);
  const server = session;
  const prompts = new PromptBox(new PromptHistory(context.workspaceState));
  const keys = new Keys(server, log);
  const icon = vscode.Uri.joinPath(context.extensionUri, "images", "icon.png");
  const answers: Answers = new Answers(icon, runs, (run) => asker.followUp(run));
  const asker: Asker = new Asker(server, runs, prompts, answers, keys, log);

  /** Sends a command and says what went wrong with it. */
  async function tell(command: string, argument: object): Promise<boolean> {
    if (!(await server.ready())) return false;
    try {
      await server.command(command, argument);
      return true;
    } catch (error) {
      log.warn(`${command} was refused: ${sentence(readRefusal(error))}`);
      void vscode.window.showErrorMessage(sentence(readRefusal(error)));
      return false;
    }
  }
  const about = async (command: string, runId: string): Promise<void> => void (await tell(command, { runId }));
  const sessions = new Sessions(server, about);
  const questions = new Questions(icon, runs, tell);
  const status = new StatusBar(server, runs, questions, about);

  context.subscriptions.push(log, runs, flash, progress, server, prompts, answers, sessions, status, questions);
  context.subscriptions.push(
    server.onDidChange(() => {
      if (server.link !== "ready") progress.clear();
    }),
  );
  for (const [command, intent] of Object.entries(INTENTS)) {
    context.subscriptions.push(
      vscode.commands.registerCommand(command, (argument: unknown) => asker.fromEditor(intent, text(fields(argument).prompt))),
    );
  }
  const commands: Record<string, () => unknown> = {
    "assist.ui.talk": () => asker.talk(),
    "assist.ui.cancel": () => cancel(runs, about),
    "assist.ui.undo": () => tell("assist.undo", {}),
    "assist.ui.sessions": () => sessions.pick(),
    "assist.ui.setKey": () => keys.set(),
    "assist.ui.status": () => status.menu(),
    "assist.ui.restart": () => server.restart(),
    "assist.ui.showLog": () => log.show(),
  };
  for (const [command, act] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(command, act));
  }
  await server.ready();
}

export async function deactivate(): Promise<void> {
  await session?.stop();
}

/** Cancels the run under way; with several, asks which. */
async function cancel(runs: Runs, about: (command: string, runId: string) => Promise<void>): Promise<void> {
  const open = runs.open();
  if (open.length === 0) {
    void vscode.window.showInformationMessage("Assist is not doing anything just now.");
    return;
  }
  const rows = open.map((run) => ({ label: run.title || run.id, description: run.message, id: run.id }));
  const chosen = rows.length === 1 ? rows[0] : await vscode.window.showQuickPick(rows, { title: "Assist: Cancel Run", placeHolder: "Which one?" });
  if (chosen !== undefined) await about("assist.cancel", chosen.id);
}
